/** The original's faults, each by its number, so that none of them comes along. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Pipe,
  PipeClosedError,
  PipeError,
  pipeOpen,
  PipeOpenError,
  PipeStateError,
  PipeTimeoutError,
  TCP,
  UDP,
} from "@p2pd/pipes";
import { ownMemory } from "../../helpers/own_memory.ts";
import { freePort, latch, recvAll, text, until } from "../../helpers/pipes.ts";

const route = "127.0.0.1:0";
const connect = (server: Pipe, options = {}) =>
  pipeOpen(server.proto, { dest: server.localAddr, ...options });

Deno.test("fault 1: a failed open is an error, never an empty result", async () => {
  await assertRejects(() => pipeOpen(TCP, { dest: ["127.0.0.1", freePort()] }), PipeOpenError);
  await assertRejects(() => pipeOpen(UDP, { route: "192.0.2.1:0" }), PipeOpenError);
});

Deno.test("fault 2: recv tells a time-out, the end, an unknown subscription and a reset apart", async () => {
  await using server = await pipeOpen(TCP, { route });
  await using client = await connect(server);
  await assertRejects(() => client.recv(undefined, { timeout: 1 }), PipeTimeoutError);
  await assertRejects(() => client.recv({ from: "1.2.3.4:5" }), PipeStateError);
  const accepted = await server.accept();
  await accepted?.close();
  assertEquals(await client.recv(), null);
  const rude = await connect(server, { route });
  const other = await server.accept();
  rude.abort();
  await assertRejects(async () => await other?.recv(), PipeClosedError);
});

Deno.test("fault 3: recv with timeout 0 does not wait", async () => {
  await using pipe = await pipeOpen(UDP, { route });
  const start = performance.now();
  await assertRejects(() => pipe.recv(undefined, { timeout: 0 }), PipeTimeoutError);
  assert(performance.now() - start < 100);
});

Deno.test("fault 4: the peer's close wakes a waiting recv", async () => {
  await using server = await pipeOpen(TCP, { route });
  await using client = await connect(server);
  const waiting = client.recv(undefined, { timeout: Infinity });
  await (await server.accept())?.close();
  assertEquals(await waiting, null);
});

Deno.test("fault 6: 200 MB to a peer that does not read: send waits, memory stays", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const client = await pipeOpen(TCP, { dest: ["127.0.0.1", listener.addr.port] });
  using _stalled = await listener.accept();
  const before = ownMemory();
  const chunk = new Uint8Array(1024 * 1024);
  let sent = 0;
  const sending = (async () => {
    while (sent < 200) {
      await client.send(chunk);
      sent++;
    }
  })();
  let last = -1;
  await until(() => {
    const still = last === sent;
    last = sent;
    return still;
  }, "a standstill");
  const growth = ownMemory() - before;
  assert(sent < 50, `${sent} MiB were taken`);
  assert(growth < 32, `memory grew by ${growth} MB`);
  client.abort();
  await assertRejects(() => sending, PipeClosedError);
});

Deno.test("fault 7: early data of an accepted connection is there, even if its sender has left", async () => {
  await using server = await pipeOpen(TCP, { route });
  const client = await connect(server);
  await client.send("early");
  await client.close();
  await until(() => server.stats.queued === 1, "arrival");
  await using accepted = await server.accept();
  assertEquals(await recvAll(accepted ?? client), "early");
});

Deno.test("fault 8: two accepts give two clients", async () => {
  await using server = await pipeOpen(TCP, { route });
  const accepts = [server.accept(), server.accept()];
  const clients = [await connect(server), await connect(server)];
  const ports = (await Promise.all(accepts)).map((pipe) => pipe?.remoteAddr?.port);
  assertEquals(ports, clients.map((client) => client.localAddr.port));
  for (const client of clients) await client.close();
});

Deno.test("fault 9: accept goes on after a client left un-accepted", async () => {
  await using server = await pipeOpen(TCP, { route, msgCb: () => {} });
  const gone = await connect(server);
  await until(() => server.clients.size === 1, "the first");
  await gone.close();
  await until(() => server.clients.size === 0, "its leaving");
  await using client = await connect(server);
  assertEquals((await server.accept())?.remoteAddr, client.localAddr);
});

Deno.test("fault 10: handlers of one stream finish in order", async () => {
  const log: string[] = [];
  const gates = [latch(), latch()];
  await using server = await pipeOpen(TCP, {
    route,
    msgCb: async (msg) => {
      const word = String(text(msg));
      await gates[Number(word)]?.done;
      log.push(word);
    },
  });
  await using client = await connect(server);
  for (const word of ["0", "1"]) {
    await client.send(word);
    await until(() => server.stats.messagesIn > Number(word), "arrival");
  }
  gates[1]?.open();
  gates[0]?.open();
  await until(() => log.length === 2, "both");
  assertEquals(log, ["0", "1"]);
});

Deno.test("fault 11: a handler removed on one client stays for the others", async () => {
  const log: number[] = [];
  const handler = (msg: Uint8Array) => void log.push(msg[0] ?? 0);
  await using server = await pipeOpen(TCP, { route, msgCb: handler });
  await using a = await connect(server);
  await until(() => server.clients.size === 1, "a");
  for (const pipe of server.clients) pipe.delMsgCb(handler);
  await using b = await connect(server);
  await a.send(new Uint8Array([1]));
  await b.send(new Uint8Array([2]));
  await until(() => server.stats.messagesIn === 2, "both");
  assertEquals(log, [2]);
});

Deno.test("fault 12: an end handler added after close runs at once", async () => {
  const pipe = await pipeOpen(UDP, { route });
  await pipe.close();
  const ended = latch<null>();
  pipe.addEndCb((msg) => ended.open(msg));
  assertEquals(await ended.done, null);
});

Deno.test("fault 15: a pattern on a stream is refused, since HEL and LO may come apart", async () => {
  await using server = await pipeOpen(TCP, { route });
  await using client = await connect(server);
  assertThrows(() => client.subscribe({ match: /^HELLO/ }), PipeStateError, "framing");
  await assertRejects(() => client.request("x", { match: "HELLO" }), PipeStateError, "framing");
});

Deno.test("fault 16: unsubscribe works for an IPv6 filter, however it is spelt", async () => {
  await using pipe = await pipeOpen(UDP, { route });
  const sub = pipe.subscribe({ from: "[::1]:0" });
  pipe.unsubscribe({ from: ["0:0:0:0:0:0:0:1", 0] });
  assertEquals(await sub.recv(), null);
  await assertRejects(() => pipe.recv({ from: "[::1]:0" }), PipeStateError);
});

Deno.test("fault 17: a UDP client takes nothing from strangers", async () => {
  await using server = await pipeOpen(UDP, { route });
  await using stranger = await pipeOpen(UDP, { route });
  await using client = await connect(server, { route });
  await stranger.send("forged", client.localAddr);
  await server.send("real", client.localAddr);
  assertEquals(text(await client.recv()), "real");
  assertEquals(client.stats.strangers, 1);
});

Deno.test("fault 18: up handlers run for UDP", async () => {
  const up = latch<number>();
  await using pipe = await pipeOpen(UDP, { route, upCb: (_m, from) => up.open(from.port) });
  assertEquals(await up.done, pipe.localAddr.port);
});

Deno.test("fault 24: what is pending in a link is delivered when its source closes", async () => {
  await using a = await pipeOpen(TCP, { route });
  await using b = await pipeOpen(TCP, { route });
  const inlet = await connect(a);
  const outlet = await connect(b);
  const source = await a.accept();
  const end = await b.accept();
  if (source === null || end === null) throw new Error("unreachable");
  source.addPipe(outlet);
  const size = 4 * 1024 * 1024;
  await Promise.all([
    inlet.send(new Uint8Array(size)).then(() => inlet.close()),
    (async () => {
      let got = 0;
      for await (const [msg] of end) if ((got += msg.length) === size) break;
    })(),
  ]);
  assertEquals(outlet.stats.bytesOut, size);
  await outlet.close();
});

Deno.test("fault 24: a link to a UDP target works", async () => {
  await using sink = await pipeOpen(UDP, { route });
  await using target = await connect(sink);
  await using server = await pipeOpen(TCP, { route, upCb: (_m, _f, p) => void p.addPipe(target) });
  await using client = await connect(server);
  await client.send("over");
  assertEquals(text(await sink.recv()), "over");
});

Deno.test("fault 35: no payload in errors, logs or what inspecting shows", async () => {
  const secret = "s3cret";
  const shown: string[] = [];
  const { error } = console;
  console.error = (...args: unknown[]) => void shown.push(args.map((a) => Deno.inspect(a)).join());
  try {
    await using server = await pipeOpen(UDP, {
      route,
      msgCb: () => {
        throw new Error("a handler's fault");
      },
    });
    await using idle = await pipeOpen(UDP, { route });
    await using client = await connect(server);
    await client.send(secret);
    await client.send(secret, server.localAddr);
    await client.send(secret);
    await until(() => shown.length === 3, "the reports");
    await idle.send(secret, idle.localAddr);
    await until(() => idle.stats.queued === 1, "a queued message");
    shown.push(Deno.inspect(server, { depth: 9 }), Deno.inspect(idle, { depth: 9 }));
    await client.send("x".repeat(65508)).catch((e) => shown.push(Deno.inspect(e)));
    await client.send(secret, ["127.0.0.1", 0]).catch((e) => shown.push(Deno.inspect(e)));
    await client.close();
    await client.send(secret).catch((e) => shown.push(Deno.inspect(e)));
  } finally {
    console.error = error;
  }
  const bytes = new TextEncoder().encode(secret).join(", ");
  for (const text of shown) assert(!text.includes(secret) && !text.includes(bytes), text);
  assertEquals(shown.length, 8);
});

Deno.test("fault 36: what a handler throws is reported, by default to console.error", async () => {
  const { error } = console;
  const reported = latch<unknown>();
  console.error = (what: unknown) => reported.open(what);
  const failure = new Error("mine");
  try {
    await using server = await pipeOpen(UDP, { route, msgCb: () => Promise.reject(failure) });
    await using client = await connect(server);
    await client.send("x");
    assertEquals(await reported.done, failure);
  } finally {
    console.error = error;
  }
  assert(!(failure instanceof PipeError));
});
