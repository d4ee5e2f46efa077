/** How QUIC pipes end: what was sent arrives, whoever ends first; what was cut does not look whole. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { deadline } from "@std/async";
import { type Pipe, PipeClosedError, pipeOpen, QUIC } from "@p2pd/pipes";
import { latch, recvAll, recvText, until } from "../../helpers/pipes.ts";
import { turns } from "../../helpers/turns.ts";
import {
  bytesOf,
  connectQuic,
  echo,
  foreignClient,
  foreignServer,
  ignore,
  quicPair,
  serveQuic,
} from "./quic.ts";
import { clientTls } from "../../helpers/tls.ts";

const MIB = 1024 * 1024;

/** In one group: a connection of QUIC that hangs is to fail its own test. */
function test(name: string, fn: () => Promise<void>): void {
  Deno.test(`quic: ${name}`, { ignore }, () => deadline(fn(), 10_000));
}

// With others than this library there is less to go by.
for (const peer of ["ours", "somebody else's"]) {
  // Too long to be marked.
  const tls = peer === "ours" ? {} : { alpnProtocols: ["x".repeat(255)] };

  test(`8 MiB and a close at once arrive whole (${peer})`, async () => {
    const ended = latch<Pipe>();
    let size = 0;
    await using server = await serveQuic({
      tls,
      msgCb: (msg) => void (size += msg.length),
      endCb: (_msg, _from, pipe) => ended.open(pipe),
    });
    const client = await connectQuic(server, { tls });
    const sending = client.send(new Uint8Array(8 * MIB));
    await client.close();
    assertEquals(await sending, 8 * MIB);
    assertEquals((await (await ended.done).closed).by, "remote");
    assertEquals(size, 8 * MIB);
  });

  test(`4 MiB each way, and each closes when it has read: both whole (${peer})`, async () => {
    await using pair = await quicPair({ tls }, { tls });
    const talk = async (pipe: Pipe) => {
      const read = bytesOf(pipe);
      await pipe.send(new Uint8Array(4 * MIB));
      await pipe.closeWrite();
      const size = await read;
      await pipe.close();
      return size;
    };
    const { client, accepted } = pair;
    const [there, back] = await Promise.all([talk(client), talk(accepted)]);
    assertEquals([there, back], [4 * MIB, 4 * MIB]);
    assertEquals([(await client.closed).by, (await accepted.closed).by], ["remote", "remote"]);
  });
}

test("close does not wait for a reader where what was sent is little, and it is there for that", async () => {
  await using pair = await quicPair();
  const { client, accepted } = pair;
  const size = 1_000_000;
  await client.send(new Uint8Array(size));
  await client.close();
  await turns(5);
  assertEquals(await bytesOf(accepted), size);
  await assertRejects(async () => {
    while (true) await accepted.send("nobody there");
  }, PipeClosedError);
});

test("a close waits for the peer to have it all, also where that closes too", async () => {
  await using pair = await quicPair();
  const { client, accepted } = pair;
  const sizes = Promise.all([bytesOf(client), bytesOf(accepted)]);
  await Promise.all([client.send(new Uint8Array(MIB)), accepted.send(new Uint8Array(MIB))]);
  await Promise.all([client.closeWrite(), accepted.closeWrite()]);
  assertEquals(await sizes, [MIB, MIB]);
  await Promise.all([client.close(), accepted.close()]);
});

test("half-close: the answer comes after the end of the question", async () => {
  await using pair = await quicPair();
  const { client, accepted } = pair;
  await client.send("question");
  await client.closeWrite();
  assertEquals(await recvAll(accepted), "question");
  await accepted.send("answer");
  await accepted.closeWrite();
  assertEquals(await recvAll(client), "answer");
});

test("abort is a reset for the peer, and no end", async () => {
  for (const who of ["client", "accepted"] as const) {
    await using pair = await quicPair();
    const other = who === "client" ? pair.accepted : pair.client;
    await pair[who].send("half of a mess");
    assertEquals(await recvText(other, 14), "half of a mess");
    const waiting = assertRejects(() => other.recv(), PipeClosedError);
    pair[who].abort();
    const { cause } = await waiting;
    assertInstanceOf(cause, Deno.errors.ConnectionReset);
    assertEquals((await other.closed).by, "reset");
  }
});

test("abort of one stream resets that one alone, clogged or not", async () => {
  for (const who of ["client", "accepted"] as const) {
    await using pair = await quicPair({ msgCb: undefined });
    const { client, server } = pair;
    const more = await pipeOpen(QUIC, { over: client });
    await more.send("!");
    const accepted = await server.accept();
    assert(accepted !== null);
    assertEquals(await recvText(accepted, 1), "!");
    const [own, peer] = who === "client" ? [more, accepted] : [accepted, more];
    const clogged = own.send(new Uint8Array(8 * MIB)).catch((error) => error);
    await until(() => own.stats.queued >= 0 && peer.stats.queued > 0, "it is under way");
    own.abort();
    assertInstanceOf(await clogged, PipeClosedError);
    await assertRejects(() => bytesOf(peer), PipeClosedError);
    assertEquals((await peer.closed).by, "reset");
    await assertRejects(async () => {
      while (true) await peer.send("nobody there");
    }, PipeClosedError);
    // The connection goes on.
    await client.send("first");
    assertEquals(await recvText(pair.accepted, 5), "first");
    await using again = await pipeOpen(QUIC, { over: client });
    await again.send("again");
    const third = await server.accept();
    assert(third !== null);
    assertEquals(await recvText(third, 5), "again");
    await third.close();
  }
});

