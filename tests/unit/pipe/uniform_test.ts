/** What holds for every kind of pipe alike. */
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  NET_CONF,
  type NetAddr,
  type Pipe,
  PipeClosedError,
  pipeOpen,
  PipeStateError,
  PipeTimeoutError,
  SUB_ALL,
  TCP,
} from "@p2pd/pipes";
import { connect, forEachKind, latch, recvText, serve, text, until } from "../../helpers/pipes.ts";
import { retaking } from "../../helpers/retaking.ts";

forEachKind("the echo loop", async (kind) => {
  await using server = await serve(kind);
  const loop = (async () => {
    for await (const [msg, from] of server) await server.send(msg, from);
  })();
  await using a = await connect(server);
  await using b = await connect(server);
  for (const [client, word] of [[a, "one"], [b, "two"], [a, "three"]] as const) {
    assertEquals(await client.send(word), word.length);
    assertEquals(text(await client.recv()), word);
  }
  await server.close();
  await loop;
});

forEachKind("the echo handler, given the pipe to answer on", async (kind) => {
  const calls: [NetAddr, Pipe][] = [];
  await using server = await serve(kind, {
    msgCb: (msg, from, pipe) => {
      calls.push([from, pipe]);
      return pipe.send(msg, from);
    },
  });
  await using client = await connect(server);
  await client.send("ping");
  assertEquals(text(await client.recv()), "ping");
  const [from, pipe] = calls[0] ?? [];
  assertEquals(from?.port, client.localAddr.port);
  assertEquals(from?.transport, kind.proto);
  assertEquals(pipe?.role, kind.proto === TCP ? "accepted" : "server");
  assertEquals(pipe === server, kind.proto !== TCP);
});

forEachKind("addresses, roles and conf", async (kind) => {
  await using server = await serve(kind, { conf: { recvTimeout: 5 } });
  await using client = await connect(server);
  assertEquals(server.localAddr.hostname, kind.host);
  assert(server.localAddr.port > 0);
  assertEquals(Object.getPrototypeOf(server.localAddr), Object.prototype);
  assertEquals([server.remoteAddr, server.role, server.proto], [undefined, "server", kind.proto]);
  assertEquals([client.remoteAddr, client.role], [server.localAddr, "client"]);
  const { useSsl } = server.conf;
  assertEquals(server.conf, { ...NET_CONF, useSsl, recvTimeout: 5 });
  assert(Object.isFrozen(server.conf));
  assertEquals(server.route, [kind.host, 0]);
});

forEachKind("text is sent as UTF-8, and what comes back is the receiver's", async (kind) => {
  await using server = await serve(kind, { msgCb: (msg, from, pipe) => pipe.send(msg, from) });
  await using client = await connect(server);
  const word = "žluťoučký 🐎";
  const bytes = new TextEncoder().encode(word);
  assertEquals(await client.send(word), bytes.length);
  const first = await client.recv();
  assertEquals(first, bytes);
  await client.send("something else entirely");
  await client.recv();
  assertEquals(first, bytes);
});

forEachKind("what arrives before the first reader is kept for it", async (kind) => {
  await using server = await serve(kind);
  await using client = await connect(server);
  await client.send("early");
  await until(() => server.stats.messagesIn > 0, "arrival");
  const got = latch<string>();
  server.addMsgCb((msg) => got.open(String(text(msg))));
  assertEquals(await got.done, "early");
});

forEachKind("recv a greeting, then go on with a handler", async (kind) => {
  await using server = await serve(kind, {
    upCb: kind.proto === TCP ? (_m, _f, pipe) => pipe.send("greeting") : undefined,
    msgCb: (msg, from, pipe) => pipe.send(msg, from),
  });
  await using client = await connect(server);
  if (kind.proto !== TCP) await client.send("greeting");
  assertEquals(text(await client.recv()), "greeting");
  const got: string[] = [];
  client.addMsgCb((msg) => got.push(String(text(msg))));
  await client.send("next");
  await until(() => got.join("") === "next", "the handler");
  assertEquals(client.stats.queued, 0);
});

forEachKind("a recv still waiting gets the next message, handler or not", async (kind) => {
  await using server = await serve(kind);
  await using client = await connect(server);
  const waiting = server.recvFrom();
  let handled = 0;
  server.addMsgCb(() => void handled++);
  await client.send("both");
  const [msg, from] = await waiting ?? [];
  assertEquals([text(msg), from?.port], ["both", client.localAddr.port]);
  assertEquals(handled, 1);
});

