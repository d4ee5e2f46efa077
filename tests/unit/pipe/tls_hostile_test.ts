/** Clients that are none, or many: they cost a TLS server their own connection only. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { deadline } from "@std/async";
import { formatAddr, PipeError, pipeOpen, PipeOpenError, TCP } from "@p2pd/pipes";
import { latch, recvText, until } from "../../helpers/pipes.ts";
import {
  accept,
  assertServes,
  connectTls,
  drain,
  echo,
  plain,
  serveTls,
  tlsErrors,
} from "../../helpers/tls.ts";

const encode = (text: string) => new TextEncoder().encode(text);

const FILLER = new Uint8Array(20_000).fill(0xa5);

/** First bytes of a client that is none; a record's header is type, version, length (RFC 8446, 5.1). */
const NOT_TLS: readonly [what: string, bytes: Uint8Array][] = [
  ["garbage", FILLER],
  ["plain HTTP", encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")],
  ["a record of no length", new Uint8Array([22, 3, 1, 0, 0])],
  ["a record that is too long", new Uint8Array([22, 3, 1, 255, 255, ...FILLER])],
  ["a handshake that starts with its end", new Uint8Array([22, 3, 3, 0, 4, 20, 0, 0, 0])],
  ["application data at once", new Uint8Array([23, 3, 3, 0, 3, 1, 2, 3])],
  ["an alert", new Uint8Array([21, 3, 3, 0, 2, 2, 40])],
  ["SSL 2", new Uint8Array([128, 46, 1, 0, 2, 0, 21, 0, 0, 0, 16, ...FILLER.subarray(0, 37)])],
];

for (const [what, bytes] of NOT_TLS) {
  Deno.test(`tls: ${what} instead of a ClientHello ends that connection alone`, async () => {
    await using server = await serveTls({ msgCb: echo });
    using conn = await plain(server);
    await conn.write(bytes);
    const answer = await drain(conn);
    assert(answer.length < 100, `${answer.length} bytes came back`);
    await until(() => server.stats.tlsFailed === 1, "the failure");
    const [error] = tlsErrors(server.errors);
    assertEquals(error?.addr, conn.localAddr);
    assert(error?.message.includes(formatAddr({ ...conn.localAddr })), error?.message);
    assertInstanceOf(error?.cause, Error);
    assertEquals([server.errors.length, server.stats.messagesIn, server.clients.size], [1, 0, 0]);
    await assertServes(server);
  });
}

Deno.test("tls: a handshake that fails tells its peer why, by an alert (RFC 8446, section 6.2)", async () => {
  await using server = await serveTls({ tls: { alpnProtocols: ["h2"] } });
  using conn = await plain(server);
  await conn.write(encode("GET / HTTP/1.1\r\n\r\n"));
  const [type, , , , length, level] = await drain(conn);
  assertEquals([type, length, level], [21, 2, 2]); // an alert, which is fatal
  await assertRejects(
    () => connectTls(server.localAddr, { tls: { alpnProtocols: ["x"] } }),
    PipeOpenError,
    "NoApplicationProtocol",
  );
});

/** What a client says first. */
async function clientHello(): Promise<Uint8Array> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const opening = connectTls(listener.addr).catch(() => {}); // nobody will answer
  const conn = await listener.accept();
  const buffer = new Uint8Array(4096);
  const size = await conn.read(buffer) ?? 0;
  conn.close();
  await opening;
  return buffer.subarray(0, size);
}

Deno.test("tls: a client that leaves before, or in the middle of, its handshake", async () => {
  await using server = await serveTls({ msgCb: echo });
  const hello = await clientHello();
  for (const bytes of [new Uint8Array(), hello.subarray(0, 100), hello]) {
    using conn = await plain(server);
    await conn.write(bytes);
    await conn.closeWrite();
    await drain(conn);
  }
  await until(() => server.stats.tlsFailed === 3, "their failures");
  const rude = await pipeOpen(TCP, { dest: server.localAddr, route: "127.0.0.1:0" });
  await rude.send(hello);
  await rude.recv(); // its turn
  rude.abort();
  await until(() => server.stats.tlsFailed === 4, "the reset");
  await assertServes(server);
});

Deno.test("tls: closing a server ends the handshakes under way", async () => {
  const server = await serveTls({ conf: { sslHandshake: Infinity } });
  const silent = await Promise.all(Array.from({ length: 5 }, () => plain(server)));
  const accepting = accept(server);
  await using _client = await connectTls(server.localAddr);
  await accepting; // and so are those before it
  await deadline(server.close(), 30_000);
  for (const conn of silent) {
    await drain(conn);
    conn.close();
  }
});

Deno.test("tls: 500 connections at once", async () => {
  const patient = { sslHandshake: 60_000, conTimeout: 60_000, recvTimeout: 60_000 };
  let up = 0;
  await using server = await serveTls({ msgCb: echo, upCb: () => up++, conf: patient });
  const clients = await Promise.all(
    Array.from({ length: 500 }, () => connectTls(server.localAddr, { conf: patient })),
  );
  const words = await Promise.all(clients.map(async (client, i) => {
    const word = `number ${i}`;
    await client.send(word);
    return await recvText(client, word.length) === word;
  }));
  assertEquals(words.filter(Boolean).length, 500);
  assertEquals([up, server.clients.size, server.stats.tlsFailed], [500, 500, 0]);
  await Promise.all(clients.map((client) => client.close()));
  await until(() => server.clients.size === 0, "their leaving");
});

Deno.test("tls: handshakes are bounded by backlog; a new one pushes out the one that waits longest", async () => {
  await using server = await serveTls({
    msgCb: echo,
    conf: { backlog: 5, sslHandshake: Infinity },
  });
  const left: number[] = [];
  const silent: Deno.TcpConn[] = [];
  for (let i = 0; i < 20; i++) {
    const conn = await plain(server);
    silent.push(conn);
    drain(conn).then(() => left.push(i));
  }
  await assertServes(server);
  await until(() => left.length === 16, "the oldest leaving");
  assertEquals(left.toSorted((a, b) => a - b), Array.from({ length: 16 }, (_, i) => i));
  assertEquals([server.stats.tlsFailed, tlsErrors(server.errors).length], [16, 16]);
  assertEquals(server.errors.map((error) => error instanceof PipeError && error.addr).slice(0, 2), [
    silent[0]?.localAddr,
    silent[1]?.localAddr,
  ]);
  await server.close();
  await until(() => left.length === 20, "the others");
  for (const conn of silent) conn.close();
});

Deno.test("tls: maxClients counts those who have done their handshake, the silent give way", async () => {
  await using server = await serveTls({
    msgCb: echo,
    conf: { maxClients: 2, sslHandshake: Infinity },
  });
  using silent = await plain(server);
  const gone = drain(silent);
  await using a = await connectTls(server.localAddr);
  await using b = await connectTls(server.localAddr);
  await gone;
  for (const client of [a, b]) {
    await client.send("in");
    assertEquals(await recvText(client, 2), "in");
  }
  await assertRejects(() => connectTls(server.localAddr), PipeOpenError);
  assertEquals([server.stats.refused, server.stats.tlsFailed], [1, 1]);
});

Deno.test("tls: what a failed handshake reports goes to onError, whose faults hurt nobody", async () => {
  const told = latch();
  await using server = await serveTls({
    msgCb: echo,
    conf: {
      onError: () => {
        told.open();
        throw new Error("a fault of its own");
      },
    },
  });
  using conn = await plain(server);
  await conn.write(FILLER);
  await told.done;
  await drain(conn);
  await assertServes(server);
});
