/** readExactly and readUntil: bytes of a stream without messages, and none of them lost. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  lines,
  type Pipe,
  PipeClosedError,
  PipeError,
  pipeOpen,
  type PipeOptions,
  PipeStateError,
  PipeTimeoutError,
  RUDP,
  TCP,
  UDP,
} from "@p2pd/pipes";
import { getEventListeners } from "node:events";
import { latch, recvAll, text, until } from "../../helpers/pipes.ts";
import { plainPair, serverTls, tlsPair } from "../../helpers/tls.ts";
import { turns } from "../../helpers/turns.ts";

const route = "127.0.0.1:0";

async function pair(options: Omit<PipeOptions, "dest" | "sock"> = {}) {
  const server = await pipeOpen(TCP, { route, ...options });
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

/** Sends piece by piece, each when the one before has been received. */
async function drip(from: Pipe, to: Pipe, ...pieces: readonly string[]): Promise<void> {
  for (const piece of pieces) {
    const before = to.stats.bytesIn;
    await from.send(piece);
    await until(() => to.stats.bytesIn === before + piece.length, piece);
  }
}

const noWait = { timeout: 0 };

Deno.test("readExactly: so many bytes, however they came, and the rest for whoever is next", async () => {
  await using p = await pair();
  await drip(p.client, p.accepted, "ab", "cdefgh");
  assertEquals(text(await p.accepted.readExactly(3)), "abc");
  assertEquals(text(await p.accepted.readExactly(0)), "");
  assertEquals(text(await p.accepted.readExactly(1)), "d");
  assertEquals(p.accepted.stats.queued, 1);
  assertEquals(text(await p.accepted.recv()), "efgh");
  const waiting = p.accepted.readExactly(4);
  await drip(p.client, p.accepted, "1", "2", "3", "45");
  assertEquals(text(await waiting), "1234");
  for await (const [msg] of p.accepted) {
    assertEquals(text(msg), "5");
    break;
  }
  await drip(p.client, p.accepted, "xyz");
  assertEquals(text(await p.accepted.readExactly(1)), "x");
  const handled = latch<unknown>();
  p.accepted.addMsgCb((msg) => handled.open(text(msg)));
  assertEquals(await handled.done, "yz");
  assertEquals(p.accepted.stats.queued, 0);
});

Deno.test("readUntil: up to and including the delimiter, which may have come apart", async () => {
  await using p = await pair();
  const waiting = p.accepted.readUntil("\r\n\r\n", 100);
  await drip(p.client, p.accepted, "GET /\r", "\n\r", "\nbo", "dy\n");
  assertEquals(text(await waiting), "GET /\r\n\r\n");
  assertEquals(text(await p.accepted.readUntil(new Uint8Array([10]), 5)), "body\n");
  await drip(p.client, p.accepted, "a\nb\n\nc");
  for (const line of ["a\n", "b\n", "\n"]) {
    assertEquals(text(await p.accepted.readUntil("\n", 9)), line);
  }
  assertEquals(text(await p.accepted.recv()), "c");
});

Deno.test("readUntil: no delimiter within the maximum is an error, and the bytes stay", async () => {
  await using p = await pair();
  const late = assertRejects(
    () => p.accepted.readUntil("\n", 4),
    PipeError,
    "The delimiter is not within the first 4 bytes",
  );
  await drip(p.client, p.accepted, "ab", "cd");
  await late;
  await assertRejects(() => p.accepted.readUntil("\n", 3), PipeError, "first 3 bytes");
  await drip(p.client, p.accepted, "\r\n");
  await assertRejects(() => p.accepted.readUntil("\r\n", 5), PipeError, "first 5 bytes");
  assertEquals(text(await p.accepted.readUntil("\r\n", 6)), "abcd\r\n");
  await p.client.send("alive");
  assertEquals(text(await p.accepted.recv()), "alive");
});

Deno.test("readExactly: what came when time or the signal ends it stays readable", async () => {
  await using p = await pair();
  await drip(p.client, p.accepted, "abc");
  await assertRejects(
    () => p.accepted.readExactly(5, { timeout: 20 }),
    PipeTimeoutError,
    "Only 3 of 5 bytes arrived within 20 ms",
  );
  await assertRejects(() => p.accepted.readExactly(5, noWait), PipeTimeoutError, "3 of 5");
  await assertRejects(
    () => p.accepted.readUntil("\n", 50, noWait),
    PipeTimeoutError,
    "Only 3 bytes and no delimiter",
  );
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = () => getEventListeners(signal, "abort").length;
  const short = p.accepted.readExactly(4, { signal });
  assertEquals(listeners(), 1);
  await drip(p.client, p.accepted, "-");
  assertEquals([text(await short), listeners()], ["abc-", 0]);
  const reading = p.accepted.readExactly(5, { signal });
  await drip(p.client, p.accepted, "abcd");
  assertEquals(p.accepted.stats.queued, 0);
  controller.abort("enough");
  assertEquals(await reading.catch((reason) => reason), "enough");
  assertEquals(await p.accepted.readExactly(1, { signal }).catch((reason) => reason), "enough");
  assertEquals([p.accepted.stats.queued, listeners()], [1, 0]);
  assertEquals(text(await p.accepted.readExactly(4)), "abcd");
  await assertRejects(() => p.accepted.readExactly(1, noWait), PipeTimeoutError, "0 of 1");
});

