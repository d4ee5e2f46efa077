/** `conf.framing`: every consumer gets whole messages, whatever the stream is made of. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  delimiter,
  type Framing,
  jsonLines,
  lengthPrefixed,
  lines,
  netstring,
  type Pipe,
  PipeClosedError,
  PipeError,
  pipeOpen,
  type PipeOptions,
  PipeStateError,
  RUDP,
  TCP,
  UDP,
} from "@p2pd/pipes";
import { ownMemory } from "../../helpers/own_memory.ts";
import { latch, recvAll, text, until } from "../../helpers/pipes.ts";
import { connectQuic, ignore as noQuic, serveQuic } from "../quic/quic.ts";
import { transformPairs } from "../../compliance/stream_pairs.ts";
import { freePath, hasPaths } from "../../helpers/unix.ts";
import { turns } from "../../helpers/turns.ts";

const route = "127.0.0.1:0";
const framed = { framing: lines() };

/** A framed server and somebody without framing, who sends what he likes as he likes. */
async function serve(options: Omit<PipeOptions, "dest" | "sock"> = {}) {
  const conf = { ...framed, onError: () => {}, ...options.conf };
  const server = await pipeOpen(TCP, { route, ...options, conf });
  const client = await pipeOpen(TCP, { dest: server.localAddr });
  const accepted = await server.accept();
  if (accepted === null) throw new Error("the server is closed");
  return {
    server,
    client,
    accepted,
    async [Symbol.asyncDispose]() {
      client.abort();
      accepted.abort();
      await server.close();
    },
  };
}

Deno.test("fault 15: with framing a pattern finds HEL and LO that came apart", async () => {
  await using p = await serve();
  const greetings = p.accepted.subscribe({ match: /^HELLO$/ });
  await p.client.send("HEL");
  await until(() => p.client.stats.bytesOut === 3, "the first half");
  await turns(5);
  await p.client.send("LO\nHELLO THERE\nHELLO\r\n");
  assertEquals([text(await greetings.recv()), text(await greetings.recv())], ["HELLO", "HELLO"]);
  assertEquals(greetings.size, 0);
});

/** Both ends of a framed connection, of each kind of stream. */
const STREAMS: readonly (readonly [string, boolean, (conf: object) => Promise<[Pipe, Pipe]>])[] = [
  ["TCP", false, (conf) => both({ route, conf }, conf)],
  [
    "TCP by node:net",
    false,
    (conf) => both({ route, conf: { ...conf, linger: 100 } }, conf, route),
  ],
  ["Unix", !hasPaths, (conf) => both({ route: { path: freePath() }, conf }, conf)],
  ["TLS", false, async (conf) => {
    const { clientTls, serverTls } = await import("../../helpers/tls.ts");
    const server = { route, conf: { ...conf, useSsl: serverTls() } };
    return await both(server, { ...conf, useSsl: clientTls() });
  }],
  ["QUIC", noQuic, async (conf) => {
    const server = await serveQuic({ conf });
    const client = await connectQuic(server, { conf });
    await client.send("a server sees no stream before something has come by it");
    const accepted = await server.accept();
    if (accepted === null) throw new Error("the server is closed");
    await accepted.recv();
    void accepted.closed.then(() => server.close());
    return [accepted, client];
  }],
  ["web streams", false, async (conf) => {
    const [a, b] = transformPairs();
    return [await pipeOpen(TCP, { sock: a, conf }), await pipeOpen(TCP, { sock: b, conf })];
  }],
];

async function both(options: object, conf: object, from?: string): Promise<[Pipe, Pipe]> {
  const server = await pipeOpen(TCP, options);
  const path = server.localAddr.path;
  const client = await pipeOpen(TCP, {
    dest: path === undefined ? server.localAddr : { path },
    route: from,
    conf,
  });
  const accepted = await server.accept();
  if (accepted === null) throw new Error("the server is closed");
  void accepted.closed.then(() => server.close());
  return [accepted, client];
}

