/** Unix sockets: streams on paths, and which file belongs to whom. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { formatAddr, pipeOpen, PipeOpenError, type ServerPipe, TCP } from "@p2pd/pipes";
import { TransportError } from "../../../lib/transport/error.ts";
import { bindPath } from "../../../lib/transport/unix_file.ts";
import { recvAll, recvText, text } from "../../helpers/pipes.ts";
import { clientTls, serverTls } from "../../helpers/tls.ts";
import {
  abstractName,
  deadSocket,
  exists,
  freePath,
  hasAbstract,
  hasPaths,
} from "../../helpers/unix.ts";

/** A test that has a path of its own. */
function unixTest(name: string, test: (path: string) => Promise<void>): void {
  Deno.test(`unix: ${name}`, { ignore: !hasPaths }, () => test(freePath()));
}

/** A stream server that answers with its name. */
function named(name: string, path: string): Promise<ServerPipe> {
  return pipeOpen(TCP, {
    route: { path },
    msgCb: (msg, _from, pipe) => pipe.send(`${name} ${text(msg)}`),
  });
}

/** What the server at a path calls itself. */
async function nameAt(path: string): Promise<string> {
  await using client = await pipeOpen(TCP, { dest: { path } });
  await client.send("?");
  return await recvText(client, 3);
}

/** Everything that a stream pipe does, between two ends of one machine. */
async function streams(path: string): Promise<void> {
  await using server = await named("A", path);
  const at = { transport: "tcp", hostname: path, port: 0, path } as const;
  assertEquals(server.localAddr, at);
  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  assertEquals(client.remoteAddr, at);
  assertEquals(client.localAddr, { ...at, hostname: "", path: "" });
  await client.send("hello");
  assertEquals(await recvText(client, 7), "A hello");
  assertEquals(await client.send(" to its path", { path }), 12);
  await recvText(client, 14);
  await client.closeWrite();
  assertEquals(await client.recv(), null);
  assertEquals(await client.closed.then(({ by }) => by), "remote");
}

unixTest("a stream server and its client", streams);
Deno.test("unix: an abstract name, which is no file", { ignore: !hasAbstract }, async () => {
  const path = abstractName();
  await streams(path);
  await using server = await named("A", path);
  const second = await assertRejects(() => named("B", path), PipeOpenError);
  assertEquals(second.phase, "bind");
  assertStringIncludes(second.message, `listen on @${path.slice(1)}`);
  assertEquals(server.stats.refused, 0);
});

unixTest("clients have no name, and each gets its own answer", async (path) => {
  await using server = await pipeOpen(TCP, { route: { path } });
  const serving = (async () => {
    for await (const [msg, from] of server) await server.send(`for ${text(msg)}`, from);
  })();
  const clients = await Promise.all(
    Array.from({ length: 20 }, () => pipeOpen(TCP, { dest: { path } })),
  );
  await Promise.all(clients.map((client, i) => client.send(`${i}`.padStart(2, "0"))));
  for (const [i, client] of clients.entries()) {
    assertEquals(await recvText(client, 6), `for ${String(i).padStart(2, "0")}`);
  }
  for (const client of server.clients) {
    assertEquals(client.remoteAddr?.path, "");
    assertEquals(formatAddr(client.remoteAddr ?? server.localAddr), "(unnamed)");
  }
  await Promise.all(clients.map((client) => client.close()));
  await server.close();
  await serving;
});

unixTest("an accepted pipe, half-close, and a link to TCP", async (path) => {
  await using target = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  await using server = await pipeOpen(TCP, { route: { path } });
  server.addUpCb(async (_, _from, pipe) => {
    const onward = await pipeOpen(TCP, { dest: target.localAddr });
    pipe.addPipe(onward);
    onward.addPipe(pipe);
  });
  await using client = await pipeOpen(TCP, { dest: { path } });
  await client.send("through both");
  await client.closeWrite();
  const pipe = await target.accept();
  assert(pipe !== null);
  assertEquals(await recvAll(pipe), "through both");
  await pipe.send("and back");
  await pipe.close();
  assertEquals(await recvAll(client), "and back");
});

