import { assert, assertEquals, assertRejects } from "@std/assert";
import { pipeOpen, type PipeOptions, TCP, UDP } from "@p2pd/pipes";
import { faultProxy } from "@p2pd/pipes/testing";
import { relayUdp } from "../../../lib/testing/faults/relay.ts";
import { text, until } from "../../helpers/pipes.ts";
import { recvBytes, timed } from "./nets.ts";

const echo: PipeOptions & { dest?: never; sock?: never } = {
  route: "127.0.0.1:0",
  msgCb: async (msg, from, pipe) => void await pipe.send(msg, from),
  conf: { onError: () => {} },
};

/** Reads to the end, as somebody else's code would. */
async function readAll(conn: Deno.Conn): Promise<number> {
  let got = 0;
  const buffer = new Uint8Array(4096);
  for (let count; (count = await conn.read(buffer)) !== null;) got += count;
  return got;
}

Deno.test("proxy: somebody else's TCP through it, with latency either way", async () => {
  await using server = await pipeOpen(TCP, echo);
  await using proxy = await faultProxy(TCP, {
    dest: server.localAddr,
    upstream: { latency: 20, slicing: { size: 100 } },
    downstream: { latency: 20 },
  });
  const took = await timed(async () => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: proxy.addr.port });
    await conn.write(new Uint8Array(1000));
    await conn.closeWrite();
    assertEquals(await readAll(conn), 1000);
  });
  assert(took >= 40, `${took} ms`);
  const { upstream, downstream } = proxy.counts;
  assertEquals([upstream.bytes, upstream.passed, downstream.bytes], [1000, 10, 1000]);
});

Deno.test("proxy: a reset of the path is a reset to both sides", async () => {
  await using server = await pipeOpen(TCP, echo);
  await using proxy = await faultProxy(TCP, {
    dest: server.localAddr,
    downstream: { cut: { how: "reset", bytes: 10 } },
  });
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: proxy.addr.port });
  await conn.write(new Uint8Array(100));
  await assertRejects(() => readAll(conn), Deno.errors.ConnectionReset);
  await until(() => server.clients.size === 0, "the server sees it too");
  proxy.setFaults({});
  await using again = await pipeOpen(TCP, { dest: proxy.addr });
  await again.send("hello");
  assertEquals(await recvBytes(again, 5), 5);
  proxy.cut();
  assertEquals((await again.closed).by, "reset");
});

Deno.test("proxy: who comes while the server is not there is reset, by fault or in truth", async () => {
  const server = await pipeOpen(TCP, echo);
  await using proxy = await faultProxy(TCP, { dest: server.localAddr, down: true });
  const come = async () => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: proxy.addr.port });
    await readAll(conn);
  };
  await assertRejects(come, Deno.errors.ConnectionReset);
  proxy.setFaults({});
  await using client = await pipeOpen(TCP, { dest: proxy.addr });
  await client.send("hello");
  assertEquals(await recvBytes(client, 5), 5);
  await client.close();
  await server.close();
  await assertRejects(come, Deno.errors.ConnectionReset);
});

Deno.test("proxy: datagrams of several clients, each with answers of its own", async () => {
  await using server = await pipeOpen(UDP, echo);
  await using proxy = await faultProxy(UDP, {
    dest: server.localAddr,
    upstream: { loss: (data) => data[0] === 120 },
  });
  await using a = await pipeOpen(UDP, { dest: proxy.addr });
  await using b = await pipeOpen(UDP, { dest: proxy.addr });
  for (let i = 0; i < 20; i++) {
    await a.send(`a${i}`);
    await b.send(`b${i}`);
    await b.send("x is lost");
  }
  for (let i = 0; i < 20; i++) {
    assertEquals(text(await a.recv()), `a${i}`);
    assertEquals(text(await b.recv()), `b${i}`);
  }
  assertEquals(proxy.counts.upstream.lost, 20);
});

Deno.test("proxy: it forgets the client that was silent for longest", async () => {
  await using server = await pipeOpen(UDP, {
    route: "127.0.0.1:0",
    msgCb: async (_msg, from, pipe) => void await pipe.send(`${from.port}`, from),
  });
  const closing = new AbortController();
  const relay = await relayUdp({
    open: pipeOpen,
    dest: server.localAddr,
    route: "127.0.0.1:0",
    signal: closing.signal,
    maxClients: 2,
  });
  await using one = await pipeOpen(UDP, { dest: relay.addr });
  await using two = await pipeOpen(UDP, { dest: relay.addr });
  await using three = await pipeOpen(UDP, { dest: relay.addr });
  const portOf = async (pipe: typeof one) => text((await pipe.request("?"))[0]);
  const [first, second] = [await portOf(one), await portOf(two)];
  assertEquals(await portOf(one), first);
  await portOf(three);
  assertEquals(await portOf(one), first, "the one that was heard of last is kept");
  assert(await portOf(two) !== second, "the other one is new");
  closing.abort();
  await relay.done;
});

Deno.test("proxy: closing ends everything, with connections open and data under way", async () => {
  const server = await pipeOpen(TCP, echo);
  const proxy = await faultProxy(TCP, { dest: server.localAddr, upstream: { latency: 10_000 } });
  const client = await pipeOpen(TCP, { dest: proxy.addr });
  await client.send("under way");
  await until(() => server.clients.size === 1, "relayed");
  await Promise.all([proxy.close(), proxy.close()]);
  assertEquals((await client.closed).by, "reset");
  await server.close();
  const udp = await faultProxy(UDP, { dest: "127.0.0.1:9", upstream: { latency: 10_000 } });
  await using sender = await pipeOpen(UDP, { dest: udp.addr });
  await sender.send("under way");
  await udp.close();
});
