import { assert, assertEquals, assertRejects } from "@std/assert";
import { PipeClosedError, TCP } from "@p2pd/pipes";
import { settles } from "../../helpers/turns.ts";
import { onEachNet, recvBytes, tcpEnds, timed } from "./nets.ts";

const wait = { timeout: 10_000 };

onEachNet("TCP: a stall makes send wait, and when it is over nothing is lost", {
  // Long enough for the stall to begin before "one" is there, also on a busy machine.
  upstream: { latency: 200 },
}, async (net) => {
  await using ends = await tcpEnds(net);
  const { client, peer } = ends;
  await client.send("one");
  net.net.setFaults({ upstream: { cut: { how: "stall" } } });
  const sending = client.send("two");
  assertEquals(await settles(sending), false);
  assertEquals(peer.stats.bytesIn, 0);
  // The other direction goes on.
  await peer.send("back");
  await recvBytes(client, 4);
  net.net.setFaults({});
  await sending;
  assertEquals(await recvBytes(peer, 6), 6);
  assertEquals(net.net.counts.upstream.cuts, 1);
});

onEachNet("TCP: a stall downstream keeps the bytes back", {
  downstream: { cut: { how: "stall", bytes: 3 } },
}, async (net) => {
  await using ends = await tcpEnds(net);
  const { client, peer } = ends;
  const sending = peer.send("hello");
  assertEquals(await recvBytes(client, 3), 3);
  await assertRejects(() => client.recv(undefined, { timeout: 20 }));
  net.net.setFaults({});
  assertEquals(await recvBytes(client, 2), 2);
  await sending;
});

for (const direction of ["upstream", "downstream"] as const) {
  onEachNet(`TCP: a reset after so many bytes ${direction}: these arrive`, {
    [direction]: { latency: 5, cut: { how: "reset", bytes: 1000 } },
  }, async (net) => {
    await using ends = await tcpEnds(net);
    const { client, peer } = ends;
    const [from, to] = direction === "upstream" ? [client, peer] : [peer, client];
    let got = 0;
    to.addMsgCb((msg) => void (got += msg.length));
    await from.send(new Uint8Array(1000));
    const [a, b] = await Promise.all([client.closed, peer.closed]);
    assertEquals([a.by, b.by], ["reset", "reset"]);
    assertEquals(got, 1000);
    assertEquals(net.net.counts[direction].cuts, 1);
    await assertRejects(() => from.send("more"), PipeClosedError);
  });

  onEachNet(`TCP: an end after so many bytes ${direction}, in the middle of a send`, {
    [direction]: { cut: { how: "end", bytes: 700 } },
  }, async (net) => {
    await using ends = await tcpEnds(net);
    const { client, peer } = ends;
    const [from, to] = direction === "upstream" ? [client, peer] : [peer, client];
    const sending = from.send(new Uint8Array(1000)).catch((error) => error);
    assertEquals(await recvBytes(to, 1000), 700);
    assertEquals(await client.recv(undefined, wait), null);
    assertEquals(await peer.recv(undefined, wait), null);
    const outcome = await sending;
    if (direction === "upstream") assert(outcome instanceof PipeClosedError, `${outcome}`);
  });
}

onEachNet("TCP: a reset after a time, from the open or from when it is said", {
  upstream: { cut: { how: "reset", ms: 30 } },
}, async (net) => {
  const took = await timed(async () => {
    await using ends = await tcpEnds(net);
    assertEquals((await ends.client.closed).by, "reset");
    assertEquals((await ends.peer.closed).by, "reset");
  });
  assert(took >= 29, `after ${took} ms`);
  net.net.setFaults({});
  await using ends = await tcpEnds(net);
  net.net.setFaults({ downstream: { cut: { how: "end", ms: 20 } } });
  assertEquals(await ends.client.recv(undefined, wait), null);
  assertEquals(await ends.peer.recv(undefined, wait), null);
  assertEquals(net.net.counts.downstream.cuts, 1);
});

