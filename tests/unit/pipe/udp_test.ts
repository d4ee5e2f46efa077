import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  type MsgCb,
  type Pipe,
  PipeClosedError,
  PipeError,
  pipeOpen,
  PipeStateError,
  PipeTimeoutError,
  RUDP,
  UDP,
} from "@p2pd/pipes";
import { mayReadInterfaces } from "../../../lib/netif/source.ts";
import { freePort, KINDS, latch, text, until } from "../../helpers/pipes.ts";

const route = "127.0.0.1:0";
const noIPv6 = KINDS[3]?.ignore !== false;
const udpServer = (options = {}) => pipeOpen(UDP, { route, ...options });

Deno.test("udp: a datagram is one message, the empty one and the biggest included", async () => {
  await using server = await udpServer({
    msgCb: (m: Uint8Array, f: never, p: Pipe) => p.send(m, f),
  });
  await using client = await pipeOpen(UDP, { dest: server.localAddr });
  for (const size of [0, 1, 1400, 65507]) {
    const data = Uint8Array.from({ length: size }, (_, i) => i);
    assertEquals(await client.send(data), size);
    assertEquals(await client.recv(), data);
  }
});

Deno.test("udp: more than 65,507 bytes are a RangeError, and the pipe goes on", async () => {
  await using server = await udpServer();
  await using client = await pipeOpen(UDP, { dest: server.localAddr });
  await assertRejects(() => client.send(new Uint8Array(65508)), RangeError, "65508");
  await client.send("fine");
  assertEquals(text(await server.recv()), "fine");
});

Deno.test("udp: a client hears its peer alone, unless anyPeer says otherwise", async () => {
  await using server = await udpServer();
  await using stranger = await udpServer();
  for (const anyPeer of [false, true]) {
    await using client = await pipeOpen(UDP, {
      dest: server.localAddr,
      route,
      conf: { anyPeer },
    });
    await stranger.send("psst", client.localAddr);
    await server.send("hello", client.localAddr);
    const words = [text(await client.recv())];
    if (anyPeer) words.push(text(await client.recv()));
    assertEquals(words.sort(), anyPeer ? ["hello", "psst"] : ["hello"]);
    assertEquals(client.stats.strangers, anyPeer ? 0 : 1);
  }
});

Deno.test("udp: a peer that is not there does not end the pipe", async () => {
  await using client = await pipeOpen(UDP, { dest: ["127.0.0.1", freePort()], route });
  for (let i = 0; i < 3; i++) await client.send("anybody?").catch(() => {});
  await assertRejects(() => client.recv(undefined, { timeout: 20 }), PipeTimeoutError);
  await using other = await pipeOpen(UDP, {
    dest: client.localAddr,
    route: client.remoteAddr && [client.remoteAddr.hostname, client.remoteAddr.port],
  });
  await other.send("here now");
  assertEquals(text(await client.recv()), "here now");
});

Deno.test("udp: dest by name, and families that do not fit", async () => {
  await using server = await udpServer();
  await using sender = await udpServer();
  await sender.send("by name", ["localhost", server.localAddr.port]);
  assertEquals(text(await server.recv()), "by name");
  await assertRejects(() => sender.send("x", "[::1]:9"), PipeStateError, "IPv6");
  if (!noIPv6) {
    await using six = await pipeOpen(UDP, { route: "[::1]:0" });
    await assertRejects(() => six.send("x", "127.0.0.1:9"), PipeStateError, "IPv4");
  }
});

Deno.test("udp: the localAddr of a server for all addresses is one to ask", async () => {
  const msgCb: MsgCb = (msg, from, pipe) => pipe.send(msg, from);
  for (const proto of [UDP, RUDP]) {
    for (const route of ["0.0.0.0:0", ...noIPv6 ? [] : ["[::]:0"]]) {
      await using server = await pipeOpen(proto, { route, msgCb });
      await using asker = await pipeOpen(proto, { route });
      const [reply, from] = await asker.request("x", { dest: server.localAddr, timeout: 1000 });
      assertEquals([text(reply), from.port], ["x", server.localAddr.port]);
    }
  }
});

const card = (mayReadInterfaces() ? Deno.networkInterfaces() : [])
  .find(({ family, address }) => family === "IPv4" && !address.startsWith("127."))?.address;

Deno.test({
  name: "udp: the same from the address of a card",
  ignore: card === undefined,
  fn: async () => {
    for (const proto of [UDP, RUDP]) {
      await using server = await pipeOpen(proto, {
        msgCb: (msg, from, pipe) => pipe.send(msg, from),
      });
      const dest = server.localAddr, route = `${card}:0`;
      await using client = await pipeOpen(proto, { dest, route });
      await using asker = await pipeOpen(proto, { route });
      assertEquals(text((await client.request("x", { timeout: 1000 }))[0]), "x");
      assertEquals(text((await asker.request("y", { dest, timeout: 1000 }))[0]), "y");
    }
  },
});

