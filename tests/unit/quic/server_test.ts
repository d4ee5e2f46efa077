/** Whom a QUIC server lets in, and what peers that mean no good cost it. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { deadline } from "@std/async";
import { PipeClosedError, pipeOpen, PipeOpenError, QUIC } from "@p2pd/pipes";
import { latch, recvText, until } from "../../helpers/pipes.ts";
import { Random } from "../../helpers/random.ts";
import { clientTls, serverTls } from "../../helpers/tls.ts";
import { settles } from "../../helpers/turns.ts";
import { connectQuic, echo, foreignClient, ignore, serveQuic } from "./quic.ts";

function test(name: string, fn: () => Promise<void>): void {
  Deno.test(`quic server: ${name}`, { ignore }, () => deadline(fn(), 10_000));
}

const open = { useSsl: serverTls() };

test("allow and deny decide before any stream is accepted, and refused counts", async () => {
  for (const rules of [{ deny: ["127.0.0.0/8"] }, { allow: ["10.0.0.0/8"] }]) {
    await using server = await serveQuic({ conf: { ...open, ...rules }, msgCb: echo });
    const conn = await foreignClient(server);
    assertEquals((await conn.closed).closeCode, 2);
    conn.endpoint.close();
    assertEquals([server.stats.refused, server.clients.size], [1, 0]);
  }
  await using server = await serveQuic({ conf: { ...open, allow: ["127.0.0.1"] }, msgCb: echo });
  await using client = await connectQuic(server);
  await client.send("hi");
  assertEquals(await recvText(client, 2), "hi");
});

test("maxClients: the next stream is turned away and counted", async () => {
  await using server = await serveQuic({ conf: { ...open, maxClients: 2 }, msgCb: echo });
  await using client = await connectQuic(server);
  await using second = await pipeOpen(QUIC, { over: client });
  for (const pipe of [client, second]) {
    await pipe.send("hi");
    assertEquals(await recvText(pipe, 2), "hi");
  }
  await using third = await pipeOpen(QUIC, { over: client });
  await third.send("hi");
  await assertRejects(() => third.recv(), PipeClosedError);
  assertEquals(server.stats.refused, 1);
  await client.send("on");
  assertEquals(await recvText(client, 2), "on");
});

test("connections that say nothing give way to newer ones", async () => {
  await using server = await serveQuic({ conf: { ...open, maxClients: 2 }, msgCb: echo });
  const silent = [];
  for (let i = 0; i < 5; i++) silent.push(await foreignClient(server));
  await using client = await connectQuic(server);
  await client.send("hi");
  assertEquals(await recvText(client, 2), "hi");
  for (const conn of silent.slice(0, 3)) assertEquals((await conn.closed).closeCode, 2);
  // One that is in use does not.
  await using other = await connectQuic(server);
  await other.send("hi");
  assertEquals(await recvText(other, 2), "hi");
  const error = await assertRejects(() => connectQuic(server), PipeOpenError);
  assertInstanceOf(error.cause, Deno.errors.ConnectionRefused);
  assertEquals([error.phase, server.stats.refused], ["connect", 1]);
  await client.send("on");
  assertEquals(await recvText(client, 2), "on");
  for (const conn of silent) {
    conn.close();
    conn.endpoint.close();
  }
});

test("handshakes that nobody finishes are bounded, counted after sslHandshake, and over with close", async () => {
  const conf = { ...open, maxClients: 3, sslHandshake: 40 };
  const server = await serveQuic({ conf, msgCb: echo });
  // A first packet, and then nobody: its client is gone before the answer.
  const relay = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = relay.addr as Deno.NetAddr;
  const clients = [1, 2, 3].map(() => {
    const endpoint = new Deno.QuicEndpoint({ hostname: "127.0.0.1" });
    const options = { hostname: "127.0.0.1", port, alpnProtocols: ["p2pd"], endpoint };
    const gone = Deno.connectQuic<false>(options).catch(() => {});
    return { endpoint, gone };
  });
  const seen = new Set<number>();
  while (seen.size < 3) {
    const [packet, from] = await relay.receive();
    const { port } = from as Deno.NetAddr;
    if (seen.has(port)) continue;
    seen.add(port);
    const to = { transport: "udp", hostname: "127.0.0.1", port: server.localAddr.port } as const;
    // One address for all of them.
    await relay.send(packet, to);
  }
  for (const { endpoint, gone } of clients) {
    endpoint.close();
    await gone;
  }
  await until(() => server.stats.tlsFailed === 3, "they took too long");
  assertEquals(server.errors.map((error) => (error as PipeOpenError).phase), ["tls", "tls", "tls"]);
  const refused = await assertRejects(() => connectQuic(server), PipeOpenError);
  assertInstanceOf(refused.cause, Deno.errors.ConnectionRefused);
  relay.close();
  await server.close();
});

test("a hundred streams that say nothing, then one more that does", async () => {
  await using server = await serveQuic({ msgCb: echo });
  await using client = await connectQuic(server);
  const silent = await Promise.all(
    Array.from({ length: 98 }, () => pipeOpen(QUIC, { over: client })),
  );
  await Promise.all(silent.map((pipe) => pipe.send("!")));
  await using last = await pipeOpen(QUIC, { over: client });
  await last.send("hi");
  assertEquals(await recvText(last, 2), "hi");
  assertEquals(server.clients.size, 100); // the first, too, which is older
  // No more than a hundred at a time.
  const more = pipeOpen(QUIC, { over: client, conf: { conTimeout: 20 } });
  await assertRejects(() => more, PipeOpenError);
  await Promise.all(silent.map((pipe) => pipe.close()));
});

test("what is said beside the streams can be anything", async () => {
  const ended = latch();
  await using server = await serveQuic({ msgCb: echo, endCb: () => ended.open() });
  const random = new Random(11);
  for (let round = 0; round < 30; round++) {
    const conn = await foreignClient(server, { alpnProtocols: ["p2pd/pipes"] });
    const beside = (await conn.createUnidirectionalStream()).getWriter();
    beside.closed.catch(() => {});
    const { readable, writable } = await conn.createBidirectionalStream();
    const writer = writable.getWriter();
    writer.closed.catch(() => {});
    await writer.write(new TextEncoder().encode("hi"));
    const records = new Uint8Array(random.below(2000)).map(() => random.below(256));
    // Real words about streams, and garbage.
    for (let at = 0; at + 9 < records.length; at += 9) {
      if (random.below(2) === 0) records.fill(0, at + 1, at + 8);
      records[at] = random.below(6);
      // Not that it is to be cut: then there is no echo.
      if (records[at] === 3) records[at + 8] = 1;
    }
    await beside.write(records);
    const { value } = await readable.getReader().read();
    assertEquals(new TextDecoder().decode(value), "hi");
    conn.close();
    await conn.closed;
    conn.endpoint.close();
  }
  await ended.done;
  await using client = await connectQuic(server);
  await client.send("hi");
  assertEquals(await recvText(client, 2), "hi");
});

test("closing while clients connect", async () => {
  for (let round = 0; round < 5; round++) {
    const server = await serveQuic({ msgCb: echo });
    const conf = { useSsl: clientTls(), conTimeout: 300 };
    const clients = Array.from(
      { length: 5 },
      () =>
        connectQuic(server, { conf }).then(async (client) => {
          await client.send("hi").catch(() => {});
          return client;
        }).catch(() => undefined),
    );
    await settles(Promise.resolve(), round);
    await server.close();
    for (const client of await Promise.all(clients)) client?.abort();
    assert(server.clients.size === 0);
  }
});

test("a server's loop answers the stream that a message came by, of several on one connection", async () => {
  await using server = await serveQuic();
  const first = await connectQuic(server);
  const second = await pipeOpen(QUIC, { over: first });
  const answering = (async () => {
    for await (const [msg, from] of server) await server.send(msg, from);
  })();
  for (let round = 0; round < 3; round++) {
    for (const pipe of [first, second, first]) {
      const name = pipe === first ? "first" : "second";
      await pipe.send(name);
      assertEquals(await recvText(pipe, name.length), name);
    }
  }
  await second.close();
  await until(() => server.clients.size === 1, "the second is gone");
  await first.send("alone");
  assertEquals(await recvText(first, 5), "alone");
  await first.close();
  await server.close();
  await answering;
});
