/** Attacks that once succeeded, each by what it did. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  MessageQueue,
  type Pipe,
  PipeClosedError,
  pipeOpen,
  PipeStateError,
  PipeTimeoutError,
  type ServerPipe,
  TCP,
  UDP,
} from "@p2pd/pipes";
import { latch, recvAll, recvText, text, until } from "../../helpers/pipes.ts";

const route = "127.0.0.1:0";
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function pair(
  serverOptions: Parameters<typeof pipeOpen>[1] = {},
  clientOptions: Parameters<typeof pipeOpen>[1] = {},
): Promise<{ server: ServerPipe; client: Pipe; accepted: Pipe } & AsyncDisposable> {
  const { sock: _, dest: __, ...options } = { route, ...serverOptions };
  const server = await pipeOpen(TCP, options);
  const client = await pipeOpen(TCP, { ...clientOptions, dest: server.localAddr });
  const accepted = await server.accept();
  if (accepted === null) throw new Error("unreachable");
  return {
    server,
    client,
    accepted,
    async [Symbol.asyncDispose]() {
      await Promise.all([client.close(), server.close()]);
    },
  };
}

/** Sends, and waits until the other end has read it as a message of its own. */
async function sendOne(from: Pipe, to: Pipe, data: string | Uint8Array): Promise<void> {
  const before = to.stats.messagesIn;
  await from.send(data);
  await until(() => to.stats.messagesIn > before, "arrival");
}

Deno.test("hostile: clients that reset before they are accepted do not end the server", async () => {
  await using server = await pipeOpen(TCP, {
    route,
    msgCb: (msg, _from, pipe) => pipe.send(msg),
    conf: { onError: () => {} },
  });
  for (let round = 0; round < 20; round++) {
    // No turn of the event loop of the server's accept between connect and reset.
    const rude = await Promise.all(
      Array.from({ length: 10 }, () => pipeOpen(TCP, { dest: server.localAddr, route })),
    );
    for (const pipe of rude) pipe.abort();
  }
  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  assertEquals(text((await client.request("still there"))[0]), "still there");
});

Deno.test("hostile: a link cut and made again keeps the order", async () => {
  await using a = await pair();
  await using b = await pair();
  const size = 8_000_000;
  const big = b.client.send(new Uint8Array(size)); // so that the link backs up
  await until(() => b.accepted.stats.queued > 0, "a full target");
  a.accepted.addPipe(b.client);
  for (const c of "abcdefghij") await sendOne(a.client, a.accepted, c);
  a.accepted.delPipe(b.client);
  a.accepted.addPipe(b.client);
  for (const c of "0123456789") await sendOne(a.client, a.accepted, c);
  let tail = "";
  for (let got = 0; got < size + 20;) {
    const msg = await b.accepted.recv();
    if (msg === null) break;
    got += msg.length;
    tail = (tail + text(msg.subarray(-20))).slice(-20);
  }
  await big;
  assertEquals(tail, "abcdefghij0123456789");
});

Deno.test("hostile: transferring a message's memory takes nothing from other connections", async () => {
  await using a = await pair();
  await using b = await pair({ conf: { readerLimit: 8000 } });
  for (let i = 0; i < 30; i++) {
    await sendOne(b.client, b.accepted, new Uint8Array(1000).fill(i));
    await a.client.send("x");
    const msg = await a.accepted.recv();
    if (msg !== null) structuredClone(msg, { transfer: [msg.buffer as ArrayBuffer] });
    assertEquals(await b.accepted.recv(), new Uint8Array(1000).fill(i));
  }
});

Deno.test("hostile: transferring an unread message's memory does not wedge the bound", async () => {
  await using p = await pair({ conf: { readerLimit: 3000 } });
  const other = p.accepted.subscribe();
  const all = p.accepted.subscribe();
  for (let i = 0; i < 20; i++) {
    await p.client.send(new Uint8Array(1000));
    const msg = await other.recv();
    if (msg !== null) structuredClone(msg, { transfer: [msg.buffer as ArrayBuffer] });
    await all.recv();
  }
  assertEquals(p.accepted.stats.queued, 0);
  const queue = new MessageQueue<number[]>({ sizeOf: (item) => item.length });
  const item = [1, 2, 3];
  queue.push(item);
  item.length = 0;
  await queue.take();
  assertEquals(queue.bytes, 0);
});

