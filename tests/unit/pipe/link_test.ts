import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Pipe, pipeOpen, PipeStateError, type ServerPipe, TCP, UDP } from "@p2pd/pipes";
import { latch, recvAll, recvText, text, until } from "../../helpers/pipes.ts";

const route = "127.0.0.1:0";

/** A client and the other end of its connection. */
async function tcpPair(): Promise<[near: Pipe, far: Pipe, server: ServerPipe]> {
  const server = await pipeOpen(TCP, { route });
  // A route: such a client can send a reset.
  const near = await pipeOpen(TCP, { dest: server.localAddr, route });
  const far = await server.accept();
  if (far === null) throw new Error("the server closed");
  return [near, far, server];
}

/** Two clients of two servers, linked both ways: what one far end says, the other hears. */
async function relay() {
  const [a, farA, serverA] = await tcpPair();
  const [b, farB, serverB] = await tcpPair();
  a.addPipe(b);
  b.addPipe(a);
  return {
    a,
    b,
    farA,
    farB,
    async [Symbol.asyncDispose]() {
      await Promise.all([a, b, serverA, serverB].map((pipe) => pipe.close()));
    },
  };
}

Deno.test("link: two lines are a two-way relay, with half-close", async () => {
  await using r = await relay();
  await r.farA.send("question");
  await r.farA.closeWrite();
  assertEquals(await recvAll(r.farB), "question");
  await r.farB.send("answer");
  await r.farB.closeWrite();
  assertEquals(await recvAll(r.farA), "answer");
  // Both directions have ended: nothing is left to do for the two in the middle.
  assertEquals([(await r.a.closed).by, (await r.b.closed).by], ["remote", "remote"]);
});

Deno.test("link: a reset of one side is a reset of the other", async () => {
  await using r = await relay();
  // The far ends cannot send a reset; a near end whose peer vanishes while it is being sent to gets one.
  const [near, far, server] = await tcpPair();
  far.addPipe(r.a);
  r.a.addPipe(far);
  near.abort(new Error("gone"));
  assertEquals((await far.closed).by, "reset");
  assertEquals((await r.a.closed).by, "local");
  assertEquals((await r.b.closed).by, "local");
  await server.close();
});

Deno.test("link: closing one side delivers what it had and closes the other", async () => {
  await using r = await relay();
  const data = "x".repeat(300_000);
  const sent = r.farA.send(data);
  await until(() => r.a.stats.bytesIn > 0, "the first bytes");
  const got = recvAll(r.farB);
  await sent;
  await until(() => r.b.stats.bytesOut === data.length, "all of it passed on");
  await r.a.close();
  assertEquals((await got).length, data.length);
  await r.b.closed;
});

Deno.test("link: itself, twice, a closed one, one without a peer, no pipe at all", async () => {
  await using r = await relay();
  await using server = await pipeOpen(TCP, { route });
  await using udp = await pipeOpen(UDP, { route });
  assertThrows(() => r.a.addPipe(r.a), PipeStateError, "itself");
  r.a.addPipe(r.b).addPipe(r.b);
  await r.farA.send("once");
  assertEquals(await recvText(r.farB, 4), "once");
  assertThrows(() => r.a.addPipe(server), PipeStateError, "no peer");
  assertThrows(() => r.a.addPipe(udp), PipeStateError, "no peer");
  // @ts-expect-error no pipe
  assertThrows(() => r.a.addPipe({}), TypeError, "pipe");
  // @ts-expect-error no option
  assertThrows(() => r.farA.addPipe(r.b, { ende: true }), TypeError, 'no "ende", only end');
  // @ts-expect-error no options
  assertThrows(() => r.farA.addPipe(r.b, null), TypeError, "options: { end? } is needed, got null");
  // @ts-expect-error no flag
  assertThrows(() => r.farA.addPipe(r.b, { end: 1 }), TypeError, "true or false is needed, got 1");
  for (const none of [null, undefined, {}, "a"]) {
    // @ts-expect-error no pipe
    assertThrows(() => r.a.delPipe(none), TypeError, "pipe: a pipe of this library is needed, got");
  }
  const [near, , other] = await tcpPair();
  await near.close();
  assertThrows(() => r.a.addPipe(near), PipeStateError, "target is closed");
  assertThrows(() => near.addPipe(r.a), PipeStateError, "pipe is closed");
  await other.close();
});

