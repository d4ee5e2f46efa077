/** Several streams on one connection, and what a stream of QUIC is as a pipe. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { deadline } from "@std/async";
import {
  pipeOpen,
  PipeOpenError,
  PipeStateError,
  PipeTimeoutError,
  QUIC,
  TCP,
  UDP,
} from "@p2pd/pipes";
import { digestOf, Hash } from "../../helpers/hash.ts";
import { recvAll, recvText, until } from "../../helpers/pipes.ts";
import { Random } from "../../helpers/random.ts";
import { settles, turns } from "../../helpers/turns.ts";
import { clientTls } from "../../helpers/tls.ts";
import {
  connectQuic,
  echo,
  foreignClient,
  foreignServer,
  ignore,
  quicPair,
  serveQuic,
} from "./quic.ts";

function test(name: string, fn: () => Promise<void>): void {
  Deno.test(`quic: ${name}`, { ignore }, () => deadline(fn(), 10_000));
}

test("further streams on an open connection, each a pipe of its own", async () => {
  await using server = await serveQuic({ msgCb: echo });
  await using client = await connectQuic(server);
  const pipes = await Promise.all(
    Array.from({ length: 20 }, () => pipeOpen(QUIC, { over: client, dest: server.localAddr })),
  );
  for (const pipe of pipes) {
    assertEquals([pipe.role, pipe.proto], ["client", "quic"]);
    assertEquals(pipe.localAddr, client.localAddr);
    assertEquals(pipe.tls, client.tls);
  }
  await Promise.all(pipes.map((pipe, i) => pipe.send(`pipe ${i}`)));
  for (const [i, pipe] of pipes.entries()) {
    assertEquals(await recvText(pipe, `pipe ${i}`.length), `pipe ${i}`);
  }
  // The first was never used, but where a later one is there, all earlier ones are.
  assertEquals(server.clients.size, 21);
  // One over another goes on when that is closed.
  const [one, two] = pipes;
  assert(one !== undefined && two !== undefined);
  await using third = await pipeOpen(QUIC, { over: one });
  await Promise.all([client.close(), one.close(), two.close()]);
  await third.send("still");
  assertEquals(await recvText(third, 5), "still");
  await Promise.all(pipes.map((pipe) => pipe.close()));
});

test("the server sees a stream with its first byte, or its end", async () => {
  await using server = await serveQuic();
  const client = await connectQuic(server);
  const accepting = server.accept();
  assertEquals(await settles(accepting), false);
  await client.send("");
  assertEquals(await settles(accepting), false);
  await client.send("hello");
  const accepted = await accepting;
  assert(accepted !== null);
  assertEquals(await recvText(accepted, 5), "hello");
  await using silent = await pipeOpen(QUIC, { over: client });
  await silent.closeWrite();
  const ended = await server.accept();
  assert(ended !== null);
  assertEquals(await ended.recv(), null);
  await client.close();
});

test("a reader that does not read stops its own stream, and no other", async () => {
  await using server = await serveQuic();
  await using client = await connectQuic(server);
  const stuck = client.send(new Uint8Array(4_000_000));
  const pipe = await server.accept();
  assert(pipe !== null);
  assertEquals(await settles(stuck), false);
  await using other = await pipeOpen(QUIC, { over: client });
  const expected = new Random(5).bytes(3_000_000);
  const hash = new Hash();
  const reading = (async () => {
    for await (const [data] of other) if (hash.update(data).size >= expected.length) break;
  })();
  const sent = other.send(expected);
  (await server.accept())?.addMsgCb(echo);
  await Promise.all([sent, reading]);
  assertEquals(hash.digest, digestOf(expected));
  assertEquals(await settles(stuck, 1), false);
  assert(pipe.stats.bytesIn < 200_000, `${pipe.stats.bytesIn} bytes were read and nobody reads`);
  let size = 0;
  for await (const [data] of pipe) if ((size += data.length) >= 4_000_000) break;
  await stuck;
});

test("a peer that allows no more streams is waited for as long as conTimeout", async () => {
  const endpoint = new Deno.QuicEndpoint({ hostname: "127.0.0.1" });
  const { serverCert } = await import("../../helpers/tls.ts");
  const listener = endpoint.listen({
    ...serverCert,
    alpnProtocols: ["p2pd"],
    maxConcurrentBidirectionalStreams: 1,
  });
  const serving = listener.accept();
  const dest = ["127.0.0.1", endpoint.addr.port] as const;
  const client = await pipeOpen(QUIC, { dest, conf: { useSsl: clientTls() } });
  const conn = await serving;
  const options = { over: client, conf: { conTimeout: 30 } };
  const { phase, cause } = await assertRejects(() => pipeOpen(QUIC, options), PipeOpenError);
  assertEquals(phase, "connect");
  assert(cause instanceof PipeTimeoutError);
  const reason = new Error("changed my mind");
  const control = new AbortController();
  const aborted = pipeOpen(QUIC, { over: client, signal: control.signal });
  control.abort(reason);
  assertEquals(await aborted.catch((error) => error), reason);
  const waiting = pipeOpen(QUIC, { over: client });
  await client.closeWrite();
  const streams = conn.incomingBidirectionalStreams.getReader();
  const stream = (await streams.read()).value;
  assert(stream !== undefined);
  assertEquals((await stream.readable.getReader().read()).done, true);
  await stream.writable.close();
  // There is room now, and what nobody waited for any more is for those who do.
  const second = await waiting;
  await second.send("hi");
  assert((await streams.read()).value !== undefined);
  conn.close();
  await Promise.all([client.close(), second.close()]);
  endpoint.close();
});

test("over: what it cannot be", async () => {
  await using pair = await quicPair();
  const { client, accepted, server } = pair;
  const useSsl = clientTls();
  await using plain = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  const wrong: [Promise<unknown>, typeof TypeError | typeof PipeStateError, string][] = [
    [pipeOpen(TCP, { over: client, dest: "127.0.0.1:1" }), TypeError, "over: a connection of QUIC"],
    [pipeOpen(QUIC, { over: server }), TypeError, "over: an open QUIC pipe with a peer"],
    [pipeOpen(QUIC, { over: plain }), TypeError, "over: an open QUIC pipe with a peer"],
    [pipeOpen(QUIC, { over: client, route: "127.0.0.1:0" }), TypeError, "route:"],
    [pipeOpen(QUIC, { over: client, conf: { useSsl } }), TypeError, "conf.useSsl:"],
    [pipeOpen(QUIC, { over: client, dest: "127.0.0.1:1" }), PipeStateError, "connected to"],
    [pipeOpen(QUIC, { over: accepted }), PipeStateError, "cannot open streams"],
    [client.startTls(), PipeStateError, "TLS already"],
  ];
  for (const [opening, kind, message] of wrong) await assertRejects(() => opening, kind, message);
  await client.close();
  for (const proto of [QUIC, UDP]) {
    await assertRejects(() => pipeOpen(proto, { over: client }), PipeStateError, "is closed");
  }
});

test("relays: a client of TCP speaks to a server of QUIC", async () => {
  await using far = await serveQuic({ msgCb: echo });
  await using near = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  await using client = await pipeOpen(TCP, { dest: near.localAddr });
  const [a, b] = await Promise.all([near.accept(), connectQuic(far)]);
  assert(a !== null);
  a.addPipe(b);
  b.addPipe(a);
  const data = new Random(7).bytes(1_000_000);
  const hash = new Hash();
  const reading = (async () => {
    for await (const [chunk] of client) hash.update(chunk);
  })();
  await client.send(data);
  await client.closeWrite();
  await reading;
  assertEquals(hash.digest, digestOf(data));
  assertEquals((await Promise.all([a.closed, b.closed])).map(({ by }) => by), ["remote", "remote"]);
});

test("Deno's own client and server understand it", async () => {
  await using server = await serveQuic({ msgCb: echo });
  const conn = await foreignClient(server);
  const { readable, writable } = await conn.createBidirectionalStream();
  const writer = writable.getWriter();
  await writer.write(new TextEncoder().encode("hello"));
  const reader = readable.getReader();
  assertEquals((await reader.read()).value, new TextEncoder().encode("hello"));
  await writer.close();
  assertEquals((await reader.read()).done, true);
  conn.close();
  await conn.closed;
  conn.endpoint.close();

  const { endpoint, listener, dest } = foreignServer();
  const serving = listener.accept();
  const client = await pipeOpen(QUIC, { dest, conf: { useSsl: clientTls() } });
  await client.send("question");
  await client.closeWrite();
  for await (const stream of (await serving).incomingBidirectionalStreams) {
    await stream.readable.pipeTo(stream.writable);
    break;
  }
  assertEquals(await recvAll(client), "question");
  await client.close();
  endpoint.close();
});

test("idleTimeout ends a pipe, the others on its connection go on", async () => {
  await using pair = await quicPair({}, { conf: { useSsl: clientTls(), idleTimeout: 40 } });
  const { client, server } = pair;
  await using other = await pipeOpen(QUIC, { over: client });
  await other.send("?");
  const accepted = await server.accept();
  assert(accepted !== null);
  assertEquals((await client.closed).by, "idle");
  await other.send("!");
  assertEquals(await recvText(accepted, 2), "?!");
  await until(() => pair.accepted.stats.queued === 0, "nothing waits");
  await turns(1);
});