Deno.test("hostile: close delivers everything to a peer that keeps sending", async () => {
  const size = 4_000_000;
  await using server = await pipeOpen(TCP, {
    route,
    upCb: async (_msg, _from, pipe) => {
      await pipe.recv();
      await pipe.send(new Uint8Array(size));
      await pipe.close();
    },
  });
  using peer = await Deno.connect({ hostname: "127.0.0.1", port: server.localAddr.port });
  await peer.write(new Uint8Array(10));
  const chat = setInterval(() => peer.write(new Uint8Array(1)).catch(() => {}), 5);
  let got = 0;
  const buffer = new Uint8Array(65536);
  try {
    for (let n = await peer.read(buffer); n !== null; n = await peer.read(buffer)) {
      got += n;
      await pause(1);
    }
  } finally {
    clearInterval(chat);
  }
  assertEquals(got, size);
});

Deno.test("hostile: several loops on a server answer half-closed clients", async () => {
  await using server = await pipeOpen(TCP, { route });
  const serve = async () => {
    for await (const [msg, from] of server) {
      await pause(10);
      await server.send(msg, from);
    }
  };
  const loops = [serve(), serve()];
  await Promise.all([1, 2, 3, 4].map(async () => {
    await using client = await pipeOpen(TCP, { dest: server.localAddr });
    await client.send("q");
    await client.closeWrite();
    assertEquals(await recvAll(client), "q");
  }));
  await server.close();
  await Promise.all(loops);
});

Deno.test("hostile: a UDP server without a route is heard by its clients", async () => {
  await using server = await pipeOpen(UDP, { msgCb: (msg, from, pipe) => pipe.send(msg, from) });
  assertEquals(server.localAddr.hostname, "0.0.0.0");
  await using client = await pipeOpen(UDP, { dest: server.localAddr });
  assertEquals(text((await client.request("hi"))[0]), "hi");
});

Deno.test("hostile: a loop or stream that is left while it waits takes no message along", async () => {
  await using p = await pair();
  const reader = p.accepted.readable.getReader();
  const reading = reader.read();
  await pause(1);
  await reader.cancel();
  assertEquals((await reading).done, true);
  await p.client.send("x");
  assertEquals(text(await p.accepted.recv()), "x");
  const loop = p.accepted[Symbol.asyncIterator]();
  const step = loop.next();
  await loop.return?.();
  assertEquals((await step).done, true);
  await p.client.send("y");
  assertEquals(text(await p.accepted.recv()), "y");
});

Deno.test("hostile: a handler removed beside a loop gives the loop nothing twice", async () => {
  await using p = await pair();
  const gate = latch();
  const handler = () => gate.done;
  p.accepted.addMsgCb(handler);
  const got: string[] = [];
  const loop = (async () => {
    for await (const [msg] of p.accepted) got.push(String(text(msg)));
  })();
  for (const c of "12345") await sendOne(p.client, p.accepted, c);
  p.accepted.delMsgCb(handler);
  gate.open();
  await p.client.closeWrite();
  await loop;
  assertEquals(got.join(""), "12345");
});

Deno.test("hostile: what a handler had not begun with can be read after the peer's end", async () => {
  await using p = await pair();
  const gate = latch();
  const handler = () => gate.done;
  p.accepted.addMsgCb(handler);
  for (const c of "123") await sendOne(p.client, p.accepted, c);
  await p.client.closeWrite();
  await pause(10);
  p.accepted.delMsgCb(handler);
  gate.open();
  assertEquals(await recvAll(p.accepted), "23");
});

Deno.test("hostile: what a subscription does not want stays for others, also after the end", async () => {
  await using p = await pair({ conf: { framing: "raw" } });
  for (const c of "ab") await sendOne(p.client, p.accepted, c);
  await p.client.closeWrite();
  await pause(10);
  const sub = p.accepted.subscribe({ match: "a" });
  assertEquals(text(await sub.recv()), "a");
  sub.close();
  assertEquals(await recvAll(p.accepted), "b");
});

Deno.test("hostile: a signal aborted right after the call ends the opening of a server", async () => {
  for (const proto of [TCP, UDP]) {
    const controller = new AbortController();
    const opening = pipeOpen(proto, { route, signal: controller.signal });
    controller.abort("at once");
    assertEquals(await opening.catch((reason) => reason), "at once");
  }
});