unixTest("TLS on a path, by a name of the conf", async (path) => {
  await using server = await pipeOpen(TCP, {
    route: { path },
    msgCb: (msg, _from, pipe) => pipe.send(msg),
    conf: { useSsl: serverTls() },
  });
  const useSsl = clientTls({ serverName: "localhost" });
  await using client = await pipeOpen(TCP, { dest: server.localAddr, conf: { useSsl } });
  await client.send("secret");
  assertEquals(await recvText(client, 6), "secret");
  assertEquals(client.tls?.serverName, "localhost");
  const unnamed = () => pipeOpen(TCP, { dest: { path }, conf: { useSsl: clientTls() } });
  await assertRejects(unnamed, TypeError, "serverName");
});

unixTest("the file goes with its server", async (path) => {
  for (let round = 0; round < 3; round++) {
    const server = await named("A", path);
    assert(Deno.lstatSync(path).isSocket);
    if (round === 1) server.abort();
    await server.close();
    await server.closed;
    assert(!exists(path), `after round ${round}`);
  }
  const server = await named("A", path);
  Deno.removeSync(path);
  await server.close();
});

unixTest("a server leaves the file of the one that came after it", async (path) => {
  const old = await named("A", path);
  Deno.removeSync(path);
  await using successor = await named("B", path);
  assertEquals(await nameAt(path), "B ?");
  await old.close();
  assertEquals(await nameAt(path), "B ?");
  await successor.close();
  assert(!exists(path));
  const file = await named("C", path);
  Deno.removeSync(path);
  Deno.writeTextFileSync(path, "mine");
  await file.close();
  assertEquals(Deno.readTextFileSync(path), "mine");
  const left = [...Deno.readDirSync(path.slice(0, path.lastIndexOf("/")))]
    .map(({ name }) => `/${name}`).filter((name) =>
      path.endsWith(name.split(".sock")[0] + ".sock")
    );
  assertEquals(left.length, 1, `beside it: ${left}`);
});

unixTest("the file of a server that died is no hindrance", async (path) => {
  deadSocket(path);
  const gone = await assertRejects(() => pipeOpen(TCP, { dest: { path } }), PipeOpenError);
  assertEquals([gone.phase, gone.addr], ["connect", {
    transport: "tcp",
    hostname: path,
    port: 0,
    path,
  }]);
  assertInstanceOf(gone.cause, Deno.errors.ConnectionRefused);
  await using _server = await named("A", path);
  assertEquals(await nameAt(path), "A ?");
});

unixTest("of two that find the file of a dead server one gets the path", async (path) => {
  for (let round = 0; round < 5; round++) {
    deadSocket(path);
    const both = await Promise.allSettled([named("A", path), named("B", path)]);
    const won = both.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
    const lost = both.flatMap((one) => one.status === "rejected" ? [one.reason] : []);
    assertEquals([won.length, lost.length], [1, 1]);
    assertEquals(lost[0].phase, "bind");
    assertEquals(await nameAt(path), both[0].status === "fulfilled" ? "A ?" : "B ?");
    await won[0]?.close();
  }
});

unixTest("who comes while a dead server's file is looked at keeps the path", async (path) => {
  deadSocket(path);
  const listen = () => Deno.listen({ transport: "unix", path });
  const binding = bindPath(path, listen);
  // By now it has seen the file, and asks whether anybody is there.
  Deno.removeSync(path);
  const live = listen();
  const { cause } = await assertRejects(() => binding, TransportError);
  assertInstanceOf(cause, Deno.errors.AddrInUse);
  const [conn, accepted] = await Promise.all([
    Deno.connect({ transport: "unix", path }),
    live.accept(),
  ]);
  for (const open of [conn, accepted, live]) open.close();
});

