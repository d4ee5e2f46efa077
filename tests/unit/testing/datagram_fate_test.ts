import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { DatagramFate } from "../../../lib/testing/faults/datagram_fate.ts";
import type { Faults } from "../../../lib/testing/faults/faults.ts";
import { fates, lane, type Verdict } from "./fates.ts";

const COUNT = 10_000;
const all: Faults = {
  loss: 0.2,
  duplication: 0.1,
  reordering: 0.05,
  corruption: 0.02,
  latency: 50,
  jitter: 10,
};

/** The numbers of those for which it holds. */
const which = (verdicts: readonly Verdict[], holds: (verdict: Verdict) => boolean) =>
  verdicts.flatMap((verdict, i) => holds(verdict) ? [i] : []);

Deno.test("datagrams: each fault does what its probability says, counted exactly", () => {
  const count = (faults: Faults) => {
    const on = lane(faults);
    fates(on, COUNT);
    const { lost, duplicated, reordered, corrupted } = on.counts;
    return [lost, duplicated, reordered, corrupted];
  };
  assertEquals(count({}), [0, 0, 0, 0]);
  assertEquals(count({ loss: 0.2 }), [2026, 0, 0, 0]);
  assertEquals(count({ duplication: 0.1 }), [0, 1003, 0, 0]);
  assertEquals(count({ corruption: 0.02 }), [0, 0, 0, 215]);
  // Of two in a row only the first can come late.
  assertEquals(count({ reordering: 0.05 }), [0, 0, 441, 0]);
  assertEquals(count({ loss: 1 }), [COUNT, 0, 0, 0]);
  assertEquals(count({ duplication: 1, corruption: 1 }), [0, COUNT, 0, COUNT]);
  assertEquals(count({ reordering: 1 }), [0, 0, COUNT / 2, 0]);
  assertEquals(count({ loss: 0, duplication: 0, reordering: 0, corruption: 0 }), [0, 0, 0, 0]);
});

Deno.test("datagrams: the same seed gives the same fates, another one others", () => {
  const seeded = (seed: number) => fates(lane(all, seed, "", "upstream"), 1000);
  assertEquals(seeded(7), seeded(7));
  assertNotEquals(seeded(7), seeded(8));
});

Deno.test("datagrams: directions and connections have fates of their own", () => {
  const lost = (key: string, connection: string) =>
    which(fates(lane(all, 1, "", key), 1000, connection), ({ copies }) => copies === 0);
  const upstream = lost("upstream", "datagram client 0");
  assertEquals(lost("upstream", "datagram client 0"), upstream);
  assertNotEquals(lost("downstream", "datagram client 0"), upstream);
  assertNotEquals(lost("upstream", "datagram client 1"), upstream);
});

Deno.test("datagrams: one fault more does not change the others", () => {
  const together = fates(lane(all), 2000);
  const arrived = new Set(which(together, ({ copies }) => copies > 0));
  const lostAlone = which(fates(lane({ loss: 0.2 }), 2000), ({ copies }) => copies === 0);
  assertEquals(which(together, ({ copies }) => copies === 0), lostAlone);
  const same = (faults: Faults, holds: (verdict: Verdict) => boolean) => {
    const alone = which(fates(lane(faults), 2000), holds).filter((i) => arrived.has(i));
    assert(alone.length > 20, `${alone.length} only`);
    assertEquals(which(together, holds).filter((i) => arrived.has(i)), alone);
  };
  same({ duplication: 0.1 }, ({ copies }) => copies === 2);
  same({ reordering: 0.05 }, ({ held }) => held);
  same({ corruption: 0.02 }, ({ flipped }) => flipped !== undefined);
});

