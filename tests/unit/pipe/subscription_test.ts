import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type Pipe, pipeOpen, PipeStateError, SUB_ALL, TCP, UDP } from "@p2pd/pipes";
import { text, until } from "../../helpers/pipes.ts";

const route = "127.0.0.1:0";
const udpServer = () => pipeOpen(UDP, { route });
const udpClient = (server: Pipe) => pipeOpen(UDP, { dest: server.localAddr });

Deno.test("subscription: by pattern, each message to every one that matches", async () => {
  await using server = await udpServer();
  await using client = await udpClient(server);
  const hello = server.subscribe({ match: /^hello/ });
  const world = server.subscribe({ match: "world" });
  for (const word of ["hello", "hello world", "world", "neither"]) await client.send(word);
  await until(() => server.stats.messagesIn === 4, "all four");
  assertEquals([hello.size, world.size], [2, 2]);
  assertEquals([text(await hello.recv()), text(await hello.recv())], ["hello", "hello world"]);
  assertEquals([text(await server.recv({ match: "world" }))], ["hello world"]);
  assertEquals(text((await world.recvFrom())?.[0]), "world");
});

Deno.test("subscription: by peer, any spelling, with and without the port", async () => {
  await using server = await udpServer();
  await using a = await udpClient(server);
  await using b = await udpClient(server);
  const one = server.subscribe({ from: ["::ffff:127.0.0.1", a.localAddr.port] });
  const any = server.subscribe({ from: "127.0.0.1:0" });
  const other = server.subscribe({ from: "127.0.0.2:0" });
  await a.send("a");
  await b.send("b");
  await until(() => any.size === 2, "both");
  assertEquals([one.size, other.size], [1, 0]);
  assertEquals(text(await one.recv()), "a");
});

Deno.test("subscription: on a TCP server, for the connections of one address", async () => {
  await using server = await pipeOpen(TCP, { route });
  await using a = await pipeOpen(TCP, { dest: server.localAddr });
  await using b = await pipeOpen(TCP, { dest: server.localAddr });
  const sub = server.subscribe({ from: a.localAddr });
  await b.send("b");
  await a.send("a");
  assertEquals(await sub.recvFrom(), [new Uint8Array([97]), a.localAddr]);
  assertEquals(sub.size, 0);
});

Deno.test("subscription: with a handler", async () => {
  await using server = await udpServer();
  await using client = await udpClient(server);
  const got: string[] = [];
  const sub = server.subscribe({ match: "!" }, (msg) => got.push(String(text(msg))));
  for (const word of ["a!", "b", "c!"]) await client.send(word);
  await until(() => server.stats.messagesIn === 3, "all three");
  assertEquals(got, ["a!", "c!"]);
  server.unsubscribe(sub);
  await client.send("d!");
  assertEquals(text(await server.recv()), "d!");
  assertEquals(got.length, 2);
});

Deno.test("subscription: leaving its loop unsubscribes", async () => {
  await using server = await udpServer();
  await using client = await udpClient(server);
  const sub = { match: "x" };
  await client.send("x1");
  for await (const [msg] of server.subscribe(sub)) {
    assertEquals(text(msg), "x1");
    break;
  }
  await assertRejects(() => server.recv(sub), PipeStateError, "subscribe");
  {
    using _ = server.subscribe(sub);
    await client.send("x2");
    assertEquals(text(await server.recv({ match: "x" })), "x2");
  }
  await assertRejects(() => server.recv(sub), PipeStateError);
});

Deno.test("subscription: unsubscribe by an equal filter, IPv6 too", async () => {
  await using server = await udpServer();
  for (const sub of [{ match: /a/ }, { from: "[::1]:0" }, SUB_ALL] as const) {
    const subscription = server.subscribe(sub);
    server.unsubscribe({ ...sub });
    assertEquals(await subscription.recv(), null);
  }
  await assertRejects(() => server.recv({ from: ["0::1", 0] }), PipeStateError);
});

Deno.test("subscription: a filter that throws is reported and does not match", async () => {
  const errors: unknown[] = [];
  await using server = await pipeOpen(UDP, { route, conf: { onError: (e) => errors.push(e) } });
  await using client = await udpClient(server);
  const bad = server.subscribe({
    match: () => {
      throw new Error("mine");
    },
  });
  const all = server.subscribe();
  await client.send("x");
  assertEquals(text(await all.recv()), "x");
  assertEquals([bad.size, errors.length], [0, 1]);
});

Deno.test("subscription: one that nobody reads drops the oldest datagrams and counts them", async () => {
  await using server = await pipeOpen(UDP, { route, conf: { maxQsize: 3 } });
  await using client = await udpClient(server);
  const sub = server.subscribe();
  for (const word of ["1", "2", "3", "4", "5"]) await client.send(word);
  await until(() => server.stats.messagesIn === 5, "all five");
  assertEquals([sub.size, sub.dropped, server.stats.dropped, server.stats.queued], [3, 2, 2, 3]);
  assertEquals(text(await sub.recv()), "3");
});

Deno.test("subscription: a pattern on a byte stream is refused, by peer it is not", async () => {
  await using server = await pipeOpen(TCP, { route });
  assertThrows(() => server.subscribe({ match: /x/ }), PipeStateError, "conf.framing");
  server.subscribe({ from: "127.0.0.1:0" }).close();
  await using raw = await pipeOpen(TCP, { route, conf: { framing: "raw" } });
  await using client = await pipeOpen(TCP, { dest: raw.localAddr });
  const sub = raw.subscribe({ match: "x" });
  await client.send("an x");
  assertEquals(text(await sub.recv()), "an x");
});

Deno.test("subscription: the first to come gets what it matches of what was held", async () => {
  await using server = await udpServer();
  await using client = await udpClient(server);
  for (const word of ["a1", "b1", "a2"]) await client.send(word);
  await until(() => server.stats.queued === 3, "all three");
  const a = server.subscribe({ match: "a" });
  const b = server.subscribe({ match: "b" });
  assertEquals([a.size, b.size], [2, 1]);
  assertEquals(text(await b.recv()), "b1");
});