forEachKind("recv: null at the end for good, a time-out is an error", async (kind) => {
  await using server = await serve(kind);
  await using client = await connect(server, { conf: { recvTimeout: 3 } });
  await assertRejects(() => client.recv(), PipeTimeoutError, "3 ms");
  await assertRejects(() => client.recv(SUB_ALL, { timeout: 1 }), PipeTimeoutError, "1 ms");
  const waiting = client.recvFrom(undefined, { timeout: Infinity });
  await client.close();
  assertEquals([await waiting, await client.recv(), await client.recvFrom()], [null, null, null]);
});

forEachKind("a wait is ended by its signal, with the signal's reason", async (kind) => {
  await using server = await serve(kind);
  await using client = await connect(server);
  const controller = new AbortController();
  const reason = new Error("never mind");
  const waiting = server.recv(undefined, { signal: controller.signal, timeout: Infinity });
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => waiting), reason);
  await client.send("not lost");
  assertEquals(text(await server.recv()), "not lost");
});

forEachKind("several consumers: each gets every message", async (kind) => {
  await using server = await serve(kind);
  await using client = await connect(server);
  const handled: string[] = [];
  server.addMsgCb((msg) => void handled.push(String(text(msg))));
  const all = server.subscribe();
  const again = server.subscribe(SUB_ALL);
  const loop = (async () => {
    for await (const [msg] of server) return text(msg);
  })();
  await client.send("hi");
  assertEquals(text(await all.recv()), "hi");
  assertEquals(text((await again.recvFrom())?.[0]), "hi");
  assertEquals(await loop, "hi");
  assertEquals(handled, ["hi"]);
});

forEachKind("leaving a loop leaves the rest to the next reader", async (kind) => {
  await using server = await serve(kind);
  await using client = await connect(server);
  for (const word of ["one", "two", "three"]) {
    await client.send(word);
    // One message each, on streams too.
    const before = server.stats.messagesIn;
    await until(() => server.stats.messagesIn > before || server.stats.queued > 0, "arrival");
  }
  const seen: string[] = [];
  for await (const [msg] of server) {
    seen.push(String(text(msg)));
    break;
  }
  while (seen.join("") !== "onetwothree") seen.push(String(text(await server.recv())));
});

forEachKind("up runs once, first; end runs once, also when added after it", async (kind) => {
  const log: string[] = [];
  const ended = latch();
  await using server = await serve(kind, {
    upCb: (msg, _from, pipe) => void log.push(`up ${msg} ${pipe.role}`),
    msgCb: (msg) => void log.push(`msg ${text(msg)}`),
    endCb: (msg) => {
      log.push(`end ${msg}`);
      ended.open();
    },
  });
  const client = await connect(server);
  await client.send("x");
  await until(() => log.includes("msg x"), "the message");
  await client.close();
  if (kind.proto !== TCP) await server.close();
  await ended.done;
  const role = kind.proto === TCP ? "accepted" : "server";
  assertEquals(log, [`up null ${role}`, "msg x", "end null"]);
  const late = latch<null>();
  client.addEndCb((msg) => late.open(msg));
  assertEquals(await late.done, null);
});

forEachKind("handlers can be removed, and adding one twice has no effect", async (kind) => {
  await using server = await serve(kind);
  await using client = await connect(server);
  let calls = 0;
  const count = () => void calls++;
  server.addMsgCb(count).addMsgCb(count);
  await client.send("a");
  await until(() => calls === 1, "one call");
  server.delMsgCb(count).delMsgCb(count);
  await client.send("b");
  assertEquals(text(await server.recv()), "b");
  assertEquals(calls, 1);
  const up = () => void calls++;
  server.addUpCb(up).delUpCb(up).addEndCb(up).delEndCb(up);
});

forEachKind("a handler that throws or rejects hurts nobody else", async (kind) => {
  const errors: unknown[] = [];
  await using server = await serve(kind, {
    conf: { onError: (error) => void errors.push(error) },
    msgCb: () => {
      throw new Error("thrown");
    },
  });
  server.addMsgCb(() => Promise.reject(new Error("rejected")));
  server.addMsgCb((msg, from, pipe) => pipe.send(msg, from));
  await using client = await connect(server);
  for (const word of ["a", "b"]) {
    await client.send(word);
    assertEquals(text(await client.recv()), word);
  }
  await until(() => errors.length === 4, "four reports");
  assertEquals(errors.map((e) => e instanceof Error && e.message).sort(), [
    "rejected",
    "rejected",
    "thrown",
    "thrown",
  ]);
});