Deno.test("readExactly: the end before the first byte is null, in the middle an error", async () => {
  await using p = await pair();
  const waiting = assertRejects(
    () => p.accepted.readExactly(10),
    PipeClosedError,
    "The input ended after 3 of 10 bytes",
  );
  await drip(p.client, p.accepted, "abc");
  await p.client.closeWrite();
  await waiting;
  await assertRejects(() => p.accepted.readExactly(4), PipeClosedError, "after 3 of 4 bytes");
  await assertRejects(() => p.accepted.readUntil("\n", 9), PipeClosedError, "after 3 bytes and no");
  assertEquals(text(await p.accepted.readExactly(2)), "ab");
  assertEquals(await recvAll(p.accepted), "c");
  assertEquals(await p.accepted.readExactly(1), null);
  assertEquals(await p.accepted.readUntil("\n", 9), null);
  await p.accepted.close();
  assertEquals(await p.accepted.readExactly(1), null);
});

Deno.test("readExactly: a reset is that error, after what came", async () => {
  await using server = await pipeOpen(TCP, { route });
  const client = await pipeOpen(TCP, { dest: server.localAddr, route });
  await using accepted = await server.accept();
  if (accepted === null) return;
  const waiting = assertRejects(() => accepted.readExactly(10), PipeClosedError, "reset");
  await drip(client, accepted, "abc");
  client.abort();
  await waiting;
  assertEquals(text(await accepted.readExactly(3)), "abc");
  await assertRejects(() => accepted.readExactly(1), PipeClosedError, "reset");
});

Deno.test("readExactly: closing this side ends it", async () => {
  for (const end of ["close", "abort"] as const) {
    await using p = await pair();
    const waiting = assertRejects(() => p.accepted.readExactly(10), PipeClosedError);
    await drip(p.client, p.accepted, "abc");
    void p.accepted[end]();
    await waiting;
    await p.accepted.closed;
  }
});

Deno.test("readExactly: more than readerLimit, in pieces of any size, at the pace of the reader", async () => {
  await using p = await pair({ conf: { readerLimit: 1000 } });
  const size = 3_000_000;
  const data = Uint8Array.from({ length: size }, (_, i) => i % 251);
  const sending = p.client.send(data).then(() => p.client.send("rest"));
  const got = await p.accepted.readExactly(size);
  assertEquals(got?.length, size);
  assert(got?.every((byte, i) => byte === i % 251));
  assertEquals(text(await p.accepted.readExactly(4)), "rest");
  await sending;
});

Deno.test("readExactly: reads that wait are served in turn, none in the middle of another", async () => {
  await using p = await pair();
  const reads = [
    p.accepted.readExactly(4),
    p.accepted.recv(),
    p.accepted.readUntil(";", 10),
    p.accepted.readExactly(2),
  ];
  await drip(p.client, p.accepted, "ab", "c", "dXY", "1", "2;34");
  assertEquals((await Promise.all(reads)).map(text), ["abcd", "XY", "12;", "34"]);
  // One that gives up hands on what it had.
  const first = assertRejects(
    () => p.accepted.readExactly(9, { timeout: 30 }),
    PipeTimeoutError,
    "3 of 9",
  );
  const second = p.accepted.readExactly(3);
  await drip(p.client, p.accepted, "123");
  await first;
  assertEquals(text(await second), "123");
});

Deno.test("readExactly: on a server's connection, with what its server has not read yet", async () => {
  await using server = await pipeOpen(TCP, { route });
  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  await assertRejects(() => server.recv(undefined, noWait), PipeTimeoutError);
  await drip(client, server, "abc");
  const [accepted] = server.clients;
  assertEquals(text(await accepted?.readExactly(2)), "ab");
  assertEquals(text(await accepted?.recv()), "c");
});

Deno.test("readExactly: refused where there are messages, or somebody else takes the bytes", async () => {
  await using udp = await pipeOpen(UDP, { route });
  await using p = await pair();
  await using framed = await pair({ conf: { framing: lines() } });
  const cases: readonly (readonly [Pipe, string])[] = [
    [udp, "a datagram pipe has messages; use recv"],
    [p.server, "a server has a stream for each client; use accept"],
    [framed.accepted, "with conf.framing the pipe has whole messages; use recv"],
  ];
  for (const [pipe, why] of cases) {
    await assertRejects(() => pipe.readExactly(1), PipeStateError, why);
    await assertRejects(() => pipe.readUntil("\n", 1), PipeStateError, why);
  }
  const handler = () => {};
  p.accepted.addMsgCb(handler);
  await assertRejects(() => p.accepted.readExactly(1), PipeStateError, "take what arrives");
  p.accepted.delMsgCb(handler);
  const sub = p.accepted.subscribe();
  await assertRejects(() => p.accepted.readExactly(1), PipeStateError, "take what arrives");
  sub.close();
  await p.client.send("x");
  assertEquals(text(await p.accepted.readExactly(1)), "x");
});

