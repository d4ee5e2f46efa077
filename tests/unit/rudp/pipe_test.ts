/** `pipeOpen(RUDP)`: what a pipe of acknowledged datagrams does like others, and what not. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type Pipe,
  PipeClosedError,
  pipeOpen,
  type PipeOptions,
  PipeTimeoutError,
  RUDP,
  TCP,
  UDP,
} from "@p2pd/pipes";
import { memoryNetwork } from "@p2pd/pipes/testing";
import { latch, recvText, text, until } from "../../helpers/pipes.ts";
import { hasIPv6 } from "../../helpers/probes.ts";
import { settles } from "../../helpers/turns.ts";

const route = "127.0.0.1:0";

const serve = (options: PipeOptions = {}) => pipeOpen(RUDP, { route, ...options });
const connect = (server: Pipe, options: PipeOptions = {}) =>
  pipeOpen(RUDP, { dest: server.localAddr, ...options });

for (const host of ["127.0.0.1", "::1"]) {
  const ignore = host === "::1" && !hasIPv6;
  Deno.test(
    `rudp over ${host}: handlers, recv, request, loops and subscriptions`,
    { ignore },
    async () => {
      await using server = await serve({
        route: [host, 0],
        msgCb: (msg, from, pipe) => pipe.send(msg, from),
      });
      await using client = await connect(server);
      assertEquals([client.proto, client.role, server.role], [RUDP, "client", "server"]);
      assertEquals(await client.send("one"), 3);
      assertEquals(text(await client.recv()), "one");
      const [reply, from] = await client.request("two");
      assertEquals([text(reply), from], ["two", server.localAddr]);
      using odd = client.subscribe({ match: "odd" });
      await client.send("even");
      await client.send("odd");
      assertEquals(text(await odd.recv()), "odd");
      odd.close();
      await client.send("last");
      for await (const [msg] of client) {
        if (text(msg) === "last") break;
      }
    },
  );
}

Deno.test("rudp: a request is sent once, however long the reply takes", async () => {
  await using server = await serve();
  await using client = await connect(server);
  await assertRejects(() => client.request("hm?", { timeout: 200, retries: 5 }), PipeTimeoutError);
  await client.send("so what");
  assertEquals([text(await server.recv()), text(await server.recv())], ["hm?", "so what"]);
});

Deno.test("rudp: the echo loop of a server", async () => {
  const server = await serve();
  const serving = (async () => {
    for await (const [msg, from] of server) await server.send(msg, from);
  })();
  await using client = await connect(server);
  for (const word of ["a", "", "c"]) assertEquals(text((await client.request(word))[0]), word);
  await server.close();
  await serving;
});

Deno.test("rudp: an empty message is one, and so is the biggest; beyond is a RangeError naming QUIC", async () => {
  await using server = await serve({ msgCb: (msg, from, pipe) => pipe.send(msg, from) });
  await using client = await connect(server);
  for (const size of [0, 1, 1200, 65_498]) {
    const data = Uint8Array.from({ length: size }, (_, i) => i);
    assertEquals(await client.send(data), size);
    assertEquals(await client.recv(), data);
  }
  await assertRejects(() => client.send(new Uint8Array(65_499)), RangeError, "65499; QUIC");
  assertEquals(text((await client.request("fine"))[0]), "fine");
});

Deno.test("rudp: a reader that does not read makes senders wait, and nothing is dropped", async () => {
  await using server = await serve();
  await using client = await connect(server);
  const data = new Uint8Array(1000);
  let resolved = 0;
  const sends = Array.from({ length: 600 }, (_, i) => {
    const message = data.slice();
    new DataView(message.buffer).setUint32(0, i);
    return client.send(message).then(() => resolved++);
  });
  await until(() => resolved > 100, "the first acknowledgements");
  let before = -1;
  while (before !== resolved) {
    before = resolved;
    await settles(new Promise(() => {}), 60);
  }
  // 64 KiB unread in the pipe, 64 KiB below it.
  assert(resolved < 140, `${resolved} acknowledged although nobody reads`);
  const seen = new Set<number>();
  while (seen.size < 600) {
    const message = await server.recv();
    assert(message !== null);
    const index = new DataView(message.buffer, message.byteOffset).getUint32(0);
    assert(!seen.has(index), `${index} came twice`);
    seen.add(index);
  }
  await Promise.all(sends);
  assertEquals([server.stats.dropped, server.stats.messagesIn], [0, 600]);
});

Deno.test("rudp: slow handlers make senders wait as well", async () => {
  const go = latch();
  let begun = 0;
  await using server = await serve({
    conf: { maxQsize: 10 },
    msgCb: () => {
      begun++;
      return go.done;
    },
  });
  await using client = await connect(server);
  let resolved = 0;
  const sends = Array.from(
    { length: 500 },
    () => client.send(new Uint8Array(500)).then(() => resolved++),
  );
  await until(() => begun === 10, "as many handlers as there may be");
  await settles(new Promise(() => {}), 100);
  assertEquals(begun, 10);
  assert(resolved < 200, `${resolved} acknowledged although nothing is handled`);
  go.open();
  await Promise.all(sends);
  await until(() => begun === 500, "all to be handled");
  assertEquals(server.stats.dropped, 0);
});

Deno.test("rudp: messages of strangers and of those who are turned away are not acknowledged", async () => {
  await using server = await serve();
  await using client = await connect(server);
  await using stranger = await serve({ conf: { ackTimeout: 50 } });
  await assertRejects(() => stranger.send("psst", client.localAddr), PipeTimeoutError);
  assert(client.stats.strangers > 0);
  await using open = await connect(server, { conf: { anyPeer: true } });
  await stranger.send("psst", open.localAddr);
  assertEquals(text(await open.recv()), "psst");
  await using strict = await serve({ conf: { deny: ["127.0.0.0/8"] } });
  await assertRejects(() => stranger.send("x", strict.localAddr), PipeTimeoutError);
  assert(strict.stats.refused > 0);
});

Deno.test("rudp: a message that comes twice is delivered once, counted, and acknowledged again", async () => {
  const net = memoryNetwork({ upstream: { duplication: 1 } });
  await using server = await net.pipeOpen(RUDP, { route: "10.0.0.1:5" });
  await using client = await net.pipeOpen(RUDP, { dest: "10.0.0.1:5" });
  for (let i = 0; i < 50; i++) await client.send(`${i}`);
  await until(() => server.stats.duplicates === 50, "the second copies");
  assertEquals(server.stats.messagesIn, 50);
  for (let i = 0; i < 50; i++) assertEquals(text(await server.recv()), `${i}`);
  await assertRejects(() => server.recv(undefined, { timeout: 0 }), PipeTimeoutError);
});

Deno.test("rudp: with enableMsgIds an equal message is a duplicate, and acknowledged", async () => {
  await using server = await serve({ conf: { enableMsgIds: true } });
  await using client = await connect(server);
  for (const word of ["a", "a", "b"]) await client.send(word);
  assertEquals([text(await server.recv()), text(await server.recv())], ["a", "b"]);
  assertEquals(server.stats.duplicates, 1);
});

Deno.test("rudp: over a path that loses a tenth both ways everything arrives once", async () => {
  const net = memoryNetwork({ seed: 3 });
  const got = new Map<string, number>();
  await using server = await net.pipeOpen(RUDP, {
    route: "10.0.0.1:5",
    msgCb: (msg, from, pipe) => {
      const word = text(msg) ?? "";
      got.set(word, (got.get(word) ?? 0) + 1);
      if (word.startsWith("?")) return pipe.send(word, from);
    },
  });
  const clients = await Promise.all(
    Array.from({ length: 5 }, () => net.pipeOpen(RUDP, { dest: server.localAddr })),
  );
  const words: string[] = [];
  // Once each knows how long a round trip takes.
  await Promise.all(clients.map((client, c) => client.request(`?${c}`)));
  net.setFaults({ upstream: { loss: 0.1 }, downstream: { loss: 0.1 } });
  await Promise.all(clients.map(async (client, c) => {
    const mine = Array.from({ length: 20 }, (_, i) => `${c}.${i}`);
    words.push(`?${c}`, ...mine, `?${c}.`);
    await Promise.all(mine.map((word) => client.send(word)));
    const [reply] = await client.request(`?${c}.`, { timeout: 8000 });
    assertEquals(text(reply), `?${c}.`);
  }));
  net.setFaults({});
  assertEquals([...got.keys()].sort(), words.sort());
  assert([...got.values()].every((count) => count === 1));
  assert(net.counts.upstream.lost > 5);
  await Promise.all(clients.map((client) => client.close()));
});

Deno.test("rudp: a cut link is reported by every pending send, and the pipe goes on", async () => {
  const net = memoryNetwork();
  await using server = await net.pipeOpen(RUDP, { route: "10.0.0.1:5" });
  await using client = await net.pipeOpen(RUDP, {
    dest: "10.0.0.1:5",
    conf: { ackTimeout: 200 },
  });
  await client.send("before");
  net.setFaults({ upstream: { loss: 1 } });
  const sends = Array.from({ length: 200 }, (_, i) => client.send(`${i}`));
  for (const result of await Promise.allSettled(sends)) {
    assert(result.status === "rejected" && result.reason instanceof PipeTimeoutError);
    assertEquals(result.reason.addr, server.localAddr);
  }
  net.setFaults({});
  await client.send("after");
  assertEquals([text(await server.recv()), text(await server.recv())], ["before", "after"]);
});

Deno.test("rudp: linked with a stream both ways, every byte arrives in order", async () => {
  await using far = await pipeOpen(TCP, {
    route,
    msgCb: (msg, _from, pipe) => pipe.send(msg),
  });
  await using near = await serve();
  await using hop = await connect(near);
  await using out = await pipeOpen(TCP, { dest: far.localAddr });
  hop.addPipe(out);
  out.addPipe(hop);
  const words = Array.from({ length: 100 }, (_, i) => `${i},`);
  for (const word of words) await near.send(word, ["127.0.0.1", hop.localAddr.port]);
  assertEquals(await recvText(near, words.join("").length), words.join(""));
});

Deno.test("rudp: a peer that speaks UDP is not understood, and does no harm", async () => {
  await using server = await serve();
  await using plain = await pipeOpen(UDP, { dest: server.localAddr });
  for (const word of ["", "short", "0123456789 something longer"]) await plain.send(word);
  await using client = await connect(server);
  await client.send("hi");
  assertEquals(text(await server.recv()), "hi");
  assertEquals(server.stats.messagesIn, 1);
});

Deno.test("rudp: abort ends sends at once, and closing twice is closing", async () => {
  await using mute = await pipeOpen(UDP, { route });
  const client = await pipeOpen(RUDP, { dest: mute.localAddr });
  const sends = [client.send("a"), client.send("b")];
  client.abort(new Error("enough"));
  for (const sent of sends) await assertRejects(() => sent, PipeClosedError);
  await client.close();
  await assertRejects(() => client.send("c"), PipeClosedError);
});