for (const [name, ignore, open] of STREAMS) {
  Deno.test(`framed ${name}: whole messages for recv, loops, handlers, queues and request`, {
    ignore,
  }, async () => {
    const conf = { framing: lengthPrefixed(4) };
    const [a, b] = await open(conf);
    // However small or big, however many at once.
    const messages = ["one", "", "x".repeat(100_000), "two"];
    const sent = Promise.all(messages.map((message) => a.send(message)));
    for (const message of messages) assertEquals(text(await b.recv()), message);
    assertEquals(await sent, [3, 0, 100_000, 3]);
    assertEquals(b.stats.messagesIn, 4);
    assertEquals([b.stats.bytesIn, a.stats.bytesOut], [100_006, 100_006]);
    const odd = b.subscribe({ match: /^[13579]/ });
    const seen: unknown[] = [];
    const even = b.subscribe({ match: /^[02468]/ }, (msg) => void seen.push(text(msg)));
    for (let i = 0; i < 10; i++) await a.send(`${i}`);
    for (const digit of "13579") assertEquals(text(await odd.recv()), digit);
    await until(() => seen.length === 5, "the even ones");
    assertEquals(seen, [..."02468"]);
    odd.close();
    even.close();
    b.addMsgCb((msg, _from, pipe) => pipe.send(`re: ${text(msg)}`));
    const asked = ["c", "a", "b"].map((word) => a.request(word, { match: `re: ${word}` }));
    assertEquals((await Promise.all(asked)).map(([msg]) => text(msg)), ["re: c", "re: a", "re: b"]);
    assertEquals(a.stats.queued, 0);
    // The end comes after the last message.
    const loop = recvAll(a);
    await b.send("last");
    await b.closeWrite();
    assertEquals(await loop, "last");
    await Promise.all([a.close(), b.close()]);
  });
}

Deno.test("framed: one chunk may hold many messages: they wait one by one, none is lost", async () => {
  await using p = await serve({ conf: { maxQsize: 3 } });
  const many = Array.from({ length: 2000 }, (_, i) => `line ${i}`);
  await p.client.send(many.map((line) => `${line}\n`).join(""));
  await until(() => p.accepted.stats.queued > 0, "the first");
  await turns(5);
  assertEquals([p.accepted.stats.queued, p.accepted.stats.messagesIn], [3, 3]);
  for (const line of many) {
    assertEquals(text(await p.accepted.recv()), line);
    assert(p.accepted.stats.queued <= 3);
  }
  assertEquals(p.accepted.stats.messagesIn, 2000);
});

Deno.test("framed: handlers finish one message before they get the next, then the end", async () => {
  const log: string[] = [];
  await using p = await serve({
    msgCb: async (msg) => {
      log.push(`<${text(msg)}`);
      await turns(2);
      log.push(`${text(msg)}>`);
    },
    endCb: () => void log.push("end"),
  });
  await p.client.send("a\nb\nlast");
  await p.client.closeWrite();
  await until(() => log.includes("end"), "the end");
  assertEquals(log, ["<a", "a>", "<b", "b>", "<last", "last>", "end"]);
});

Deno.test("framed: what cannot be framed is refused, nothing is sent, and the connection lives on", async () => {
  await using p = await serve({ conf: { framing: lines({ max: 9 }) } });
  await assertRejects(() => p.accepted.send("a\nb"), TypeError, "data: has an end of line in it");
  await assertRejects(
    () => p.accepted.send("0123456789"),
    RangeError,
    "maximum of lines(), 9 bytes",
  );
  await assertRejects(() => p.server.send("\n", p.client.localAddr), TypeError);
  await assertRejects(() => p.accepted.request("\n"), TypeError);
  await p.accepted.send("fine");
  assertEquals(text(await p.client.recv()), "fine\n");
  assertEquals([p.accepted.stats.messagesOut, p.accepted.stats.bytesOut], [1, 4]);
});

