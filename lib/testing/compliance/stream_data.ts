import { assert } from "@std/assert/assert";
import { assertEquals } from "@std/assert/equals";
import { assertRejects } from "@std/assert/rejects";
import { assertStrictEquals } from "@std/assert/strict-equals";
import type { Transport } from "../../transport/transport.ts";
import { concat } from "./concat.ts";
import { digestOf, Hash } from "./hash.ts";
import { Dice } from "../dice.ts";
import { settles, turns } from "./turns.ts";
import { clog, connected, failure, readAll, readBytes } from "./pair.ts";
import { assertRefusal, assertReports } from "./report.ts";
import type { Obligation, StreamSubject } from "./subject.ts";

/** Sends 8 MiB in pieces, several under way at a time, then the end. */
async function pour(to: Transport, seed: number): Promise<string> {
  const random = new Dice(seed), hash = new Hash();
  let last: Promise<unknown> | undefined;
  for (let left = 8 * 1024 * 1024; left > 0;) {
    const data = random.bytes(Math.min(left, 1 + random.below(200_000)));
    left -= data.length;
    hash.update(data);
    const sent = to.send(data);
    await last;
    last = sent;
  }
  await to.closeWrite?.();
  await last;
  return hash.digest;
}

async function digestAll(from: Transport): Promise<string> {
  const hash = new Hash();
  assertEquals(await from.pull((chunk) => hash.update(chunk).size >= 0), "end");
  return hash.digest;
}

