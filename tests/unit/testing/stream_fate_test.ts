import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { Faults } from "../../../lib/testing/faults/faults.ts";
import type { Lane } from "../../../lib/testing/faults/lane.ts";
import { StreamFate } from "../../../lib/testing/faults/stream_fate.ts";
import { concat } from "../../helpers/concat.ts";
import { lane } from "./fates.ts";

/** Sends zeros in chunks of these sizes: the sizes of the pieces, and what arrives. */
function pour(on: Lane, sizes: readonly number[]): { cuts: number[]; data: Uint8Array } {
  const fate = new StreamFate(on, "stream client 0");
  const pieces: Uint8Array[] = [];
  for (const size of sizes) {
    for (let rest = new Uint8Array(size); rest.length > 0;) {
      const piece = fate.take(rest, 0);
      assertEquals(piece.data.length, piece.size);
      pieces.push(piece.data);
      rest = rest.subarray(piece.size);
    }
  }
  let at = 0;
  return { cuts: pieces.map(({ length }) => at += length), data: concat(pieces) };
}

const SIZE = 200_000;
const whole = [SIZE];
const chunks = (size: number) => new Array<number>(SIZE / size).fill(size);

Deno.test("streams: sliced at the same bytes, however they come", () => {
  const slicing = { size: 1000, variation: 400 };
  const { cuts } = pour(lane({ slicing }), whole);
  const sizes = cuts.map((cut, i) => cut - (cuts[i - 1] ?? 0)).slice(0, -1);
  assertEquals([Math.min(...sizes), Math.max(...sizes)], [601, 1398]);
  assertEquals(cuts.length, 209);
  const smaller = new Set(pour(lane({ slicing }), chunks(125)).cuts);
  assert(cuts.every((cut) => smaller.has(cut)));
  assertEquals(pour(lane({ slicing: { size: 300 } }), [1000]).cuts, [300, 600, 900, 1000]);
});

Deno.test("streams: the same bytes are corrupted, however they come, one bit each", () => {
  const corrupt = (sizes: readonly number[], faults: Faults = {}) => {
    const on = lane({ corruption: 0.001, ...faults });
    const { data } = pour(on, sizes);
    const wrong = [...data.entries()].filter(([, byte]) => byte !== 0);
    assert(wrong.every(([, byte]) => Number.isInteger(Math.log2(byte))), "more bits than one");
    assertEquals(on.counts.corrupted, wrong.length);
    return wrong;
  };
  const expected = corrupt(whole);
  assertEquals(expected.length, 192);
  assertEquals(corrupt(chunks(100)), expected);
  assertEquals(corrupt(chunks(100), { slicing: { size: 77, variation: 5 }, jitter: 9 }), expected);
  assertNotEquals(
    pour(lane({ corruption: 0.001 }, 2), whole).data,
    pour(lane({ corruption: 0.001 }), whole).data,
  );
  assertEquals(pour(lane({ corruption: 1 }), [500]).data.indexOf(0), -1);
});

Deno.test("streams: what is sent is not changed where it is", () => {
  const sent = new Uint8Array(1000);
  new StreamFate(lane({ corruption: 1 }), "c").take(sent, 0);
  assertEquals(sent, new Uint8Array(1000));
});

Deno.test("streams: jitter keeps the order", () => {
  const fate = new StreamFate(lane({ latency: 50, jitter: 50 }), "c");
  const dues = Array.from({ length: 1000 }, (_, i) => fate.take(new Uint8Array(1), i).due);
  const early = dues.filter((due, i) => due < (dues[i - 1] ?? 0));
  assertEquals(early, []);
  assert(dues.every((due, i) => due >= i));
  assert(dues.some((due, i) => due === dues[i - 1]), "nothing was held up by what is before it");
  assert(fate.end(1000) >= 1000);
});

Deno.test("streams: bandwidth in pieces of 10 ms, one after the other", () => {
  const fate = new StreamFate(lane({ bandwidth: 10_000, latency: 5 }), "c");
  const now = 1000;
  const take = (size: number, at: number) => {
    const { size: taken, due } = fate.take(new Uint8Array(size), at);
    return [taken, due, fate.free];
  };
  // It may make up for 10 ms.
  assertEquals(take(1000, now), [100, now + 5, now]);
  assertEquals(take(900, now), [100, now + 15, now + 10]);
  assertEquals(take(50, now), [50, now + 20, now + 15]);
  assertEquals(take(100, now + 100), [100, now + 105, now + 100]);
});

Deno.test("streams: pieces are apart by the delay of slicing", () => {
  const fate = new StreamFate(lane({ slicing: { size: 10, delay: 7 } }), "c");
  const data = new Uint8Array(25);
  assertEquals([fate.take(data, 100).due, fate.free], [100, 107]);
  assertEquals([fate.take(data, 107).due, fate.free], [107, 114]);
});

Deno.test("streams: up to the limit, and no byte further", () => {
  const on = lane({ cut: { how: "end", bytes: 100 } });
  const fate = new StreamFate(on, "c");
  fate.pass(30);
  assertEquals(fate.take(new Uint8Array(60), 0).size, 60);
  assertEquals(fate.broken, undefined);
  assertEquals(fate.take(new Uint8Array(60), 0).size, 10);
  assertEquals(fate.broken, "end");
  on.faults = { cut: { how: "stall", bytes: 200 } };
  assertEquals(fate.broken, undefined);
  on.faults = { cut: { how: "reset", ms: 5 } };
  assertEquals(fate.broken, undefined);
});

Deno.test("streams: the end comes later, too", () => {
  const fate = new StreamFate(lane({ latency: 10, slowEnd: 25 }), "c");
  assertEquals(fate.end(100), 135);
});