const BREACHES: readonly (readonly [string, Framing, string, string])[] = [
  ["a line that is too long", lines({ max: 100 }), "x".repeat(103), "maximum of 100 bytes"],
  ["a huge length", lengthPrefixed(4), "\x7f\x7f\x7f\x7f", "maximum of 1048576 bytes"],
  ["no netstring", netstring(), "GET / HTTP/1.1\r\n", "in place of a netstring's length"],
  ["no JSON", jsonLines(), "secret\n", "no JSON text"],
];
for (const [what, framing, bytes, why] of BREACHES) {
  Deno.test(`framed: ${what} ends that connection, with the reason, and no other`, async () => {
    const conf = { framing };
    await using p = await serve({ conf });
    await using other = await pipeOpen(TCP, { dest: p.server.localAddr, conf });
    await other.send("1");
    await p.client.send(framing.encode(new Uint8Array([49])));
    await p.client.send(bytes);
    const info = await p.accepted.closed;
    assertEquals(info.by, "error");
    assert(info.error instanceof Error && info.error.message.includes(why), String(info.error));
    // What came before it can still be read.
    assertEquals(text(await p.accepted.recv()), "1");
    const error = await assertRejects(() => p.accepted.recv(), PipeClosedError, why);
    assertEquals(error.cause, info.error);
    assert(!Deno.inspect(error).includes("secret"));
    assertEquals(await p.client.recv(), null);
    assertEquals(text(await (await p.server.accept())?.recv()), "1");
  });
}

Deno.test("framed: a line without an end costs its maximum, not what is sent", async () => {
  await using p = await serve();
  const chunk = new Uint8Array(1024 * 1024).fill(120);
  const before = ownMemory();
  const flood = (async () => {
    for (let i = 0; i < 200; i++) await p.client.send(chunk);
  })();
  await assertRejects(() => p.accepted.recv(), PipeClosedError, "maximum of 65536 bytes");
  await assertRejects(() => flood, PipeClosedError);
  const growth = ownMemory() - before;
  assert(growth < 50, `memory grew by ${growth} MB`);
});

Deno.test("framed: a stream that ends within a message is an error, a reset is a reset", async () => {
  const conf = { framing: netstring() };
  await using p = await serve({ conf });
  await p.client.send("1:a,5:hel");
  await p.client.closeWrite();
  assertEquals(text(await p.accepted.recv()), "a");
  await assertRejects(() => p.accepted.recv(), PipeClosedError, "within a message, after 5 bytes");
  await using q = await serve({ conf });
  const rude = await pipeOpen(TCP, { dest: q.server.localAddr, route });
  const other = await q.server.accept();
  await rude.send("1:b,5:hel");
  await until(() => other?.stats.messagesIn === 1, "the message");
  rude.abort();
  assertEquals((await other?.closed)?.by, "reset");
  assertEquals(text(await other?.recv()), "b");
  await assertRejects(async () => await other?.recv(), PipeClosedError, "reset");
});

Deno.test("framed: close in the middle of a message and during a breach ends in good order", async () => {
  await using p = await serve();
  await p.client.send("half a li");
  await turns(3);
  const sent = p.accepted.send("x".repeat(50_000));
  const closing = p.accepted.close();
  // Of no interest any more: neither the rest, nor that it is too long.
  await p.client.send("ne\n" + "y".repeat(100_000)).catch(() => {});
  assertEquals((await recvAll(p.client)).length, 50_001);
  await Promise.all([sent, closing]);
  assertEquals(await p.accepted.closed, { by: "local" });
});

Deno.test("framed: links keep messages whole, empty ones too, between TCP and UDP", async () => {
  const conf = { framing: lengthPrefixed(2) };
  await using far = await pipeOpen(UDP, { route });
  await using udp = await pipeOpen(UDP, { dest: far.localAddr, route });
  await using p = await serve({ conf });
  p.accepted.addPipe(udp);
  udp.addPipe(p.accepted);
  const framing = conf.framing;
  for (const part of ["a", "", "bc"]) {
    await p.client.send(framing.encode(new TextEncoder().encode(part)));
  }
  for (const part of ["a", "", "bc"]) assertEquals(text(await far.recv()), part);
  for (const part of ["", "d", "", "ef"]) await far.send(part, udp.localAddr);
  let back = "";
  while (back.length < 11) back += text(await p.client.recv());
  assertEquals(back, "\0\0\0\x01d\0\0\0\x02ef");
});