Deno.test("hostile: request keeps its time and signal while it sends, and notices the end", async () => {
  await using p = await pair({ conf: { readerLimit: 1000 } });
  const start = performance.now();
  await assertRejects(
    () => p.client.request(new Uint8Array(50_000_000), { timeout: 50 }),
    PipeTimeoutError,
  );
  assert(performance.now() - start < 1000);
  const controller = new AbortController();
  const asked = p.client.request("x", { signal: controller.signal });
  controller.abort("enough");
  assertEquals(await asked.catch((reason) => reason), "enough");
  p.client.abort();
  await using q = await pair();
  await q.accepted.closeWrite();
  assertEquals(await q.client.recv(), null);
  await assertRejects(() => q.client.request("x", { timeout: Infinity }), PipeClosedError);
});

Deno.test("hostile: two requests at once get a reply each", async () => {
  await using server = await pipeOpen(UDP, { route, msgCb: (m, from, p) => p.send(m, from) });
  await using client = await pipeOpen(UDP, { dest: server.localAddr });
  const replies = await Promise.all(["a", "b", "c"].map((word) => client.request(word)));
  assertEquals(replies.map(([msg]) => text(msg)), ["a", "b", "c"]);
});

Deno.test("hostile: up and end handlers added inside one run once", async () => {
  const log: string[] = [];
  await using server = await pipeOpen(TCP, {
    route,
    upCb: (_m, _f, pipe) => void pipe.addUpCb(() => void log.push("up")),
    endCb: (_m, _f, pipe) => void pipe.addEndCb(() => void log.push("end")),
  });
  const client = await pipeOpen(TCP, { dest: server.localAddr });
  await until(() => server.clients.size === 1, "the connection");
  await client.close();
  await until(() => log.includes("end"), "the end");
  await pause(5);
  assertEquals(log, ["up", "end"]);
});

Deno.test("hostile: end handlers run at close even if a handler hangs after a reset", async () => {
  await using p = await pair({}, { route });
  let ends = 0;
  p.accepted.addMsgCb(() => new Promise(() => {}));
  p.accepted.addEndCb(() => void ends++);
  await sendOne(p.client, p.accepted, "1");
  p.client.abort();
  assertEquals((await p.accepted.closed).by, "reset");
  await p.accepted.close();
  assertEquals(ends, 1);
});

Deno.test("hostile: held messages that nobody wants do not stall a stream", async () => {
  await using p = await pair({ conf: { framing: "raw", readerLimit: 20_000 } });
  const sending = (async () => {
    for (let i = 0; i < 40; i++) await p.client.send(new Uint8Array(10_000));
    await p.client.send("hello");
  })();
  await until(() => p.accepted.stats.bytesIn >= 20_000, "a full inbox");
  const sub = p.accepted.subscribe({ match: "hello" });
  assertEquals(text(await sub.recv())?.includes("hello"), true);
  await sending;
});

Deno.test("hostile: a reader of the server leaves accepted connections their own", async () => {
  await using server = await pipeOpen(TCP, { route });
  await assertRejects(() => server.recv(undefined, { timeout: 0 }), PipeTimeoutError);
  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  await client.send("hello");
  await until(() => server.stats.messagesIn === 1, "arrival");
  await using accepted = await server.accept();
  assertEquals(text(await accepted?.recv()), "hello");

  const got: string[] = [];
  await using own = await pipeOpen(TCP, {
    route,
    upCb: async (_m, _f, pipe) => {
      for (let m = await pipe.recv(); m !== null; m = await pipe.recv()) {
        got.push(String(text(m)));
        await pause(2);
      }
    },
  });
  const talker = await pipeOpen(TCP, { dest: own.localAddr });
  for (const c of "12345") await talker.send(c);
  await assertRejects(() => own.recv(undefined, { timeout: 5 }), PipeTimeoutError);
  await talker.send("6");
  await until(() => got.join("") === "123456", "everything");
  await talker.close();
});

Deno.test("hostile: a datagram that cannot be sent does not end a link", async () => {
  const errors: unknown[] = [];
  await using source = await pipeOpen(UDP, { route, conf: { onError: (e) => errors.push(e) } });
  await using sink = await pipeOpen(UDP, { route });
  // A peer that may not be sent to.
  await using target = await pipeOpen(UDP, { dest: "127.255.255.255:9", route });
  source.addPipe(target);
  await sink.send("1", source.localAddr);
  await until(() => errors.length === 1, "the report");
  await sink.send("2", source.localAddr);
  await until(() => errors.length === 2, "the next one is tried");
});

