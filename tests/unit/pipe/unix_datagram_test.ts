/** UDP pipes on Unix paths. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Pipe, PipeClosedError, PipeError, pipeOpen, PipeOpenError } from "@p2pd/pipes";
import { type PipeOptions, PipeStateError, UDP } from "@p2pd/pipes";
import { hasDenoUdp } from "../../helpers/probes.ts";
import { text, until } from "../../helpers/pipes.ts";
import { settles } from "../../helpers/turns.ts";

const granted = (["read", "write"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);
const ignore = Deno.build.os === "windows" || !hasDenoUdp || !granted;

/** A test with a directory of its own, in which nothing may stay behind. */
function test(name: string, fn: (at: (file: string) => { path: string }) => Promise<void>): void {
  Deno.test({
    name: `unix datagrams: ${name}`,
    ignore,
    async fn() {
      const dir = await Deno.makeTempDir({ prefix: "pipes" });
      try {
        await fn((file) => ({ path: `${dir}/${file}` }));
        assertEquals(Array.from(Deno.readDirSync(dir), (entry) => entry.name), []);
      } finally {
        await Deno.remove(dir, { recursive: true });
      }
    },
  });
}

const open = (route: { path: string }, options: PipeOptions = {}) =>
  pipeOpen(UDP, { route, ...options });
const echo: PipeOptions = { msgCb: (msg, from, pipe) => pipe.send(msg, from) };
const addr = ({ path }: { path: string }) =>
  ({ transport: "udp", hostname: path, port: 0, path }) as const;

test("a client and a server, empty and large ones included", async (at) => {
  await using server = await open(at("server"), echo);
  await using client = await open(at("client"), { dest: server.localAddr });
  assertEquals(server.localAddr, addr(at("server")));
  assertEquals([client.localAddr, client.remoteAddr], [addr(at("client")), server.localAddr]);
  const [reply, from] = await client.request("hello");
  assertEquals([text(reply), from], ["hello", server.localAddr]);
  for (const size of [0, 1, 16_384, 65_507]) {
    const data = Uint8Array.from({ length: size }, (_, i) => i);
    await client.send(data);
    assertEquals(await client.recv(), data);
  }
});

test("several clients at once, each with a few questions under way", async (at) => {
  await using server = await open(at("server"), echo);
  await Promise.all(["a", "b", "c"].map(async (name) => {
    await using client = await open(at(name), { dest: at("server") });
    for (let i = 0; i < 100; i++) {
      const sent = Array.from({ length: 3 }, (_, j) => client.send(`${i}.${j}`));
      for (let j = 0; j < 3; j++) assertEquals(text(await client.recv()), `${i}.${j}`);
      await Promise.all(sent);
    }
  }));
  assertEquals(server.stats.messagesIn, 900);
});

test("one way as fast as it goes: in order, none lost, at the pace of the reader", async (at) => {
  await using server = await open(at("server"));
  await using client = await open(at("client"), { dest: at("server") });
  const sends = Promise.all(Array.from({ length: 2000 }, (_, i) => client.send(String(i))));
  for (let i = 0; i < 2000; i++) assertEquals(text(await server.recv()), String(i));
  await sends;
});

test("two that send to each other at once do not wait for each other", async (at) => {
  await using a = await open(at("a"), { dest: at("b") });
  await using b = await open(at("b"), { dest: at("a") });
  const flood = async (pipe: Pipe) => {
    for (let i = 0; i < 300; i++) await pipe.send("x");
  };
  await Promise.all([flood(a), flood(b)]);
  const both = () => a.stats.messagesIn === 300 && b.stats.messagesIn === 300;
  await until(both, "all on both sides");
});

test("a client hears its peer alone, and strangers are counted", async (at) => {
  await using server = await open(at("server"));
  await using client = await open(at("client"), { dest: at("server") });
  await using other = await open(at("other"));
  await other.send("psst", at("client"));
  await other.send("psst", client.localAddr);
  await server.send("hello", at("client"));
  assertEquals(text(await client.recv()), "hello");
  assertEquals(client.stats.strangers, 2);
});