unixTest("a live server's path is not taken, nor is a file", async (path) => {
  await using _server = await named("A", path);
  const live = await assertRejects(() => named("B", path), PipeOpenError);
  assertEquals(live.phase, "bind");
  assertInstanceOf(live.cause, Deno.errors.AddrInUse);
  assertStringIncludes(live.message, `Cannot listen on ${path}: `);
  assertStringIncludes(live.message, "somebody listens there");
  assertEquals(await nameAt(path), "A ?");

  const dir = `${path}.d`, file = `${path}.f`, link = `${path}.l`, toDead = `${path}.dead`;
  Deno.mkdirSync(dir);
  Deno.writeTextFileSync(file, "precious");
  deadSocket(toDead);
  Deno.symlinkSync(toDead, link);
  for (const taken of [dir, file, link]) {
    const error = await assertRejects(() => named("B", taken), PipeOpenError);
    assertEquals(error.phase, "bind");
    assertStringIncludes(error.message, "a file that is no socket is there");
    assert(exists(taken));
  }
  assertEquals(Deno.readTextFileSync(file), "precious");
  assert(exists(toDead));
});

unixTest("what cannot be opened says why", async (path) => {
  const missing = await assertRejects(() => pipeOpen(TCP, { dest: { path } }), PipeOpenError);
  assertEquals(missing.phase, "connect");
  assertInstanceOf(missing.cause, Deno.errors.NotFound);
  assertStringIncludes(missing.message, `Cannot connect to ${path}: `);
  const nowhere = await assertRejects(() => named("A", `${path}/no/where`), PipeOpenError);
  assertEquals(nowhere.phase, "bind");
  assertInstanceOf(nowhere.cause, Deno.errors.NotFound);
  const reason = new Error("not now");
  const signal = AbortSignal.abort(reason);
  for (const options of [{ dest: { path } }, { route: { path } }]) {
    assertStrictEquals(await assertRejects(() => pipeOpen(TCP, { ...options, signal })), reason);
  }
  assert(!exists(path));
});

unixTest("a full backlog is waited for, as long as conTimeout or the signal says", async (path) => {
  const listener = Deno.listen({ transport: "unix", path });
  const waiting: Deno.UnixConn[] = [];
  try {
    for (;;) waiting.push(await Deno.connect({ transport: "unix", path }));
  } catch (error) {
    assertInstanceOf(error, Deno.errors.WouldBlock);
  }
  const late = await assertRejects(
    () => pipeOpen(TCP, { dest: { path }, conf: { conTimeout: 50 } }),
    PipeOpenError,
    "50 ms",
  );
  assertEquals(late.phase, "connect");
  const controller = new AbortController();
  const opening = pipeOpen(TCP, { dest: { path }, signal: controller.signal });
  controller.abort("enough");
  assertEquals(await opening.catch((reason) => reason), "enough");
  const patient = pipeOpen(TCP, { dest: { path }, conf: { conTimeout: Infinity } });
  (await listener.accept()).close();
  await (await patient).close();
  for (const conn of waiting) conn.close();
  listener.close();
});

Deno.test({
  name: "unix: the flags that are missing are named, and nobody is asked",
  permissions: { net: true },
  ignore: Deno.build.os === "windows" || !hasAbstract,
  async fn() {
    const path = "/tmp/pipes test";
    for (const options of [{ dest: { path } }, { route: { path } }]) {
      const error = await assertRejects(() => pipeOpen(TCP, options), PipeOpenError);
      assertEquals(error.phase, "permission");
      assertInstanceOf(error.cause, Deno.errors.NotCapable);
      const flags = `--allow-read=${path} --allow-write=${path}`;
      assertStringIncludes(error.message, ` ${path}: run with ${flags} to use this Unix socket`);
    }
  },
});

Deno.test({
  name: "unix: the flag for the network is one of them",
  permissions: { read: true, write: true },
  ignore: !hasPaths,
  async fn() {
    const path = "/tmp/pipes";
    const error = await assertRejects(() => pipeOpen(TCP, { dest: { path } }), PipeOpenError);
    assertEquals(error.phase, "permission");
    assertStringIncludes(error.message, `run with --allow-net=unix:${path} to`);
    const abstract = () => pipeOpen(TCP, { dest: { path: "\0pipes" } });
    await assertRejects(abstract, PipeOpenError, "run with --allow-net to");
  },
});
