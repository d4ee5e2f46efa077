import { assert, assertEquals, assertRejects } from "@std/assert";
import { pipeOpen, TCP, UDP } from "@p2pd/pipes";
import { faultyNetwork } from "@p2pd/pipes/testing";
import { digestOf, Hash } from "../../helpers/hash.ts";
import { Random } from "../../helpers/random.ts";
import { settles } from "../../helpers/turns.ts";
import { onEachNet, recvBytes, tcpEnds, timed } from "./nets.ts";

const KIB = 1024, MIB = 1024 * KIB;
const wait = { timeout: 10_000 };

onEachNet(
  "TCP: latency in each direction, and for the round trip of the open",
  { upstream: { latency: 30 }, downstream: { latency: 20 } },
  async (net) => {
    let opened = NaN;
    const start = performance.now();
    const upCb = () => opened = performance.now() - start;
    await using ends = await tcpEnds(net, { upCb });
    assert(opened >= 50, `open after ${opened} ms`);
    const { client, peer } = ends;
    const there = await timed(async () => {
      await client.send("hello");
      await recvBytes(peer, 5);
    });
    assert(there >= 30, `${there} ms`);
    const back = await timed(async () => {
      await peer.send("hello");
      await recvBytes(client, 5);
    });
    assert(back >= 20, `${back} ms`);
  },
);

onEachNet("TCP: jitter, slices and both ways at once change no byte", {
  upstream: { latency: 2, jitter: 2, slicing: { size: 3000, variation: 2999 } },
  downstream: { latency: 2, jitter: 2, slicing: { size: 3000, variation: 2999 } },
}, async (net) => {
  await using ends = await tcpEnds(net);
  const { client, peer } = ends;
  const random = new Random(5);
  const [there, back] = [random.bytes(MIB), random.bytes(MIB)];
  const read = async (pipe: typeof client) => {
    const hash = new Hash();
    for await (const [data] of pipe) hash.update(data);
    return hash.digest;
  };
  const send = async (pipe: typeof client, data: Uint8Array) => {
    for (let at = 0; at < data.length; at += 10_007) {
      await pipe.send(data.subarray(at, at + 10_007));
    }
    await pipe.closeWrite();
  };
  const [atPeer, atClient] = await Promise.all([
    read(peer),
    read(client),
    send(client, there),
    send(peer, back),
  ]);
  assertEquals(atPeer, digestOf(there));
  assertEquals(atClient, digestOf(back));
});

onEachNet("TCP: what is read is in slices of the same size in every run", {
  downstream: { slicing: { size: 100, variation: 50 }, latency: 1 },
}, async (net) => {
  await using ends = await tcpEnds(net);
  if (net.name === "real") {
    // The slices of what a pipe reads are its messages.
    const sizes: number[] = [];
    ends.client.addMsgCb((msg) => void sizes.push(msg.length));
    await ends.peer.send(new Uint8Array(1000));
    await ends.peer.close();
    await ends.client.closed;
    assertEquals(sizes, [149, 73, 77, 148, 123, 119, 110, 89, 93, 19]);
  } else {
    await ends.peer.send(new Uint8Array(1000));
    await recvBytes(ends.client, 1000);
    assertEquals(net.net.counts.downstream.passed, 10);
  }
});

onEachNet("TCP: bandwidth makes send wait", {
  upstream: { bandwidth: 100_000 },
  downstream: { bandwidth: 200_000 },
}, async (net) => {
  await using ends = await tcpEnds(net);
  const { client, peer } = ends;
  const sent = await timed(() => client.send(new Uint8Array(5000)));
  assert(sent >= 35 && sent < 1000, `5000 bytes left in ${sent} ms`);
  await recvBytes(peer, 5000);
  const back = await timed(async () => {
    await peer.send(new Uint8Array(10_000));
    await recvBytes(client, 10_000);
  });
  assert(back >= 35 && back < 1000, `10000 bytes arrived in ${back} ms`);
});

onEachNet("TCP: the end comes late", { upstream: { latency: 10, slowEnd: 20 } }, async (net) => {
  await using ends = await tcpEnds(net);
  const took = await timed(async () => {
    await ends.client.send("hello");
    await ends.client.closeWrite();
    assertEquals(await recvBytes(ends.peer, 6), 5);
  });
  assert(took >= 30, `after ${took} ms`);
  await ends.peer.send("still open");
  await recvBytes(ends.client, 10);
});