test("nobody at the path: the send fails, and the pipe goes on", async (at) => {
  await using pipe = await open(at("pipe"));
  await assertRejects(() => pipe.send("x", at("none")), PipeError, "No such file");
  const gone = Deno.listenDatagram({ transport: "unixpacket", path: at("gone").path });
  gone.close(); // and leaves its file
  await assertRejects(() => pipe.send("x", at("gone")), PipeError, "refused");
  await Deno.remove(at("gone").path);
  await pipe.send("to myself", pipe.localAddr);
  assertEquals(text(await pipe.recv()), "to myself");
});

test("IP addresses and paths do not reach each other", async (at) => {
  await using unix = await open(at("unix"));
  await using udp = await pipeOpen(UDP, { route: "127.0.0.1:0" });
  await assertRejects(() => unix.send("x", udp.localAddr), PipeStateError, "no Unix socket");
  await assertRejects(() => unix.send("x", "localhost:9"), PipeStateError, "no Unix socket");
  await assertRejects(() => udp.send("x", unix.localAddr), PipeStateError, "a Unix socket");
  await assertRejects(() => unix.send("x", { path: "" }), TypeError, "empty");
});

test("a receiver that does not read makes a send wait; abort ends that", async (at) => {
  const lazy = Deno.listenDatagram({ transport: "unixpacket", path: at("lazy").path });
  const pipe = await open(at("pipe"), { dest: at("lazy") });
  const sends: Promise<number>[] = [];
  do sends.push(pipe.send("x")); while (sends.length < 1000 && await settles(sends.at(-1)!, 50));
  assert(sends.length < 1000, "it took all");
  pipe.abort("enough");
  await assertRejects(() => sends.at(-1)!, PipeClosedError);
  await pipe.close();
  // The system's call ends with its receiver.
  lazy.close();
  await Deno.remove(at("lazy").path);
});

test("close sends what was given, once there is room", async (at) => {
  const slow = Deno.listenDatagram({ transport: "unixpacket", path: at("slow").path });
  const pipe = await open(at("pipe"), { dest: at("slow") });
  const sends = Array.from({ length: 40 }, (_, i) => pipe.send(String(i)));
  const closing = pipe.close();
  for (let i = 0; i < 40; i++) assertEquals(text((await slow.receive())[0]), String(i));
  await Promise.all([...sends, closing]);
  slow.close();
  await Deno.remove(at("slow").path);
});

test("a path has one owner; what a dead one left is replaced; other files are not", async (at) => {
  await using owner = await open(at("taken"), echo);
  const error = await assertRejects(() => open(at("taken")), PipeOpenError, "somebody listens");
  assertEquals(error.phase, "bind");
  await using client = await open(at("client"), { dest: owner.localAddr });
  assertEquals(text((await client.request("still there?"))[0]), "still there?");

  Deno.listenDatagram({ transport: "unixpacket", path: at("stale").path }).close();
  await using heir = await open(at("stale"));
  assertEquals(heir.localAddr, addr(at("stale")));

  await Deno.writeTextFile(at("file").path, "mine");
  await assertRejects(() => open(at("file")), PipeOpenError, "no socket");
  assertEquals(await Deno.readTextFile(at("file").path), "mine");
  await Deno.remove(at("file").path);
});

test("a file that has come to its path is not removed with it", async (at) => {
  const pipe = await open(at("pipe"));
  await Deno.remove(at("pipe").path);
  await Deno.writeTextFile(at("pipe").path, "mine");
  await pipe.close();
  assertEquals(await Deno.readTextFile(at("pipe").path), "mine");
  await Deno.remove(at("pipe").path);
});

test("an adopted socket, which keeps its file", async (at) => {
  const { path } = at("adopted");
  const sock = Deno.listenDatagram({ transport: "unixpacket", path });
  await using pipe = await pipeOpen(UDP, { sock, ...echo });
  await using client = await open(at("client"), { dest: pipe.localAddr });
  assertEquals(text((await client.request("hello"))[0]), "hello");
  await pipe.close();
  await Deno.remove(path);
});