forEachKind(
  "close: idempotent, ends everything, frees the port, refuses what follows",
  retaking(async (kind) => {
    const server = await serve(kind);
    const client = await connect(server);
    const loop = (async () => {
      for await (const _ of server);
    })();
    const waiting = client.recv(undefined, { timeout: Infinity });
    await Promise.all([client.close(), client.close()]);
    await client.close();
    client.abort();
    assertEquals(await waiting, null);
    assertEquals(await client.closed, { by: "local" });
    await assertRejects(() => client.send("x"), PipeClosedError, "closed");
    await server.close();
    await loop;
    assertEquals(await server.closed, { by: "local" });
    const again = await pipeOpen(kind.proto, { route: server.localAddr });
    assertEquals(again.localAddr, server.localAddr);
    await again.close();
  }),
);

forEachKind("abort: at once, with the reason for those who wait", async (kind) => {
  await using server = await serve(kind);
  const client = await connect(server);
  const reason = new Error("enough");
  const waiting = client.recv(undefined, { timeout: Infinity });
  client.abort(reason);
  const error = await assertRejects(() => waiting, PipeClosedError);
  assertStrictEquals(error.cause, reason);
  assertEquals(await client.closed, { by: "local", error: reason });
  await assertRejects(() => client.recv(), PipeClosedError);
  await client.close();
});

forEachKind("await using closes", async (kind) => {
  let inside: Pipe;
  {
    await using server = await serve(kind);
    inside = server;
  }
  assertEquals(await inside.closed, { by: "local" });
});

forEachKind("a server without a client, and a dest of a wrong kind", async (kind) => {
  await using server = await serve(kind);
  await assertRejects(() => server.send("to whom?"), PipeStateError, "dest");
  // @ts-expect-error not data
  await assertRejects(() => server.send(5, ["127.0.0.1", 9]), TypeError, "data");
  // @ts-expect-error not an address
  await assertRejects(() => server.send("x", 5), TypeError, "dest");
  await assertRejects(() => server.send("x", [kind.host, 65536]), RangeError, "65536");
  await assertRejects(() => server.request("x"), PipeStateError);
});

forEachKind("sends from many places arrive whole and in order", async (kind) => {
  await using server = await serve(kind, { msgCb: (msg, from, pipe) => pipe.send(msg, from) });
  await using client = await connect(server);
  const words = Array.from({ length: 50 }, (_, i) => `<${i}:${"x".repeat(i)}>`);
  const sends = words.map((word) => client.send(word));
  assertEquals(await Promise.all(sends), words.map((w) => w.length));
  const all = words.join("");
  assertEquals(await recvText(client, all.length), all);
});

forEachKind("stats count both directions", async (kind) => {
  await using server = await serve(kind);
  await using client = await connect(server);
  await client.send("four");
  await until(() => server.stats.queued === 1, "arrival");
  assertEquals(server.stats, {
    bytesIn: 4,
    bytesOut: 0,
    messagesIn: 1,
    messagesOut: 0,
    dropped: 0,
    duplicates: 0,
    strangers: 0,
    refused: 0,
    tlsFailed: 0,
    acceptErrors: 0,
    queued: 1,
  });
  assertEquals([client.stats.bytesOut, client.stats.messagesOut], [4, 1]);
  await server.recv();
  assertEquals(server.stats.queued, 0);
});

forEachKind("streams: readable and writable", async (kind) => {
  await using server = await serve(kind, { msgCb: (msg, from, pipe) => pipe.send(msg, from) });
  await using client = await connect(server);
  const writer = client.writable.getWriter();
  const reader = client.readable.getReader();
  await writer.write(new TextEncoder().encode("through"));
  assertEquals(text((await reader.read()).value), "through");
  if (kind.proto === TCP) {
    await writer.close();
    assertEquals((await reader.read()).done, true);
  }
  await reader.cancel();
  if (kind.proto !== TCP) await writer.close();
});

forEachKind(
  "close after abort: when it returns the port can be bound again",
  retaking(async (kind) => {
    for (let i = 0; i < 10; i++) {
      const pipe = await serve(kind);
      pipe.abort();
      await pipe.close();
      const again = await pipeOpen(kind.proto, { route: pipe.localAddr });
      await again.close();
    }
  }),
);