Deno.test("link: one way, what was held goes first, and delPipe ends it", async () => {
  const [a, farA, serverA] = await tcpPair();
  const [b, farB, serverB] = await tcpPair();
  await farA.send("held");
  await until(() => a.stats.queued > 0, "arrival");
  a.addPipe(b);
  assertEquals(await recvText(farB, 4), "held");
  a.delPipe(b);
  await farA.send("mine");
  assertEquals(text(await a.recv()), "mine");
  // A one-way link does not end its target.
  a.addPipe(b);
  await farA.close();
  await a.closed;
  await b.send("still here");
  assertEquals(await recvText(farB, 10), "still here");
  for (const pipe of [a, b, serverA, serverB]) await pipe.close();
});

Deno.test("link: a greeting is read first, the rest is linked", async () => {
  const [a, farA, serverA] = await tcpPair();
  const [b, farB, serverB] = await tcpPair();
  await farA.send("HEAD");
  assertEquals(await recvText(a, 4), "HEAD");
  await farA.send("body");
  a.addPipe(b);
  assertEquals(await recvText(farB, 4), "body");
  for (const pipe of [a, b, serverA, serverB]) await pipe.close();
});

Deno.test("link: an input that has ended before it is linked is passed on as well", async () => {
  const [a, farA, serverA] = await tcpPair();
  const [b, farB, serverB] = await tcpPair();
  const ended = latch();
  a.addEndCb(() => ended.open());
  await farA.send("head and tail");
  await farA.closeWrite();
  assertEquals(await recvText(a, 13), "head and tail");
  await ended.done;
  a.addPipe(b);
  b.addPipe(a);
  assertEquals(await recvAll(farB), "");
  await farB.send("answer");
  await farB.closeWrite();
  assertEquals(await recvAll(farA), "answer");
  for (const pipe of [a, b, serverA, serverB]) await pipe.close();
});

Deno.test("link: TCP to UDP and back; chunks bigger than a datagram are split, none is lost", async () => {
  const got: Uint8Array[] = [];
  await using peer = await pipeOpen(UDP, { route, msgCb: (msg) => void got.push(msg) });
  await using udp = await pipeOpen(UDP, { dest: peer.localAddr, route });
  const [tcp, far, server] = await tcpPair();
  tcp.addPipe(udp);
  udp.addPipe(tcp);
  const total = () => got.reduce((sum, msg) => sum + msg.length, 0);
  for (let sent = 0; sent < 300_000;) {
    sent += await far.send(new Uint8Array(50_000).fill(7));
    await until(() => total() === sent, "the datagrams");
  }
  assert(got.every((msg) => msg.length > 0 && msg.length <= 65507));
  await peer.send("", udp.localAddr);
  await peer.send("back", udp.localAddr);
  assertEquals(await recvText(far, 4), "back");
  await server.close();
  // The stream has ended; replies could still come, until the datagram side is closed.
  await udp.close();
  assertEquals(await tcp.closed, { by: "remote" });
});

Deno.test("link: UDP to UDP keeps boundaries and order, empty datagrams too", async () => {
  await using left = await pipeOpen(UDP, { route });
  await using right = await pipeOpen(UDP, { route });
  await using a = await pipeOpen(UDP, { dest: left.localAddr, route });
  await using b = await pipeOpen(UDP, { dest: right.localAddr, route });
  a.addPipe(b);
  b.addPipe(a);
  for (const word of ["one", "", "three"]) await left.send(word, a.localAddr);
  for (const word of ["one", "", "three"]) assertEquals(text(await right.recv()), word);
  await right.send("back", b.localAddr);
  assertEquals(text(await left.recv()), "back");
});