Deno.test({
  name: "udp: a receiver that the process may not send to names the flag, and the pipe goes on",
  permissions: { net: ["127.0.0.1"] },
  fn: async () => {
    await using server = await udpServer();
    await using sender = await udpServer();
    for (const dest of ["127.0.0.9:7", ["127.0.0.9", 7]] as const) {
      const error = await assertRejects(() => sender.send("x", dest), PipeError, "127.0.0.9:7");
      assert(error.message.includes("--allow-net"), error.message);
      assertInstanceOf(error.cause, Deno.errors.NotCapable);
    }
    await sender.send("fine", server.localAddr);
    assertEquals(text(await server.recv()), "fine");
  },
});

Deno.test("udp: broadcast only when conf says so", async () => {
  await using pipe = await pipeOpen(UDP);
  const error = await assertRejects(() => pipe.send("x", "255.255.255.255:9"), PipeStateError);
  assert(error.message.includes("conf.broadcast"));
});

Deno.test("udp: nobody reads: bounded by 2 MiB, the oldest dropped", async () => {
  await using server = await udpServer();
  await using client = await pipeOpen(UDP, { dest: server.localAddr });
  for (let i = 0; i < 80; i++) {
    await client.send(new Uint8Array(50_000).fill(i));
    // One at a time, so that the system's own buffer loses none.
    await until(() => server.stats.messagesIn === i + 1, "arrival");
  }
  const { queued, dropped } = server.stats;
  assertEquals(queued, Math.floor(2 * 1024 * 1024 / 50_000));
  assertEquals(dropped, 80 - queued);
  assertEquals((await server.recv())?.[0], dropped);
});

Deno.test("udp: handlers start in order and may overlap; too many are bounded", async () => {
  const started: string[] = [];
  const gate = latch();
  await using server = await udpServer({
    conf: { maxQsize: 2 },
    msgCb: async (msg: Uint8Array) => {
      started.push(String(text(msg)));
      await gate.done;
    },
  });
  await using client = await pipeOpen(UDP, { dest: server.localAddr });
  for (const word of ["1", "2", "3", "4", "5"]) await client.send(word);
  await until(() => server.stats.messagesIn === 5, "all five");
  assertEquals(started, ["1", "2"]);
  assertEquals([server.stats.queued, server.stats.dropped], [2, 1]);
  gate.open();
  await until(() => started.length === 4, "the rest");
  assertEquals(started, ["1", "2", "4", "5"]);
});

Deno.test("udp: request sends again on silence, the waits doubling, and gives up in time", async () => {
  const times: number[] = [];
  await using server = await udpServer({
    msgCb: (_m: Uint8Array, from: never, pipe: Pipe) => {
      times.push(performance.now());
      if (times.length === 3) return pipe.send("at last", from);
    },
  });
  await using client = await pipeOpen(UDP, { dest: server.localAddr });
  const [reply, from] = await client.request("?", { timeout: 700, retries: 2 });
  assertEquals([text(reply), from], ["at last", server.localAddr]);
  const [a = 0, b = 0, c = 0] = times;
  assert(b - a > 80 && c - b > 160 && c - b < 500, `waits of ${b - a} and ${c - b} ms`);
  const start = performance.now();
  await assertRejects(
    () => client.request("?", { timeout: 60, retries: 1 }),
    PipeTimeoutError,
    "60 ms (sent twice)",
  );
  assert(performance.now() - start < 400);
  assertEquals(times.length, 5);
});

Deno.test("udp: request takes the reply that matches and leaves the rest to the others", async () => {
  await using server = await udpServer({
    msgCb: async (msg: Uint8Array, from: never, pipe: Pipe) => {
      await pipe.send("news", from);
      await pipe.send(`re: ${text(msg)}`, from);
    },
  });
  await using client = await pipeOpen(UDP, { dest: server.localAddr });
  const [a, b] = await Promise.all([
    client.request("a", { match: "re: a" }),
    client.request("b", { match: /^re: b$/ }),
  ]);
  assertEquals([text(a[0]), text(b[0])], ["re: a", "re: b"]);
  assertEquals([text(await client.recv()), text(await client.recv())], ["news", "news"]);
  assertEquals(client.stats.queued, 0);
});

Deno.test("udp: request ends with its signal, with the pipe, and on a wrong call", async () => {
  await using server = await udpServer();
  const client = await pipeOpen(UDP, { dest: server.localAddr });
  const controller = new AbortController();
  const asked = client.request("x", { signal: controller.signal, timeout: Infinity });
  controller.abort("enough");
  assertEquals(await asked.catch((reason) => reason), "enough");
  await assertRejects(() => client.request("x", { timeout: -1 }), RangeError, "timeout");
  await assertRejects(() => client.request("x", { retries: 0.5 }), RangeError, "retries");
  // @ts-expect-error no pattern
  await assertRejects(() => client.request("x", { match: 5 }), TypeError, "match");
  const last = assertRejects(
    () => client.request("x", { timeout: Infinity }),
    PipeClosedError,
  );
  await until(() => client.stats.messagesOut === 2, "the question");
  await client.close();
  await last;
});