test("a connection is its client's to close: the server may know of none of its pipes", async () => {
  await using server = await serveQuic({ msgCb: echo });
  const used = await connectQuic(server);
  await using unused = await pipeOpen(QUIC, { over: used });
  await used.send("hi");
  assertEquals(await recvText(used, 2), "hi");
  await used.close();
  await until(() => server.clients.size === 0, "the server has closed its side");
  await unused.send("hi");
  assertEquals(await recvText(unused, 2), "hi");
});

test("somebody else's peer gets the time to read", async () => {
  const { endpoint, listener, dest } = foreignServer();
  const serving = listener.accept();
  const client = await pipeOpen(QUIC, { dest, conf: { useSsl: clientTls() } });
  await client.send(new Uint8Array(200_000));
  const closing = client.close();
  const streams = (await serving).incomingBidirectionalStreams.getReader();
  const stream = (await streams.read()).value;
  assert(stream !== undefined);
  // Longer than what might have crossed takes.
  await new Promise((resolve) => setTimeout(resolve, 600));
  let size = 0;
  for await (const chunk of stream.readable) size += chunk.length;
  assertEquals(size, 200_000);
  await stream.writable.close();
  await closing;
  endpoint.close();
});

test("somebody else's peer sees an end where one of several was aborted, and not all of it", async () => {
  const { endpoint, listener, dest } = foreignServer();
  const serving = listener.accept();
  await using client = await pipeOpen(QUIC, { dest, conf: { useSsl: clientTls() } });
  const more = await pipeOpen(QUIC, { over: client });
  const sending = more.send(new Uint8Array(4 * MIB)).catch((error) => error);
  const conn = await serving;
  const streams = conn.incomingBidirectionalStreams.getReader();
  await streams.read(); // the first, which came with the second
  const stream = (await streams.read()).value;
  assert(stream !== undefined);
  more.abort();
  assertInstanceOf(await sending, PipeClosedError);
  let size = 0;
  for await (const chunk of stream.readable) size += chunk.length;
  assert(size < 2 * MIB, `${size} bytes`);
  conn.close();
  await client.close();
  endpoint.close();
});

test("streams that were aborted make room for others", async () => {
  await using server = await serveQuic({ msgCb: echo });
  await using client = await connectQuic(server);
  for (let i = 0; i < 110; i++) {
    const pipe = await pipeOpen(QUIC, { over: client });
    await pipe.send("?");
    assertEquals(await recvText(pipe, 1), "?");
    pipe.abort();
  }
  await until(() => server.clients.size <= 1, "they are gone");
});

test("linger: a peer that does not read is not waited for longer than that", async () => {
  await using pair = await quicPair({}, { conf: { linger: 50, useSsl: clientTls() } });
  const { client, accepted } = pair;
  const sending = client.send(new Uint8Array(8 * MIB)).catch((error) => error);
  await client.close();
  assertInstanceOf(await sending, PipeClosedError);
  await assertRejects(() => bytesOf(accepted), PipeClosedError);
});

test("the last pipe closes the connection, on either side, and the server closes them all", async () => {
  const { endpoint, listener, dest } = foreignServer();
  const serving = listener.accept();
  const client = await pipeOpen(QUIC, { dest, conf: { useSsl: clientTls() } });
  const conn = await serving;
  const more = await pipeOpen(QUIC, { over: client });
  await client.close();
  const early = Symbol("early");
  const closed = conn.closed.then(() => early);
  assertEquals(await Promise.race([closed, turns(5)]), undefined);
  await more.close();
  assertEquals(await conn.closed, Object.assign(Object.create(null), { closeCode: 0, reason: "" }));
  endpoint.close();

  const server = await serveQuic({ msgCb: echo });
  const foreign = await foreignClient(server);
  const stream = await foreign.createBidirectionalStream();
  await stream.writable.getWriter().write(new Uint8Array(1));
  await until(() => server.clients.size === 1, "the stream is there");
  const idle = await foreignClient(server);
  await server.close();
  assertEquals((await foreign.closed).closeCode, 0);
  await idle.closed;
  foreign.endpoint.close();
  idle.endpoint.close();
});

test("a peer that closes the connection in the middle is a reset; one that has ended, an end", async () => {
  await using server = await serveQuic();
  const cut = await foreignClient(server);
  const writer = (await cut.createBidirectionalStream()).writable.getWriter();
  writer.closed.catch(() => {});
  await writer.write(new TextEncoder().encode("half"));
  const pipe = await server.accept();
  assert(pipe !== null);
  assertEquals(await recvText(pipe, 4), "half");
  const waiting = assertRejects(() => pipe.recv(), PipeClosedError);
  cut.close({ closeCode: 7, reason: "bored" });
  const { cause } = await waiting;
  assertInstanceOf(cause, Deno.errors.ConnectionReset);
  assert(cause.message.includes('code 7, saying "bored"'), cause.message);

  const done = await foreignClient(server);
  const { writable } = await done.createBidirectionalStream();
  const last = writable.getWriter();
  await last.write(new TextEncoder().encode("all"));
  await last.close();
  const whole = await server.accept();
  assert(whole !== null);
  assertEquals(await recvAll(whole), "all");
  done.close();
  await done.closed;
  await whole.close();
  assertEquals((await whole.closed).by, "remote");
  cut.endpoint.close();
  done.endpoint.close();
});