Deno.test("framed: a message that a link cannot frame is reported and lost, the link goes on", async () => {
  const errors: unknown[] = [];
  await using far = await pipeOpen(UDP, { route });
  await using udp = await pipeOpen(UDP, {
    dest: far.localAddr,
    route,
    conf: { onError: (error) => void errors.push(error) },
  });
  await using p = await serve();
  udp.addPipe(p.accepted);
  for (const part of ["one", "bad\n", "two"]) await far.send(part, udp.localAddr);
  let back = "";
  while (back.length < 8) back += text(await p.client.recv());
  assertEquals(back, "one\ntwo\n");
  assertEquals(errors.map((error) => error instanceof TypeError), [true]);
});

Deno.test("framed: a relay between two framings, and to a stream without any", async () => {
  await using a = await serve({ conf: { framing: lines() } });
  await using b = await serve({ conf: { framing: netstring() } });
  a.accepted.addPipe(b.accepted);
  b.accepted.addPipe(a.accepted);
  await a.client.send("hello\n\nworld\n");
  let there = "";
  while (there.length < 19) there += text(await b.client.recv());
  assertEquals(there, "5:hello,0:,5:world,");
  await b.client.send("3:abc,");
  assertEquals(text(await a.client.recv()), "abc\n");
  // Half-close goes through; a raw target gets the bytes.
  await a.client.closeWrite();
  assertEquals(await b.client.recv(), null);
  await using c = await serve();
  await using d = await serve({ conf: { framing: null } });
  c.accepted.addPipe(d.accepted);
  await c.client.send("x\n\ny\n");
  let raw = "";
  while (raw.length < 2) raw += text(await d.client.recv());
  assertEquals(raw, "xy");
});

Deno.test("framed: web streams carry messages, and enableMsgIds tells them apart", async () => {
  await using p = await serve({ conf: { enableMsgIds: true } });
  const writer = p.accepted.writable.getWriter();
  await writer.write(new TextEncoder().encode("out"));
  await writer.write(new Uint8Array());
  let out = "";
  while (out.length < 5) out += text(await p.client.recv());
  assertEquals(out, "out\n\n");
  await p.client.send("a\nb\na\n\n\nc");
  await p.client.closeWrite();
  const got = [];
  for await (const msg of p.accepted.readable) got.push(text(msg));
  assertEquals(got, ["a", "b", "", "c"]);
  assertEquals([p.accepted.stats.duplicates, p.accepted.stats.messagesIn], [2, 6]);
});

Deno.test("framed: the server's own handlers, queues and send use it too", async () => {
  const got = latch<unknown>();
  await using p = await serve({ msgCb: (msg, from, pipe) => pipe.send(`${text(msg)}!`, from) });
  p.server.subscribe({ match: "bc" }, (msg) => got.open(text(msg)));
  await p.client.send("a");
  await p.client.send("bc\n");
  assertEquals(await got.done, "abc");
  assertEquals(text(await p.client.recv()), "abc!\n");
  await p.server.send("to you", p.client.localAddr);
  assertEquals(text(await p.client.recv()), "to you\n");
  assertEquals(p.server.stats.messagesIn, 1);
});

Deno.test("conf.framing: what it cannot be", async () => {
  const refused: readonly (readonly [unknown, string])[] = [
    [
      lines,
      'conf.framing: null, "raw" or a framing as lines() makes it is needed, got a function (call',
    ],
    ["lines", 'got "lines"'],
    [7, "got 7"],
    [{}, "conf.framing.encode: a function is needed"],
    [{ encode() {} }, "conf.framing.decode: a function is needed"],
    [{ ...lines(), decodeEnd: 1 }, "conf.framing.decodeEnd: a function"],
    [{ ...lines(), name: 1 }, "conf.framing.name: a string"],
    [{ ...lines(), maxFrame: "1" }, "conf.framing.maxFrame: a whole number"],
  ];
  for (const [framing, why] of refused) {
    // @ts-expect-error no framing
    await assertRejects(() => pipeOpen(TCP, { route, conf: { framing } }), TypeError, why);
  }
  const conf = { framing: { ...lines(), maxFrame: 0 } };
  await assertRejects(() => pipeOpen(TCP, { route, conf }), RangeError, "maxFrame");
  for (const proto of [UDP, RUDP]) {
    const opening = () => pipeOpen(proto, { route, conf: framed });
    await assertRejects(
      opening,
      TypeError,
      `conf.framing: is for byte streams; a datagram of ${proto}`,
    );
  }
  const raw = () => pipeOpen(TCP, { route, conf: { ...framed, sockOnly: true } });
  await assertRejects(raw, TypeError, "conf.framing: is the pipe's");
});