onEachNet("TCP: a fault that is taken away does not happen", {}, async (net) => {
  await using ends = await tcpEnds(net);
  net.net.setFaults({ upstream: { cut: { how: "reset", ms: 20 } } });
  net.net.setFaults({ upstream: { cut: { how: "reset", bytes: 100 } } });
  await ends.client.send(new Uint8Array(99));
  net.net.setFaults({ upstream: { latency: 25 } });
  await ends.client.send(new Uint8Array(900));
  assertEquals(await recvBytes(ends.peer, 999), 999);
});

onEachNet("TCP: a limit that was reached does not count when it is taken away in time", {
  upstream: { latency: 30, cut: { how: "reset", bytes: 5 } },
}, async (net) => {
  await using ends = await tcpEnds(net);
  await ends.client.send("hello");
  net.net.setFaults({});
  await ends.client.send("world");
  assertEquals(await recvBytes(ends.peer, 10), 10);
  await ends.client.send("still there");
  assertEquals(await recvBytes(ends.peer, 11), 11);
  assertEquals(net.net.counts.upstream.cuts, 0);
});

onEachNet("TCP: a cut that is still to come ends with the connection", {
  upstream: { cut: { how: "reset", ms: 60_000 } },
}, async (net) => {
  await using ends = await tcpEnds(net);
  await ends.client.send("hello");
  await Promise.all([ends.client.close(), recvBytes(ends.peer, 6)]);
  assertEquals((await ends.client.closed).by, "local");
});

onEachNet("TCP: a send that waits for its turn goes on when the fault is taken away", {
  upstream: { slicing: { size: 5, delay: 60_000 } },
}, async (net) => {
  await using ends = await tcpEnds(net);
  const sending = ends.client.send("helloworld");
  assertEquals(await recvBytes(ends.peer, 5), 5);
  assertEquals(await settles(sending, 3), false);
  net.net.setFaults({});
  await sending;
  assertEquals(await recvBytes(ends.peer, 5), 5);
});

onEachNet(
  "TCP: a reset at once, for whoever connects",
  { upstream: { cut: { how: "reset" } } },
  async (net) => {
    await using ends = await tcpEnds(net);
    assertEquals((await ends.client.closed).by, "reset");
    assertEquals((await ends.peer.closed).by, "reset");
  },
);

onEachNet("TCP: cut now: one connection, or all", { upstream: { latency: 50 } }, async (net) => {
  await using one = await tcpEnds(net);
  await using two = await tcpEnds(net);
  await using three = await tcpEnds(net);
  await one.client.send("never there");
  net.net.cut(one.client);
  assertEquals((await one.client.closed).by, "reset");
  assertEquals((await one.peer.closed).by, "reset");
  assertEquals(one.peer.stats.bytesIn, 0);
  await two.client.send("there");
  assertEquals(await recvBytes(two.peer, 5), 5);
  net.net.cut();
  for (const { client, peer } of [two, three]) {
    assertEquals((await client.closed).by, "reset");
    assertEquals((await peer.closed).by, "reset");
  }
});

onEachNet(
  "TCP: down: open connections are reset, new ones refused, until it is up",
  {},
  async (net) => {
    const server = await net.serve(TCP, { route: "127.0.0.1:0" });
    const dest = server.localAddr;
    const client = await net.net.pipeOpen(TCP, { dest });
    const peer = await server.accept(wait);
    net.net.setFaults({ down: true });
    assertEquals((await client.closed).by, "reset");
    assertEquals((await peer?.closed)?.by, "reset");
    const error = await assertRejects(() => net.net.pipeOpen(TCP, { dest }), Error, "refused");
    assert(error.cause instanceof Deno.errors.ConnectionRefused);
    net.net.setFaults({});
    await using again = await net.net.pipeOpen(TCP, { dest });
    await again.send("hello");
    await again.close();
    await server.close();
  },
);

onEachNet("TCP: the open of a stalled connection takes its time-out", {
  upstream: { cut: { how: "stall" } },
}, async (net) => {
  const server = await net.serve(TCP, { route: "127.0.0.1:0" });
  const dest = server.localAddr;
  const conf = { conTimeout: 30 };
  await assertRejects(() => net.net.pipeOpen(TCP, { dest, conf }), Error, "within 30 ms");
  const opening = net.net.pipeOpen(TCP, { dest });
  assertEquals(await settles(opening, 3), false);
  net.net.setFaults({});
  await (await opening).close();
  await server.close();
});