Deno.test("hostile: wrong options are refused and lose nothing", async () => {
  await using p = await pair();
  await using q = await pair();
  // deno-lint-ignore no-explicit-any
  const wrong = (value: any) => value;
  await assertRejects(() => p.accepted.recv(undefined, wrong({ signal: {} })), TypeError, "signal");
  await assertRejects(
    () => p.accepted.recv(undefined, wrong({ timeOut: 5 })),
    TypeError,
    "timeOut",
  );
  await assertRejects(() => p.accepted.recv(undefined, wrong(5)), TypeError, "options");
  await assertRejects(() => p.server.accept(wrong(null)), TypeError, "options");
  const queue = new MessageQueue<string>();
  await assertRejects(() => queue.take(wrong({ signal: 1 })), TypeError, "signal");
  await assertRejects(() => queue.put("x", wrong(null)), TypeError, "options");
  await p.client.send("x");
  await until(() => p.accepted.stats.queued === 1, "arrival");
  assertThrows(() => p.accepted.addPipe(q.client, wrong(null)), TypeError, "options");
  assertThrows(() => p.accepted.addPipe(q.client, wrong({ end: 1 })), TypeError, "end");
  assertEquals(text(await p.accepted.recv()), "x");
  await using udp = await pipeOpen(UDP, { route });
  await assertRejects(() => udp.send("x", wrong({})), TypeError, "dest");
});

Deno.test("hostile: a handler added after the peer's end still makes the pipe close itself", async () => {
  await using p = await pair();
  await p.accepted.send("hi");
  await p.accepted.close();
  await until(() => p.client.stats.queued === 1, "arrival");
  await pause(5);
  const got: string[] = [];
  p.client.addMsgCb((msg) => void got.push(String(text(msg))));
  assertEquals(await p.client.closed, { by: "remote" });
  assertEquals(got, ["hi"]);
});

Deno.test("hostile: broadcast is refused to the pipe's own peer as well", async () => {
  for (const dest of ["255.255.255.255:9", "127.255.255.255:9"]) {
    await using pipe = await pipeOpen(UDP, { dest });
    await assertRejects(() => pipe.send("x"), PipeStateError, "broadcast");
    await assertRejects(() => pipe.send("x", dest), PipeStateError, "broadcast");
  }
});

// Only there can one port of a client be bound twice.
const onlyLinux = { ignore: Deno.build.os !== "linux" };

Deno.test(
  "hostile: two connections from one address and port are told apart",
  onlyLinux,
  async () => {
    await using server = await pipeOpen(TCP, { route: "0.0.0.0:0" });
    const { port } = server.localAddr;
    await using a = await pipeOpen(TCP, { dest: ["127.0.0.1", port], route });
    await using b = await pipeOpen(TCP, {
      dest: ["127.0.0.2", port],
      route: a.localAddr,
      conf: { reuseAddr: true },
    });
    const loop = (async () => {
      for await (const [msg, from] of server) await server.send(msg, from);
    })();
    await a.send("a");
    await b.send("b");
    assertEquals([await recvText(a, 1), await recvText(b, 1)], ["a", "b"]);
    await server.close();
    await loop;
  },
);

Deno.test("hostile: a socket closed underneath ends the pipe", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const server = await pipeOpen(TCP, { sock: listener });
  const waiting = server.accept();
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const client = await pipeOpen(TCP, { sock: conn });
  await waiting;
  conn.close();
  assertEquals((await client.closed).by, "local");
  listener.close();
  assertEquals((await server.closed).by, "local");
  assertEquals(await server.accept(), null);
});

Deno.test("hostile: one handler on an accepted pipe and on its server is called once", async () => {
  let calls = 0;
  const handler = () => void calls++;
  await using p = await pair();
  p.accepted.addMsgCb(handler);
  p.server.addMsgCb(handler);
  await sendOne(p.client, p.accepted, "x");
  assertEquals(calls, 1);
});

Deno.test("hostile: no handler is called after the end handler", async () => {
  const log: string[] = [];
  await using server = await pipeOpen(UDP, { route });
  server.addMsgCb((_m, _f, pipe) => {
    log.push("a");
    void pipe.close();
  });
  server.addMsgCb(() => void log.push("b"));
  server.addEndCb(() => void log.push("end"));
  await using client = await pipeOpen(UDP, { dest: server.localAddr });
  await client.send("x");
  await server.closed;
  assertEquals(log, ["a", "end"]);
});

Deno.test("hostile: a subscription with a handler says that there is nothing to receive", async () => {
  await using pipe = await pipeOpen(UDP, { route });
  const sub = pipe.subscribe(undefined, () => {});
  await assertRejects(() => sub.recv(), PipeStateError, "handler");
  await assertRejects(() => sub.recvFrom(), PipeStateError, "handler");
});