Deno.test("conf.framing: an object of a class of one's own, with a state for each connection", async () => {
  /** Each byte is a message. */
  class Bytes implements Framing {
    readonly #add = 1;
    encode(message: Uint8Array) {
      return message.map((byte) => byte + this.#add);
    }
    decode(bytes: Uint8Array) {
      return { message: new Uint8Array([(bytes[0] ?? 0) - this.#add]), size: 1 };
    }
  }
  const framing = new Bytes();
  await using p = await serve({ conf: { framing } });
  await using other = await pipeOpen(TCP, { dest: p.server.localAddr, conf: { framing } });
  await other.send("abc");
  await p.client.send("bcd");
  for (const letter of "abc") assertEquals(text(await p.accepted.recv()), letter);
  const accepted = await p.server.accept();
  for (const letter of "abc") assertEquals(text(await accepted?.recv()), letter);
  // What it throws, and what it gives that is no bytes.
  // @ts-expect-error no bytes
  await using q = await serve({ conf: { framing: { encode: () => "text", decode: () => null } } });
  await assertRejects(() => q.accepted.send("x"), TypeError, "conf.framing.encode: a Uint8Array");
  const own = new Error("mine");
  const decode = () => {
    throw own;
  };
  await using r = await serve({ conf: { framing: { ...framed.framing, decode } } });
  await r.client.send("x");
  assertEquals((await assertRejects(() => r.accepted.recv(), PipeClosedError, "mine")).cause, own);
});

Deno.test("conf.framing: a pattern without it is refused, and the error names it", async () => {
  await using p = await serve({ conf: { framing: null } });
  const what = "set conf.framing to lines() or another framing";
  assertThrows(() => p.accepted.subscribe({ match: "x" }), PipeStateError, what);
  await assertRejects(() => p.accepted.request("x", { match: "x" }), PipeStateError, what);
});

Deno.test("framed: sends that overlap stay whole and in order, to a slow reader", async () => {
  const conf = { framing: delimiter("\0"), readerLimit: 4096 };
  await using p = await serve({ conf });
  const count = 3000;
  const sending = Promise.all(
    Array.from({ length: count }, (_, i) => p.accepted.send(`${i}:${"x".repeat(i % 1000)}`)),
  );
  let next = 0, tail = "";
  for await (const [msg] of p.client) {
    const parts = (tail + text(msg)).split("\0");
    tail = parts.pop() ?? "";
    for (const part of parts) assertEquals(part, `${next}:${"x".repeat(next++ % 1000)}`);
    if (next === count) break;
  }
  await sending;
});

Deno.test("framing: who transfers a message with the rest of a piece is told, by the end of the pipe", async () => {
  await using p = await serve();
  const got: unknown[] = [];
  p.accepted.addMsgCb((message) => {
    got.push(text(message));
    const { buffer } = message;
    if (buffer instanceof ArrayBuffer) structuredClone(buffer, { transfer: [buffer] });
  });
  await p.client.send("one\ntwo\nthr");
  const { by, error } = await p.accepted.closed;
  assertEquals([by, got], ["error", ["one"]]);
  assert(error instanceof PipeError && /transferred/.test(error.message));
});

Deno.test("framing: messages that came alone, or are copied first, can be transferred", async () => {
  await using p = await serve();
  const got: unknown[] = [];
  p.accepted.addMsgCb((message) => {
    const own = message.slice();
    got.push(text(structuredClone(own, { transfer: [own.buffer] })));
  });
  await p.client.send("one\ntwo\nthr");
  await p.client.send("ee\n");
  await until(() => got.length === 3, "all");
  assertEquals(got, ["one", "two", "three"]);
});
