import { assert, assertEquals } from "@std/assert";
import { Dice } from "../../../lib/testing/dice.ts";
import { DelayLine } from "../../../lib/testing/faults/delay_line.ts";
import { latch } from "../../helpers/pipes.ts";
import { turns } from "../../helpers/turns.ts";

Deno.test("delay line: all comes out by its time, not earlier, and ties as they went in", async () => {
  const out: { item: number; due: number; at: number }[] = [];
  const dice = new Dice(1);
  const dues = new Map<number, number>();
  const all = latch();
  const line: DelayLine<number> = new DelayLine(() => {
    for (let item; (item = line.take()) !== undefined;) {
      out.push({ item, due: dues.get(item) ?? NaN, at: performance.now() });
    }
    if (line.length === 0) all.open();
  });
  const start = performance.now();
  for (let item = 0; item < 500; item++) {
    dues.set(item, start + dice.below(10) * 4);
    line.add(item, start + (dues.get(item) ?? 0) - start);
  }
  await all.done;
  const sorted = [...dues].sort(([a, x], [b, y]) => x - y || a - b).map(([item]) => item);
  assertEquals(out.map(({ item }) => item), sorted);
  for (const { due, at } of out) assert(at >= due, `${due - at} ms early`);
  assertEquals(line.next, Infinity);
});

Deno.test("delay line: what nobody takes is kept, and there is no timer for it", async () => {
  let calls = 0;
  const line = new DelayLine<string>(() => calls++);
  line.add("a", performance.now());
  line.add("b", performance.now() + 1);
  while (calls === 0) await turns(1);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals([calls, line.length], [1, 2]);
  assertEquals([line.take(), line.take(), line.take()], ["a", "b", undefined]);
});

Deno.test("delay line: what is earlier comes first, whenever it was put in", async () => {
  const out: string[] = [];
  const all = latch();
  const line: DelayLine<string> = new DelayLine(() => {
    for (let item; (item = line.take()) !== undefined;) out.push(item);
    if (out.length === 3) all.open();
  });
  const now = performance.now();
  line.add("late", now + 20);
  line.add("removed", now + 10);
  line.add("early", now + 5);
  line.add("middle", now + 15);
  line.remove("removed");
  line.remove("never there");
  await all.done;
  assertEquals(out, ["early", "middle", "late"]);
});

Deno.test("delay line: no timer outlives clear, remove or take", () => {
  const fail = () => {
    throw new Error("fired");
  };
  const line = new DelayLine<number>(fail);
  line.add(1, performance.now() + 60_000);
  line.clear();
  line.add(2, performance.now() + 60_000);
  line.remove(2);
  line.add(3, performance.now() - 1);
  assertEquals(line.take(), 3);
  // Further than a timer goes, it would fire at once.
  line.add(4, performance.now() + 2 ** 40);
  assertEquals(line.take(), undefined);
  line.clear();
});