Deno.test("link: a relay between a fast and a slow peer holds a bounded number of bytes", async () => {
  await using r = await relay();
  let sent = 0;
  const chunk = new Uint8Array(65536);
  const filling = (async () => {
    for (let i = 0; i < 1600; i++) sent += await r.farA.send(chunk.fill(i)); // 100 MiB
    await r.farA.closeWrite();
  })();
  // farB reads only up to its own bound: wait until nothing moves any more.
  let before = -1;
  await until(() => {
    const still = sent === before && sent > 0;
    before = sent;
    return still;
  }, "a standstill");
  assert(sent < 40 * 1024 * 1024, `${sent} bytes went into the relay`);
  assert(r.a.stats.queued < 20 && r.b.stats.queued < 20);
  let got = 0;
  for await (const [msg] of r.farB) {
    // Memory is used again on the way: nothing may have been overwritten.
    for (let i = 0; i < msg.length; i += 1021) {
      if (msg[i] !== (((got + i) >> 16) & 0xff)) throw new Error(`byte ${got + i} differs`);
    }
    got += msg.length;
  }
  await filling;
  assertEquals(got, 1600 * chunk.length);
});

Deno.test("link: memory is not used again while somebody else has the message", async () => {
  const [a, farA, serverA] = await tcpPair();
  const [b, farB, serverB] = await tcpPair();
  const kept: Uint8Array[] = [];
  farA.addPipe(b); // Deno's own connection, whose read buffers come back
  const sub = farA.subscribe();
  const draining = (async () => {
    for await (const _ of farB);
  })();
  for (let i = 0; i < 40; i++) {
    if (i === 20) sub.close();
    await a.send(new Uint8Array(200_000).fill(i));
    for (let left = 200_000; i < 20 && left > 0;) {
      const msg = await sub.recv();
      if (msg === null) throw new Error("the stream ended early");
      kept.push(msg);
      left -= msg.length;
    }
  }
  await a.closeWrite();
  await farA.closed;
  await b.close();
  await draining;
  assert(kept.length > 20);
  for (const msg of kept) {
    const [first = -1] = msg;
    assert(first < 20 && msg.every((byte) => byte === first), `bytes of ${first} were overwritten`);
  }
  for (const pipe of [a, serverA, serverB]) await pipe.close();
});

Deno.test("link: the clients of a server linked to each other are a chat that outlives them", async () => {
  await using server = await pipeOpen(TCP, {
    route,
    upCb: (_msg, _from, pipe) => {
      for (const other of server.clients) {
        if (other === pipe) continue;
        pipe.addPipe(other, { end: false });
        other.addPipe(pipe, { end: false });
      }
    },
  });
  const [a, b, c] = await Promise.all(
    [1, 2, 3].map(() => pipeOpen(TCP, { dest: server.localAddr })),
  );
  if (!a || !b || !c) throw new Error("unreachable");
  await until(() => server.clients.size === 3, "all three");
  await a.send("hi");
  assertEquals([await recvText(b, 2), await recvText(c, 2)], ["hi", "hi"]);
  await a.close();
  await until(() => server.clients.size === 2, "one has left");
  await b.send("bye");
  assertEquals(await recvText(c, 3), "bye");
  await b.close();
  await until(() => server.clients.size === 1, "two have left");
  await c.close();
});

Deno.test("link: a server's link carries every connection's messages, one way", async () => {
  await using sink = await pipeOpen(UDP, { route });
  await using log = await pipeOpen(UDP, { dest: sink.localAddr, route });
  await using server = await pipeOpen(TCP, { route });
  await using early = await pipeOpen(TCP, { dest: server.localAddr });
  await early.send("early");
  await until(() => server.stats.queued === 1, "arrival");
  server.addPipe(log);
  await using late = await pipeOpen(TCP, { dest: server.localAddr });
  assertEquals(text(await sink.recv()), "early");
  await late.send("late");
  assertEquals(text(await sink.recv()), "late");
});

Deno.test("link: 1,000 links made and cut on one target leave nothing behind", async () => {
  const [target, far, server] = await tcpPair();
  const [source, farSource, other] = await tcpPair();
  for (let i = 0; i < 1000; i++) {
    source.addPipe(target);
    target.addPipe(source);
    source.delPipe(target);
    target.delPipe(source);
  }
  const done = latch<string>();
  source.addMsgCb((msg) => done.open(String(text(msg))));
  await farSource.send("not relayed");
  assertEquals(await done.done, "not relayed");
  assertEquals(far.stats.bytesIn, 0);
  for (const pipe of [source, target, server, other]) await pipe.close();
});