/** What goes through a stream, and at whose pace. */
export const streamData: readonly Obligation<StreamSubject>[] = [
  {
    name: "data handed up belongs to the receiver",
    async check(subject) {
      await using pair = await connected(subject);
      const received: { chunk: Uint8Array; copy: Uint8Array }[] = [];
      for (const [i, size] of [5, 1000, 3000, 3000, 40_000, 200_000, 7, 70_000].entries()) {
        const sending = pair.peer.send(new Uint8Array(size).fill(i + 1));
        let left = size;
        await pair.own.pull((chunk) => {
          assertStrictEquals(Object.getPrototypeOf(chunk), Uint8Array.prototype);
          const ours = chunk.length;
          // Its to change, too.
          if (received.length % 2 === 1) chunk.fill(0xff);
          received.push({ chunk, copy: chunk.slice() });
          return (left -= ours) > 0;
        });
        await sending;
      }
      for (const { chunk, copy } of received) assertEquals(digestOf(chunk), digestOf(copy));
      const sum = received.reduce((size, { chunk }) => size + chunk.length, 0);
      assertEquals(sum, 316_012 + 1000);
    },
  },
  {
    name: "what was sent can be changed once send has resolved",
    async check(subject) {
      await using pair = await connected(subject);
      const data = new Uint8Array(20_000);
      for (let i = 0; i < 3; i++) {
        await pair.own.send(data.fill(i + 1));
        data.fill(0xee);
      }
      const expected = [1, 2, 3].map((n) => new Uint8Array(20_000).fill(n));
      assertEquals(digestOf(await readBytes(pair.peer, 60_000)), digestOf(...expected));
    },
  },
  {
    name: "a stream yields no empty chunk, and empty sends take their turn",
    async check(subject) {
      await using pair = await connected(subject);
      const order: number[] = [];
      const sizes = [0, 1, 0, 300_000, 0, 0, 2, 0];
      const sends = sizes.map((size, i) =>
        pair.peer.send(new Uint8Array(size)).then(() => order.push(i))
      );
      const end = Promise.all(sends).then(() => pair.peer.closeWrite?.());
      let total = 0;
      await pair.own.pull((chunk) => {
        assert(chunk.length > 0, "an empty chunk");
        total += chunk.length;
        return true;
      });
      await end;
      assertEquals(total, 300_003);
      assertEquals(order, [0, 1, 2, 3, 4, 5, 6, 7]);
    },
  },
  {
    name: "overlapping sends are written whole and in order, to a slow reader",
    async check(subject) {
      await using pair = await connected(subject);
      const random = new Dice(50), order: number[] = [];
      const pieces = Array.from({ length: 50 }, (_, i) => {
        const size = i % 10 === 9 ? 65_537 + random.below(200_000) : random.below(3000);
        return random.bytes(size);
      });
      const sent = Promise.all(
        pieces.map((piece, i) => pair.peer.send(piece).then(() => order.push(i))),
      );
      const expected = concat(pieces);
      const chunks: Uint8Array[] = [];
      for (let size = 0; size < expected.length;) {
        const how = await pair.own.pull((chunk) => {
          chunks.push(chunk);
          size += chunk.length;
          return false;
        });
        assertEquals(how, "paused");
      }
      await sent;
      assertEquals(digestOf(...chunks), digestOf(expected));
      assertEquals(order, pieces.map((_, i) => i));
    },
  },
  {
    name: "send resolves with the size, and its report is told first",
    async check(subject) {
      await using pair = await connected(subject);
      const sizes = [5, 0, 70_000, 3, 1];
      const reading = readBytes(pair.own, 70_009);
      await assertReports(pair.peer, sizes);
      await reading;
    },
  },
  {
    name: "a send that fails rejects with what its report makes of it",
    async check(subject) {
      await using pair = await connected(subject);
      await pair.own.close();
      await assertRefusal(pair.own);
    },
  },
  {
    name: "8 MiB both ways at once arrive unchanged",
    async check(subject) {
      await using pair = await connected(subject);
      const { own, peer } = pair;
      const [there, back, atOwn, atPeer] = await Promise.all([
        pour(peer, 1),
        pour(own, 2),
        digestAll(own),
        digestAll(peer),
      ]);
      assertEquals(atOwn, there);
      assertEquals(atPeer, back);
    },
  },
  {
    name: "one reader at a time: a second pull is refused and does no harm",
    async check(subject) {
      await using pair = await connected(subject);
      const first = readBytes(pair.own, 3);
      const second = pair.own.pull(() => {
        throw new Error("it got what was the first one's");
      });
      assertEquals((await failure(second)).fault, "failed");
      await pair.peer.send(new Uint8Array([1, 2, 3]));
      assertEquals(await first, new Uint8Array([1, 2, 3]));
    },
  },
  {
    name: "an interrupted pull is paused, and what comes later is there for the next one",
    async check(subject) {
      await using pair = await connected(subject);
      pair.own.interrupt?.(); // no pull, no effect
      for (let i = 0; i < 3; i++) {
        const pulled = pair.own.pull(() => {
          throw new Error("handed to a pull that was interrupted");
        });
        await turns(i);
        pair.own.interrupt?.();
        await pair.peer.send(new Uint8Array([i, i]));
        assertEquals(await pulled, "paused");
        assertEquals(await readBytes(pair.own, 2), new Uint8Array([i, i]));
      }
      // The end, too, is for the next one.
      const pulled = pair.own.pull(() => true);
      pair.own.interrupt?.();
      await pair.peer.closeWrite?.();
      assertEquals(await pulled, "paused");
      assertEquals((await readAll(pair.own)).length, 0);
    },
  },
  {
    name: "false from the sink stops reading until the next pull, without loss",
    async check(subject) {
      await using pair = await connected(subject);
      let calls = 0;
      const chunks: Uint8Array[] = [];
      const pieces = Array.from({ length: 10 }, (_, i) => new Uint8Array(20_000).fill(i));
      for (const piece of pieces) {
        await pair.peer.send(piece);
        const how = await pair.own.pull((chunk) => {
          calls++;
          chunks.push(chunk);
          return false;
        });
        assertEquals(how, "paused");
        const before = calls;
        await turns(2);
        assertEquals(calls, before, "the sink was called after it said stop");
      }
      await pair.peer.closeWrite?.();
      chunks.push(await readAll(pair.own));
      assertEquals(digestOf(...chunks), digestOf(...pieces));
    },
  },
  {
    name: "what arrives before the first pull is there for it",
    async check(subject) {
      await using pair = await connected(subject);
      await pair.peer.send(new Uint8Array([1, 2, 3]));
      await turns(5);
      assertEquals(await readBytes(pair.own, 3), new Uint8Array([1, 2, 3]));
    },
  },
  {
    name: "an error of the sink comes out of pull, and the next pull goes on",
    async check(subject) {
      await using pair = await connected(subject);
      await pair.peer.send(new Uint8Array([1]));
      const pulled = pair.own.pull(() => {
        throw new RangeError("mine");
      });
      await assertRejects(() => pulled, RangeError, "mine");
      await pair.peer.send(new Uint8Array([2]));
      assertEquals(await readBytes(pair.own, 1), new Uint8Array([2]));
    },
  },
  {
    name:
      "nobody reading means the stream stops reading: a send waits, and everything arrives later",
    async check(subject) {
      for (const way of ["in", "out"] as const) {
        await using pair = await connected(subject);
        const [from, to] = way === "in" ? [pair.peer, pair.own] : [pair.own, pair.peer];
        const { sent, pending } = await clog(from);
        const end = from.closeWrite?.();
        const hash = new Hash();
        // Some of it, then nothing again: the pressure is back.
        await to.pull((chunk) => hash.update(chunk).size < 300_000);
        const queued = from.kind === "stream" && await settles(pending, 3);
        assertEquals(await to.pull((chunk) => hash.update(chunk).size >= 0), "end");
        await Promise.all([pending, end]);
        assertEquals(hash.digest, digestOf(...sent), `${way}, settled early: ${queued}`);
      }
    },
  },
  {
    name: "a stopped reader reads no further, and stops its peer again",
    async check(subject) {
      await using pair = await connected(subject);
      const first = await clog(pair.peer);
      await readBytes(pair.own, 1);
      const second = await clog(pair.peer);
      const total = [...first.sent, ...second.sent].reduce((n, { length }) => n + length, 0);
      assert(total < 32 * 1024 * 1024, `${total} bytes went to somebody who read one chunk`);
      first.pending.catch(() => {});
      second.pending.catch(() => {});
    },
  },
];