onEachNet(
  "TCP: close waits for what is under way, abort does not",
  { upstream: { latency: 30 } },
  async (net) => {
    {
      await using ends = await tcpEnds(net);
      await ends.client.send(new Uint8Array(1000));
      const [took] = await Promise.all([
        timed(() => ends.client.close()),
        recvBytes(ends.peer, 1001).then((got) => assertEquals(got, 1000)),
      ]);
      assert(took >= 29, `closed after ${took} ms`);
      assertEquals(await ends.peer.recv(undefined, wait), null);
    }
    await using ends = await tcpEnds(net);
    await ends.client.send(new Uint8Array(1000));
    ends.client.abort();
    assertEquals((await ends.peer.closed).by, "reset");
    assertEquals(ends.peer.stats.bytesIn, 0);
  },
);

onEachNet("TCP: the peer's end comes after what it sent, as late as that", {
  downstream: { latency: 30 },
}, async (net) => {
  await using ends = await tcpEnds(net);
  const { client, peer } = ends;
  const took = await timed(async () => {
    await peer.send("bye");
    void peer.close();
    assertEquals(await recvBytes(client, 4), 3);
  });
  assert(took >= 30, `after ${took} ms`);
});

onEachNet("TCP: a reader that stalls holds up the sender, at a bounded number of bytes", {
  upstream: { latency: 1 },
  downstream: { latency: 1 },
}, async (net) => {
  for (const way of ["up", "down"] as const) {
    await using ends = await tcpEnds(net);
    const [from, to] = way === "up" ? [ends.client, ends.peer] : [ends.peer, ends.client];
    const chunk = new Uint8Array(256 * KIB);
    let sending = from.send(chunk), count = 1;
    while (await settles(sending, 40)) {
      assert(++count < 160, "40 MiB went out and nobody reads");
      sending = from.send(chunk);
    }
    // In memory nothing but this library holds bytes: its windows, and what a pipe reads ahead.
    if (net.name === "memory") assert(count * 256 * KIB < 2 * MIB, `${count} chunks`);
    assertEquals(await recvBytes(to, count * chunk.length), count * chunk.length);
    await sending;
  }
});

onEachNet("TCP: corruption changes bytes and no number of them", {
  upstream: { corruption: 0.01 },
}, async (net) => {
  await using ends = await tcpEnds(net);
  await ends.client.send(new Uint8Array(10_000));
  let wrong = 0;
  for (let left = 10_000; left > 0;) {
    const data = await ends.peer.recv();
    left -= data?.length ?? left;
    wrong += data?.filter((byte) => byte !== 0).length ?? 0;
  }
  assertEquals(wrong, 94);
  assertEquals(net.net.counts.upstream.corrupted, 94);
});

onEachNet(
  "TCP: TLS is above the faults",
  { upstream: { latency: 5, slicing: { size: 50 } } },
  async (net) => {
    const { serverTls, clientTls } = await import("../../helpers/tls.ts");
    const server = await net.serve(TCP, {
      route: "127.0.0.1:0",
      conf: { useSsl: serverTls() },
      msgCb: (msg, _from, pipe) => pipe.send(msg),
    });
    const client = await net.net.pipeOpen(TCP, {
      dest: server.localAddr,
      conf: { useSsl: clientTls() },
    });
    await client.send("secret");
    assertEquals(await recvBytes(client, 6), 6);
    await client.close();
    net.net.setFaults({ upstream: { corruption: 0.05 } });
    await assertRejects(
      () =>
        net.net.pipeOpen(TCP, {
          dest: server.localAddr,
          conf: { useSsl: clientTls(), sslHandshake: 500, onError: () => {} },
        }),
    );
    await server.close();
  },
);

Deno.test("real sockets: the faulty end may be the server's, with the same directions", async () => {
  const net = faultyNetwork({ upstream: { latency: 30 }, downstream: { latency: 1 } });
  for (const proto of [TCP, UDP]) {
    const server = await net.pipeOpen(proto, {
      route: "127.0.0.1:0",
      msgCb: async (msg, from, pipe) => void await pipe.send(msg, from),
    });
    const client = await pipeOpen(proto, { dest: server.localAddr });
    const took = await timed(async () => {
      await client.send("hello");
      await recvBytes(client, 5);
    });
    assert(took >= 31, `${proto}: ${took} ms`);
    await client.close();
    await server.close();
  }
  const { upstream, downstream } = net.counts;
  assertEquals([upstream.bytes, downstream.bytes], [10, 10]);
});

Deno.test("real sockets: an adopted one has faults as well", async () => {
  const net = faultyNetwork({ upstream: { latency: 30 } });
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const server = await net.pipeOpen(TCP, {
    sock: listener,
    msgCb: async (msg, _from, pipe) => void await pipe.send(msg),
  });
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const client = await net.pipeOpen(TCP, { sock: conn });
  const took = await timed(async () => {
    await client.send("hello");
    await recvBytes(client, 5);
  });
  assert(took >= 60, `faults at both ends, and it took ${took} ms`);
  await client.close();
  await server.close();
  assertEquals(net.counts.upstream.bytes, 10);
});
