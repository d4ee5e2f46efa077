/** The datagrams of a QUIC connection as a pipe. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { deadline } from "@std/async";
import { type Pipe, PipeClosedError, pipeOpen, PipeStateError, QUIC, UDP } from "@p2pd/pipes";
import { recvText, until } from "../../helpers/pipes.ts";
import { echo, foreignClient, ignore, quicPair, serveQuic } from "./quic.ts";

function test(name: string, fn: () => Promise<void>): void {
  Deno.test(`quic datagrams: ${name}`, { ignore }, () => deadline(fn(), 10_000));
}

test("a pipe with the peer as its peer, on either side", async () => {
  await using pair = await quicPair();
  const { client, accepted, server } = pair;
  await using a = await pipeOpen(UDP, { over: client });
  await using b = await pipeOpen(UDP, { over: accepted, dest: accepted.remoteAddr, msgCb: echo });
  assertEquals([a.proto, a.role, b.role], ["udp", "client", "client"]);
  assertEquals([a.remoteAddr, b.localAddr], [server.localAddr, server.localAddr]);
  assertEquals(a.tls, client.tls);
  for (const size of [0, 1, 1000]) {
    const [reply, from] = await a.request(new Uint8Array(size).fill(7), { timeout: 5000 });
    assertEquals(reply, new Uint8Array(size).fill(7));
    assertEquals(from, server.localAddr);
  }
  // The stream beside them is none of their business.
  await client.send("stream");
  assertEquals(await recvText(accepted, 6), "stream");
});

test("bigger than a packet is a RangeError with the bound", async () => {
  await using pair = await quicPair();
  await using a = await pipeOpen(UDP, { over: pair.client });
  await using b = await pipeOpen(UDP, { over: pair.accepted });
  const error = await assertRejects(() => a.send(new Uint8Array(2000)), RangeError);
  const most = Number(/at most (\d+) bytes, got 2000/.exec(error.message)?.[1]);
  assert(most >= 1000 && most < 1500, error.message);
  await a.send(new Uint8Array(most));
  assertEquals((await b.recv())?.length, most);
});

test("what came before the pipe is there for it, and one pipe has them at a time", async () => {
  await using pair = await quicPair();
  const { client, accepted } = pair;
  const a = await pipeOpen(UDP, { over: client });
  for (const text of ["1", "2", "3"]) await a.send(text);
  await client.send("!"); // what was sent before is there, or it was lost
  await recvText(accepted, 1);
  const first = await pipeOpen(UDP, { over: accepted });
  await assertRejects(() => pipeOpen(UDP, { over: accepted }), PipeStateError, "already");
  assertEquals(await recvText(first, 1), "1");
  await first.close();
  await using second = await pipeOpen(UDP, { over: accepted });
  await a.send("4");
  // What a reader had under way when it was closed is the next one's, what it held went with it.
  assertEquals((await recvText(second, 1)).length, 1);
  await a.close();
});

test("they keep the connection open, and end with it", async () => {
  await using pair = await quicPair();
  const { client, accepted } = pair;
  const a = await pipeOpen(UDP, { over: client });
  const b = await pipeOpen(UDP, { over: accepted });
  await client.close();
  await a.send("still there");
  assertEquals(await recvText(b, 11), "still there");
  await using more: Pipe = await pipeOpen(QUIC, { over: accepted }).catch(() => a);
  assertEquals(more, a);
  const ending = b.recv(undefined, { timeout: 5000 });
  await a.close();
  assertEquals(await ending, null);
  await assertRejects(() => b.send("nobody there"), PipeClosedError);
  await b.close();
});

test("a flood of them takes bounded memory, and the streams go on", async () => {
  await using server = await serveQuic();
  const conn = await foreignClient(server);
  const writer = (await conn.createBidirectionalStream()).writable.getWriter();
  await writer.write(new TextEncoder().encode("!"));
  const accepted = await server.accept();
  assert(accepted !== null);
  await using datagrams = await pipeOpen(UDP, { over: accepted });
  const packet = new Uint8Array(1000);
  for (let i = 0; i < 5000; i++) await conn.sendDatagram(packet);
  await writer.write(new TextEncoder().encode("?"));
  assertEquals(await recvText(accepted, 2), "!?");
  await until(() => datagrams.stats.queued > 0, "some have come");
  assert(datagrams.stats.queued <= 2 * 1024 * 1024 / 1000, `${datagrams.stats.queued} are held`);
  conn.close();
  await conn.closed;
  conn.endpoint.close();
});
