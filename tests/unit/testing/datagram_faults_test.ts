import { assert, assertEquals, assertRejects } from "@std/assert";
import { PipeClosedError, UDP } from "@p2pd/pipes";
import { type Faults, memoryNetwork } from "@p2pd/pipes/testing";
import { until } from "../../helpers/pipes.ts";
import { onEachNet, recvNumbers, timed, udpEnds } from "./nets.ts";

const bytes = (...values: number[]) => new Uint8Array(values);

onEachNet("UDP: without faults nothing is lost, late or counted as such", {}, async (net) => {
  await using ends = await udpEnds(net);
  for (let i = 0; i < 100; i++) await ends.client.send(bytes(i));
  assertEquals(await recvNumbers(ends.peer, 100), Array.from({ length: 100 }, (_, i) => i));
  const { upstream, downstream } = net.net.counts;
  assertEquals(upstream, {
    passed: 100,
    bytes: 100,
    lost: 0,
    overflowed: 0,
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
    cuts: 0,
  });
  assertEquals(downstream.passed, 0);
});

onEachNet(
  "UDP: latency in each direction, in order",
  { upstream: { latency: 30 }, downstream: { latency: 20 } },
  async (net) => {
    await using ends = await udpEnds(net);
    const { client, peer } = ends;
    const there = await timed(async () => {
      for (let i = 0; i < 50; i++) await client.send(bytes(i));
      assertEquals(net.net.counts.upstream.passed, 0, "something was there at once");
      assertEquals(await recvNumbers(peer, 50), Array.from({ length: 50 }, (_, i) => i));
    });
    assert(there >= 30, `${there} ms`);
    const back = await timed(async () => {
      await peer.send("back", client.localAddr);
      await client.recv();
    });
    assert(back >= 20, `${back} ms`);
  },
);

onEachNet(
  "UDP: a copy comes twice, with bytes of its own",
  { upstream: { duplication: 1 }, downstream: { duplication: 1, latency: 5 } },
  async (net) => {
    await using ends = await udpEnds(net);
    const { client, peer } = ends;
    await client.send(bytes(1));
    await peer.send(bytes(1), client.localAddr);
    for (const pipe of [client, peer]) {
      const first = await pipe.recv();
      first?.fill(9);
      assertEquals(await pipe.recv(), bytes(1));
    }
    const { upstream, downstream } = net.net.counts;
    assertEquals([upstream.passed, upstream.duplicated], [2, 1]);
    assertEquals([downstream.passed, downstream.duplicated], [2, 1]);
  },
);

for (const faults of [{ reordering: 1 }, { reordering: 1, latency: 10 }]) {
  onEachNet(
    `UDP: reordered pairs, latency ${faults.latency ?? 0}`,
    { upstream: faults, downstream: faults },
    async (net) => {
      await using ends = await udpEnds(net);
      const { client, peer } = ends;
      const expected = [1, 0, 3, 2, 5, 4];
      const waits = await timed(async () => {
        for (let i = 0; i < 6; i++) await client.send(bytes(i));
        assertEquals(await recvNumbers(peer, 6), expected);
      });
      assert(waits < 1000, "they waited for their time instead of the next one");
      for (let i = 0; i < 6; i++) await peer.send(bytes(i), client.localAddr);
      assertEquals(await recvNumbers(client, 6), expected);
      assertEquals(net.net.counts.downstream.reordered, 3);
    },
  );
}

onEachNet(
  "UDP: a reordered one that nobody overtakes comes",
  { upstream: { reordering: 1 } },
  async (net) => {
    await using ends = await udpEnds(net);
    const late = await timed(async () => {
      await ends.client.send(bytes(7));
      assertEquals(await recvNumbers(ends.peer, 1), [7]);
    });
    assert(late >= 20, `after ${late} ms`);
  },
);

Deno.test("UDP: with all faults at once, the same seed gives the same arrivals", async () => {
  const faults: Faults = { loss: 0.2, duplication: 0.1, reordering: 0.1, corruption: 0.1 };
  const run = async (seed: number, options: Faults = faults) => {
    const net = memoryNetwork({ seed, upstream: options });
    await using ends = await udpEnds({ name: "", net, serve: net.pipeOpen });
    const got: string[] = [];
    ends.peer.addMsgCb((msg) => void got.push(msg.join(" ")));
    for (let i = 0; i < 1000; i++) await ends.client.send(bytes(i, i >> 8, 0, 0));
    await ends.client.close();
    assertEquals(got.length, net.counts.upstream.passed);
    const { lost, duplicated } = net.counts.upstream;
    assertEquals(got.length, 1000 - lost + duplicated);
    return got;
  };
  const first = await run(1);
  assertEquals(await run(1), first);
  assert((await run(2)).join() !== first.join());
});