Deno.test("datagrams: latency varies by the jitter, evenly, and never below 0", () => {
  const late = fates(lane({ latency: 50, jitter: 10 }), COUNT).map((verdict) => verdict.late);
  assert(Math.min(...late) >= 40 && Math.min(...late) < 40.1);
  assert(Math.max(...late) <= 60 && Math.max(...late) > 59.9);
  const mean = late.reduce((sum, ms) => sum + ms) / COUNT;
  assert(Math.abs(mean - 50) < 0.2, `a mean of ${mean} ms`);
  assertEquals(fates(lane({ latency: 5 }), 3).map((verdict) => verdict.late), [5, 5, 5]);
  const short = fates(lane({ latency: 1, jitter: 10 }), 1000).map((verdict) => verdict.late);
  assertEquals(Math.min(...short), 0);
});

Deno.test("datagrams: a copy has a latency of its own", () => {
  const { due } = new DatagramFate(lane({ duplication: 1, latency: 50, jitter: 10 }), "c")
    .of(new Uint8Array(1), 0);
  assertEquals(due.length, 2);
  assertNotEquals(due[0], due[1]);
});

Deno.test("datagrams: a corrupted one has one bit that is another, anywhere, and the sender's stays", () => {
  const flipped = fates(lane({ corruption: 1 }), 5000).map((verdict) => verdict.flipped ?? NaN);
  assert(flipped.every((bit) => Number.isInteger(bit)), "more bits than one");
  assert(new Set(flipped).size > 790, "not every bit of 800");
  const fate = new DatagramFate(lane({ corruption: 1 }), "c");
  const sent = new Uint8Array(100);
  fate.of(sent, 0);
  assertEquals(sent, new Uint8Array(100));
  assertEquals(fate.of(new Uint8Array(0), 0).data.length, 0);
});

Deno.test("datagrams: loss may be decided by a function of bytes and number", () => {
  const on = lane({ loss: (data, index) => data[0] === 1 || index === 2 });
  const fate = new DatagramFate(on, "c");
  const sent = [0, 1, 0, 0, 1].map((byte) => fate.of(new Uint8Array([byte]), 0).due.length);
  assertEquals(sent, [1, 0, 0, 1, 0]);
  assertEquals(on.counts.lost, 3);
});

Deno.test("datagrams: bandwidth spaces them, and more than the queue holds is dropped", () => {
  // 100 bytes at 10,000 bytes a second are 10 ms.
  const on = lane({ bandwidth: 10_000, queue: 250, latency: 5 });
  const fate = new DatagramFate(on, "c");
  const at = (now: number) => fate.of(new Uint8Array(100), now).due;
  assertEquals([at(0), at(0), at(0)], [[15], [25], []]);
  assertEquals(on.counts.overflowed, 1);
  // 80 bytes have not left yet.
  assertEquals([at(12), at(12)], [[35], []]);
  assertEquals(at(1000), [1015], "the line is free again");
  // The default.
  const open = lane({ bandwidth: 10_000 });
  const flood = new DatagramFate(open, "c");
  for (let i = 0; i < 1000; i++) flood.of(new Uint8Array(100), 0);
  assertEquals(1000 - open.counts.overflowed, 655);
});

Deno.test("datagrams: what is lost takes no bandwidth", () => {
  const fate = new DatagramFate(lane({ bandwidth: 10_000, loss: (_, index) => index < 5 }), "c");
  for (let i = 0; i < 5; i++) fate.of(new Uint8Array(100), 0);
  assertEquals(fate.of(new Uint8Array(100), 0).due, [10]);
});

Deno.test("datagrams: faults change from one to the next, and nobody there is a loss", () => {
  const on = lane({});
  const fate = new DatagramFate(on, "c");
  const copies = () => fate.of(new Uint8Array(1), 0).due.length;
  assertEquals(copies(), 1);
  on.faults = { loss: 1 };
  assertEquals(copies(), 0);
  on.faults = { duplication: 1 };
  assertEquals(copies(), 2);
  on.down = true;
  assertEquals(copies(), 0);
  assertEquals([on.counts.lost, on.counts.duplicated], [2, 1]);
});