Deno.test("readExactly: a handler added meanwhile is not held up by what is put back", async () => {
  await using p = await pair({ conf: { maxQsize: 1 } });
  const reading = assertRejects(
    () => p.accepted.readExactly(9, { timeout: 100 }),
    PipeTimeoutError,
  );
  await drip(p.client, p.accepted, "abc");
  const seen: unknown[] = [];
  p.accepted.addMsgCb((msg) => void seen.push(text(msg)));
  await reading;
  await drip(p.client, p.accepted, "d", "e", "f");
  assertEquals(seen, ["d", "e", "f"]);
  assertEquals(text(await p.accepted.recv()), "abc");
});

Deno.test("readExactly: wrong arguments", async () => {
  await using p = await pair();
  const { accepted } = p;
  for (const size of [-1, 1.5, NaN, Infinity]) {
    await assertRejects(
      () => accepted.readExactly(size),
      RangeError,
      "size: must be a whole number",
    );
  }
  // @ts-expect-error no number
  await assertRejects(() => accepted.readExactly("1"), TypeError, "size:");
  await assertRejects(() => accepted.readUntil("", 1), RangeError, "delimiter: at least one byte");
  await assertRejects(
    () => accepted.readUntil("\r\n", 1),
    RangeError,
    "max: must be a whole number",
  );
  // @ts-expect-error no bytes
  await assertRejects(() => accepted.readUntil(10, 1), TypeError, "delimiter: a Uint8Array or");
  await assertRejects(() => accepted.readExactly(1, { timeout: -1 }), RangeError, "timeout");
  // @ts-expect-error no option
  await assertRejects(() => accepted.readExactly(1, { timout: 1 }), TypeError, "timout");
});

Deno.test("readExactly: startTls is refused while bytes of the clear are in hand", async () => {
  await using p = await plainPair();
  const reading = p.accepted.readExactly(9);
  await drip(p.client, p.accepted, "abc");
  await assertRejects(() => p.accepted.startTls(serverTls()), PipeStateError, "(bytes: 3)");
  await drip(p.client, p.accepted, "defghi");
  assertEquals(text(await reading), "abcdefghi");
  await using t = await tlsPair();
  await drip(t.client, t.accepted, "ab", "c");
  assertEquals(text(await t.accepted.readExactly(3)), "abc");
});

Deno.test("readExactly: a datagram pipe that acknowledges has messages, too", async () => {
  await using rudp = await pipeOpen(RUDP, { route });
  await assertRejects(() => rudp.readExactly(1), PipeStateError, "datagram pipe");
});

Deno.test("readExactly: a read that is over lets startTls go on, and leaves nothing in hand", async () => {
  await using p = await plainPair();
  const { clientTls } = await import("../../helpers/tls.ts");
  await drip(p.client, p.accepted, "abcd");
  for (const size of [1, 3]) await p.accepted.readExactly(size);
  await turns(1);
  const serving = p.accepted.startTls(serverTls());
  await p.client.startTls(clientTls());
  await serving;
  await p.client.send("safe");
  assertEquals(text(await p.accepted.readExactly(4)), "safe");
});

/** Takes away the memory of a message, and with it that of what came by the same connection. */
function transfer({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer) structuredClone(buffer, { transfer: [buffer] });
}

for (const how of ["more comes", "the time is over", "the peer ends", "it is aborted"] as const) {
  Deno.test(`byte reads: what was transferred with another message is an error when ${how}`, async () => {
    await using p = await pair();
    await drip(p.client, p.accepted, "first");
    const message = await p.accepted.recv();
    const aborts = new AbortController();
    const timeout = how === "the time is over" ? 50 : 5000;
    const read = p.accepted.readExactly(6, { timeout, signal: aborts.signal });
    const failed = assertRejects(() => read, Error);
    await drip(p.client, p.accepted, "abc");
    transfer(message ?? new Uint8Array());
    if (how === "more comes") await drip(p.client, p.accepted, "defghi");
    if (how === "the peer ends") await p.client.closeWrite();
    if (how === "it is aborted") aborts.abort(new Error("enough"));
    const error = await failed;
    if (how === "more comes") {
      assert(error instanceof PipeError && /transferred/.test(error.message));
      assertEquals(text(await p.accepted.recv()), "defghi", "what is there is not lost");
    }
    if (how === "the time is over") assert(error instanceof PipeTimeoutError);
    if (how === "the peer ends") assert(error instanceof PipeClosedError);
    if (how !== "the peer ends") {
      await drip(p.client, p.accepted, "after");
      assertEquals(text(await p.accepted.readExactly(5)), "after", "the pipe goes on");
    }
    assertEquals(p.accepted.stats.queued, 0);
  });
}
