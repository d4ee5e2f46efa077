/** pipe.startTls(): when it is refused, and how it fails. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  PipeClosedError,
  pipeOpen,
  PipeOpenError,
  PipeStateError,
  PipeTimeoutError,
  TCP,
  UDP,
} from "@p2pd/pipes";
import { recvText, until } from "../../helpers/pipes.ts";
import {
  accept,
  clientTls,
  drain,
  plainPair,
  serverTls,
  tlsPair,
  upgrade,
} from "../../helpers/tls.ts";

const route = "127.0.0.1:0";

Deno.test("startTls: refused where something unread came unprotected; it stays", async () => {
  await using pair = await plainPair();
  await pair.accepted.send("220 go ahead\r\nand an injected line");
  await until(() => pair.client.stats.queued > 0, "arrival");
  await assertRejects(() => pair.client.startTls(clientTls()), PipeStateError);
  assertEquals(pair.client.tls, undefined);
  assertEquals(await recvText(pair.client, 34), "220 go ahead\r\nand an injected line");
  // The pipe is as it was, and can be upgraded now.
  const [info] = await upgrade(pair.client, pair.accepted);
  assertEquals(info.authorized, true);
});

Deno.test("startTls: a queue that holds something unread counts, too", async () => {
  await using pair = await plainPair();
  using queue = pair.client.subscribe();
  await pair.accepted.send("unread");
  await until(() => queue.size > 0, "arrival");
  await assertRejects(() => pair.client.startTls(clientTls()), PipeStateError);
  await queue.recv();
  await upgrade(pair.client, pair.accepted);
  await pair.accepted.send("safe");
  assertEquals((await queue.recv())?.length, 4);
});

Deno.test("startTls: once only, and not in parallel", async () => {
  await using pair = await plainPair();
  const serving = pair.accepted.startTls(serverTls());
  const starting = pair.client.startTls(clientTls());
  await assertRejects(() => pair.client.startTls(clientTls()), PipeStateError);
  await Promise.all([serving, starting]);
  for (const [pipe, tls] of [[pair.client, clientTls()], [pair.accepted, serverTls()]] as const) {
    await assertRejects(() => pipe.startTls(tls), PipeStateError);
  }
  await pair.client.send("unharmed");
  assertEquals(await recvText(pair.accepted, 8), "unharmed");
});

Deno.test("startTls: not where there is TLS, no stream, no connection, or no more", async () => {
  await using tls = await tlsPair();
  await using udp = await pipeOpen(UDP, { dest: "127.0.0.1:9" });
  await using server = await pipeOpen(TCP, { route });
  const closed = await pipeOpen(TCP, { dest: server.localAddr });
  await closed.close();
  for (const pipe of [tls.client, tls.accepted, udp, server]) {
    await assertRejects(() => pipe.startTls(serverTls()), PipeStateError);
  }
  const error = await assertRejects(() => closed.startTls());
  assert(error instanceof PipeStateError || error instanceof PipeClosedError, `${error}`);
});

Deno.test("startTls: a connection that was adopted has no name to verify but serverName", async () => {
  await using server = await pipeOpen(TCP, { route });
  const { port } = server.localAddr;
  const sock = await Deno.connect({ hostname: "127.0.0.1", port });
  await using client = await pipeOpen(TCP, { sock });
  await using accepted = await accept(server);
  const serving = accepted.startTls(serverTls());
  await assertRejects(() => client.startTls(clientTls()), TypeError, "serverName");
  const info = await client.startTls(clientTls({ serverName: "localhost" }));
  assertEquals([info.serverName, (await serving).serverName], ["localhost", "localhost"]);
});

Deno.test("startTls: wrong arguments are named, and do no harm", async () => {
  await using pair = await plainPair();
  // deno-lint-ignore no-explicit-any
  const wrong: [tls: any, message: string][] = [
    [false, "tls"],
    ["yes", "tls"],
    [null, "tls"],
    [{ certs: "x" }, '"certs"'],
    [{ caCerts: "x" }, "tls.caCerts"],
    [{ cert: "x" }, "tls.key"],
  ];
  for (const [tls, message] of wrong) {
    await assertRejects(() => pair.client.startTls(tls), TypeError, message);
  }
  for (const tls of [true, {}, clientTls()] as const) {
    await assertRejects(() => pair.accepted.startTls(tls), TypeError, "cert");
  }
  await upgrade(pair.client, pair.accepted);
});

Deno.test("startTls: a peer that answers no TLS closes the pipe", async () => {
  await using pair = await plainPair();
  pair.accepted.addMsgCb((_msg, _from, pipe) => pipe.send("500 what?\r\n"));
  const sending = { later: Promise.resolve() };
  const starting = pair.client.startTls(clientTls());
  sending.later = assertRejects(() => pair.client.send("secret"), PipeClosedError).then(() => {});
  const error = await assertRejects(() => starting, PipeOpenError);
  assertEquals(error.phase, "tls");
  assertInstanceOf(error.cause, Error);
  await sending.later;
  assertEquals((await pair.client.closed).by, "error");
  await assertRejects(() => pair.client.send("x"), PipeClosedError);
  assert(!pair.seen().includes("secret"));
});

Deno.test("startTls: sslHandshake bounds it, on either side", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const conf = { sslHandshake: 200 };
  await using client = await pipeOpen(TCP, { dest: listener.addr, conf });
  using silent = await listener.accept();
  await using server = await pipeOpen(TCP, { route, conf });
  using mute = await Deno.connect({ hostname: "127.0.0.1", port: server.localAddr.port });
  const accepted = await accept(server);
  for (const [pipe, tls] of [[client, clientTls()], [accepted, serverTls()]] as const) {
    const start = performance.now();
    const error = await assertRejects(() => pipe.startTls(tls), PipeOpenError, "200 ms");
    const took = performance.now() - start;
    assert(took > 150 && took < 3000, `${took} ms`);
    assertEquals(error.phase, "tls");
    assertInstanceOf(error.cause, PipeTimeoutError);
    assertEquals((await pipe.closed).by, "error");
  }
  await drain(silent);
  await drain(mute);
});

Deno.test("startTls: abort ends it", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using client = await pipeOpen(TCP, { dest: listener.addr });
  using silent = await listener.accept();
  const starting = assertRejects(() => client.startTls(clientTls()));
  await silent.read(new Uint8Array(1));
  const reason = new Error("enough");
  client.abort(reason);
  await starting;
  assertEquals(await client.closed, { by: "local", error: reason });
  await drain(silent);
});
