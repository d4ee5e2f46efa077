/** One test for each key of NET_CONF that has none elsewhere, of what it changes outside. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  NET_CONF,
  type Pipe,
  PipeClosedError,
  pipeOpen,
  PipeTimeoutError,
  TCP,
  UDP,
} from "@p2pd/pipes";
import { MsgIds } from "../../../lib/pipe/msg_ids.ts";
import { connect, forEachKind, latch, recvAll, serve, text, until } from "../../helpers/pipes.ts";

const route = "127.0.0.1:0";

Deno.test("conf: linger 0: closing is a reset, of a client and of an accepted pipe", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const client = await pipeOpen(TCP, {
    dest: ["127.0.0.1", listener.addr.port],
    conf: { linger: 0 },
  });
  using peer = await listener.accept();
  await client.send("x");
  await client.close();
  await assertRejects(async () => {
    while (await peer.read(new Uint8Array(9)) !== null);
  }, Deno.errors.ConnectionReset);

  await using server = await pipeOpen(TCP, { route, conf: { linger: 0 } });
  using raw = await Deno.connect({ hostname: "127.0.0.1", port: server.localAddr.port });
  const accepted = await server.accept();
  await accepted?.send("x");
  await accepted?.close();
  await assertRejects(async () => {
    while (await raw.read(new Uint8Array(9)) !== null);
  }, Deno.errors.ConnectionReset);
});

Deno.test("conf: linger n: close waits so long for a peer that does not read, then resets", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const client = await pipeOpen(TCP, {
    dest: ["127.0.0.1", listener.addr.port],
    conf: { linger: 50 },
  });
  using peer = await listener.accept();
  const sending = assertRejects(() => client.send(new Uint8Array(50_000_000)), PipeClosedError);
  const start = performance.now();
  await client.close();
  const took = performance.now() - start;
  await sending;
  assert(took > 45 && took < 2000, `${took} ms`);
  await assertRejects(async () => {
    while (await peer.read(new Uint8Array(65536)) !== null);
  }, Deno.errors.ConnectionReset);
});

Deno.test("conf: linger n: a peer that reads gets everything and no reset", async () => {
  await using server = await pipeOpen(TCP, { route });
  const client = await pipeOpen(TCP, { dest: server.localAddr, conf: { linger: 10_000 } });
  await using accepted = await server.accept();
  const sending = client.send(new Uint8Array(5_000_000));
  const closing = client.close();
  assertEquals((await recvAll(accepted ?? client)).length, 5_000_000);
  await Promise.all([sending, closing]);
});

forEachKind("conf: idleTimeout ends a silent pipe, and no other", async (kind) => {
  await using server = await serve(kind, { msgCb: (msg, from, pipe) => pipe.send(msg, from) });
  const client = await connect(server, {
    conf: { idleTimeout: 60, recvTimeout: 1000 },
  });
  const start = performance.now();
  let last = start;
  while (last - start < 150) {
    await client.send("tick");
    await client.recv();
    last = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const info = await client.closed;
  const quiet = performance.now() - last;
  assertEquals(info.by, "idle");
  assertInstanceOf(info.error, PipeTimeoutError);
  assert(quiet > 40 && quiet < 1000, `${quiet} ms`);
  const error = await assertRejects(() => client.recv(), PipeClosedError, "60 ms");
  assertInstanceOf(error.cause, PipeTimeoutError);
});

// The sanitizer sees the timer, if one is left.
Deno.test("conf: idleTimeout watches no pipe that an up handler has ended", async () => {
  for (const end of ["abort", "close"] as const) {
    const upCb = (_msg: null, _from: unknown, pipe: Pipe) => void pipe[end]();
    await using server = await pipeOpen(TCP, { route, conf: { idleTimeout: 60_000 }, upCb });
    await using client = await pipeOpen(TCP, { dest: server.localAddr });
    await client.recv().catch(() => {});
  }
});

Deno.test("conf: idleTimeout ends the connections of a server, not the server", async () => {
  await using server = await pipeOpen(TCP, { route, conf: { idleTimeout: 20 }, msgCb: () => {} });
  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  await until(() => server.clients.size === 1, "the connection");
  assertEquals(await client.recv(), null);
  assertEquals(server.clients.size, 0);
  await using again = await pipeOpen(TCP, { dest: server.localAddr });
  await again.send("still there");
});

Deno.test("conf: maxClients turns the next connection away, counted, until there is room", async () => {
  const echo = (msg: Uint8Array, _from: unknown, pipe: Pipe) => pipe.send(msg);
  await using server = await pipeOpen(TCP, { route, conf: { maxClients: 2 }, msgCb: echo });
  const connect = () => pipeOpen(TCP, { dest: server.localAddr });
  const a = await connect();
  await using b = await connect();
  await until(() => server.clients.size === 2, "two clients");
  const refused = await connect();
  await refused.recv().catch(() => {}); // the end or a reset
  await refused.close();
  assertEquals([server.stats.refused, server.clients.size], [1, 2]);
  await a.close();
  await until(() => server.clients.size === 1, "room");
  await using c = await connect();
  for (const pipe of [b, c]) assertEquals(text((await pipe.request("hi"))[0]), "hi");
});

Deno.test("conf: enableMsgIds drops what the same peer has sent before, and counts it", async () => {
  await using server = await pipeOpen(UDP, { route, conf: { enableMsgIds: true, maxMsgIds: 2 } });
  await using a = await pipeOpen(UDP, { dest: server.localAddr });
  await using b = await pipeOpen(UDP, { dest: server.localAddr });
  // The third message makes the server forget the first.
  for (
    const [pipe, word] of [[a, "1"], [a, "1"], [b, "1"], [a, "2"], [a, "3"], [a, "1"]] as const
  ) {
    await pipe.send(word);
  }
  await until(() => server.stats.messagesIn === 6, "all six");
  const words = [];
  while (server.stats.queued > 0) words.push(text(await server.recv()));
  assertEquals(words, ["1", "1", "2", "3", "1"]);
  assertEquals(server.stats.duplicates, 1);
});

Deno.test("conf: enableMsgIds takes a function for the id; its faults are reported", async () => {
  const errors: unknown[] = [];
  await using server = await pipeOpen(UDP, {
    route,
    conf: {
      enableMsgIds: (msg) => {
        if (msg.length === 0) throw new Error("no number");
        return msg[0] ?? 0;
      },
      onError: (error) => void errors.push(error),
    },
  });
  await using client = await pipeOpen(UDP, { dest: server.localAddr });
  for (const word of ["1 first", "1 again", "2", ""]) await client.send(word);
  await until(() => server.stats.messagesIn === 4, "all four");
  assertEquals([server.stats.queued, server.stats.duplicates, errors.length], [3, 1, 1]);
  await assertRejects(
    () => pipeOpen(TCP, { route, conf: { enableMsgIds: true } }),
    TypeError,
    "framing",
  );
});

Deno.test("conf: message ids are exact and bounded, whoever sends", () => {
  const ids = new MsgIds(1000);
  const from = (port: number) => ({ transport: "udp" as const, hostname: "192.0.2.1", port });
  const message = new Uint8Array(1000);
  const view = new DataView(message.buffer);
  let most = 0;
  for (let i = 0; i < 20_000; i++) {
    view.setUint32(0, i);
    assert(!ids.seen(message, from(i % 15_000)));
    assert(ids.seen(message, from(i % 15_000)));
    most = Math.max(most, ids.size);
  }
  assert(most > 4_000_000 && most <= 4 * 1024 * 1024, `${most} characters`);
  // One byte apart is another message; a number is not its text.
  const kinds = new MsgIds(9, (msg) => msg.length === 1 ? 1 : msg.length === 2 ? "1" : 1n);
  for (const length of [1, 2, 3]) assertEquals(kinds.seen(new Uint8Array(length), from(1)), false);
});

Deno.test("conf: message ids take no longer for the latest of many made-up senders", () => {
  const ids = new MsgIds(1000), nothing = new Uint8Array();
  const times: number[] = [];
  for (let batch = 0, i = 0; batch < 26; batch++) {
    const start = performance.now();
    for (const end = i + 10_000; i < end; i++) {
      const hostname = `10.0.${i >> 8 & 255}.${i & 255}`;
      ids.seen(nothing, { transport: "udp", hostname, port: 1 + (i >> 16) });
    }
    times.push(performance.now() - start);
  }
  // Up to the eighth nothing has to be forgotten.
  const early = Math.min(...times.slice(1, 8)), late = Math.min(...times.slice(-8));
  assert(late < 6 * early, `${late} ms for as many as took ${early} ms`);
});

Deno.test("conf: sendRetry is how often request sends again", async () => {
  let asked = 0;
  await using server = await pipeOpen(UDP, { route, msgCb: () => void asked++ });
  await using client = await pipeOpen(UDP, {
    dest: server.localAddr,
    conf: { sendRetry: 3, recvTimeout: 600 },
  });
  await assertRejects(() => client.request("?"), PipeTimeoutError, "sent 4 times");
  await until(() => asked === 4, "four tries");
});

Deno.test("conf: onError that throws itself ends nothing", async () => {
  const { error } = console;
  const reported = latch<unknown>();
  console.error = (what: unknown) => reported.open(what);
  try {
    await using server = await pipeOpen(UDP, {
      route,
      conf: {
        onError: () => {
          throw new Error("in onError");
        },
      },
      msgCb: (msg, from, pipe) => {
        if (msg.length === 0) throw new Error("in the handler");
        return pipe.send(msg, from);
      },
    });
    await using client = await pipeOpen(UDP, { dest: server.localAddr });
    await client.send("");
    assertEquals(text((await client.request("still here"))[0]), "still here");
    const what = await reported.done;
    assert(what instanceof Error && what.message === "in onError");
  } finally {
    console.error = error;
  }
});

const ignore = (await Deno.permissions.query({ name: "read" })).state !== "granted";

Deno.test("conf: every key has a default, and README lists each with it", { ignore }, async () => {
  const readme = await Deno.readTextFile(new URL("../../../README.md", import.meta.url));
  for (const [key, value] of Object.entries(NET_CONF)) {
    const shown = typeof value === "function" ? "`console.error`" : String(value);
    const row = readme.split("\n").find((line) => line.startsWith(`| \`${key}\``));
    assertEquals(row?.split("|")[2]?.trim(), shown, key);
  }
});

Deno.test("conf: an unknown key is told the one that may have been meant, if any is near", async () => {
  const open = (key: string) => pipeOpen(UDP, { conf: { [key]: 1 } });
  const near = 'conf: there is no "recv_timeout"; did you mean "recvTimeout"?';
  await assertRejects(() => open("recv_timeout"), TypeError, near);
  await assertRejects(() => open("x"), TypeError, 'conf: there is no "x"; NET_CONF has all');
});