onEachNet("UDP: loss by a function, and a request that gets through", {
  upstream: { loss: (data, index) => data[0] === 1 && index < 2 },
  downstream: { loss: (_, index) => index === 0 },
}, async (net) => {
  await using ends = await udpEnds(net);
  ends.peer.addMsgCb((msg, from, pipe) => pipe.send(msg, from));
  const [reply] = await ends.client.request(bytes(1), { timeout: 600, retries: 4 });
  assertEquals(reply, bytes(1));
  const { upstream, downstream } = net.net.counts;
  assertEquals([upstream.lost, downstream.lost], [2, 1]);
});

onEachNet("UDP: bandwidth spaces what is sent, and a full queue drops", {
  upstream: { bandwidth: 100_000, queue: 3000 },
}, async (net) => {
  await using ends = await udpEnds(net);
  const took = await timed(async () => {
    for (let i = 0; i < 20; i++) await ends.client.send(new Uint8Array(1000));
    await recvNumbers(ends.peer, 3);
  });
  assert(took >= 29, `3000 bytes in ${took} ms`);
  assert(net.net.counts.upstream.overflowed > 0);
  await until(() => {
    const { passed, overflowed } = net.net.counts.upstream;
    return passed + overflowed === 20;
  }, "all passed or were dropped");
});

onEachNet(
  "UDP: close waits for what is under way, abort does not",
  { upstream: { latency: 20 } },
  async (net) => {
    await using ends = await udpEnds(net);
    for (let i = 0; i < 3; i++) await ends.client.send(bytes(i));
    await ends.client.close();
    assertEquals(net.net.counts.upstream.passed, 3);
    assertEquals(await recvNumbers(ends.peer, 3), [0, 1, 2]);
    await assertRejects(() => ends.client.send("late"), PipeClosedError);

    const other = await net.net.pipeOpen(UDP, { dest: ends.peer.localAddr });
    await other.send(bytes(9));
    other.abort();
    await other.close();
    await new Promise((resolve) => setTimeout(resolve, 25));
    assertEquals(net.net.counts.upstream.passed, 3);
  },
);

onEachNet(
  "UDP: a close while an answer is under way ends quietly",
  { downstream: { latency: 20 } },
  async (net) => {
    await using ends = await udpEnds(net);
    await ends.client.send("hello");
    const [, from] = await ends.peer.recvFrom() ?? [];
    await ends.peer.send("answer", from);
    await until(() => ends.peer.stats.messagesOut === 1, "sent");
    await ends.client.close();
    assertEquals(await ends.client.recv(), null);
  },
);

onEachNet("UDP: faults are changed while it runs", {}, async (net) => {
  await using ends = await udpEnds(net);
  const { client, peer } = ends;
  await client.send(bytes(1));
  net.net.setFaults({ upstream: { loss: 1 } });
  await client.send(bytes(2));
  net.net.setFaults({ down: true });
  await client.send(bytes(3));
  net.net.setFaults({ downstream: { loss: 1 } });
  await client.send(bytes(4));
  assertEquals(await recvNumbers(peer, 2), [1, 4]);
  await peer.send(bytes(5), client.localAddr);
  await until(() => net.net.counts.downstream.lost === 1, "lost");
  net.net.setFaults({});
  await peer.send(bytes(6), client.localAddr);
  assertEquals(await recvNumbers(client, 1), [6]);
});

onEachNet("UDP: a cut loses what is under way, and the socket goes on", {
  upstream: { latency: 40 },
}, async (net) => {
  await using ends = await udpEnds(net);
  await ends.client.send(bytes(1));
  await ends.client.send(bytes(2));
  net.net.cut(ends.peer); // not this one's
  assertEquals(net.net.counts.upstream.lost, 0);
  net.net.cut(ends.client);
  assertEquals(net.net.counts.upstream.lost, 2);
  await ends.client.send(bytes(3));
  assertEquals(await recvNumbers(ends.peer, 1), [3]);
});

onEachNet(
  "UDP: what the platform refuses is refused, faults or not",
  { upstream: { latency: 5 } },
  async (net) => {
    await using ends = await udpEnds(net);
    await assertRejects(() => ends.client.send(new Uint8Array(65_508)), RangeError);
    await ends.client.send(new Uint8Array(65_507));
    assertEquals((await ends.peer.recv())?.length, 65_507);
    await ends.client.send("");
    assertEquals(await ends.peer.recv(), bytes());
  },
);

onEachNet(
  "UDP: what is sent may be changed once send resolved",
  { upstream: { latency: 10 } },
  async (net) => {
    await using ends = await udpEnds(net);
    const data = bytes(1);
    await ends.client.send(data);
    data.fill(2);
    assertEquals(await recvNumbers(ends.peer, 1), [1]);
  },
);

Deno.test("UDP: more than 16 MiB under way are dropped and counted", async () => {
  const net = memoryNetwork({ upstream: { latency: 60_000 } });
  await using ends = await udpEnds({ name: "", net, serve: net.pipeOpen });
  for (let i = 0; i < 300; i++) await ends.client.send(new Uint8Array(65_507));
  assertEquals(300 - net.counts.upstream.overflowed, Math.floor(2 ** 24 / 65_507));
  ends.client.abort();
});
