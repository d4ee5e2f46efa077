import { assert, assertEquals } from "@std/assert";
import { SeenNumbers } from "../../../lib/rudp/seen.ts";
import { Random } from "../../helpers/random.ts";

function numbers(count: number, seed: number): bigint[] {
  const random = new Random(seed);
  return Array.from(
    { length: count },
    () => BigInt(random.below(2 ** 32)) << 32n | BigInt(random.below(2 ** 32)),
  );
}

Deno.test("rudp seen: no number that is new is taken for a repetition, in any order", () => {
  const seen = new SeenNumbers(0), all = numbers(20_000, 1);
  for (const number of all) {
    assert(!seen.has(number, 0));
    seen.add(number, 0);
    assert(seen.has(number, 0));
  }
});

Deno.test("rudp seen: of random numbers it knows the last 1024, and holds at most twice as many", () => {
  const seen = new SeenNumbers(0), all = numbers(10_000, 2);
  for (const [i, number] of all.entries()) {
    seen.add(number, 0);
    assert(seen.size <= 2048, `${seen.size}`);
    if (i % 100 !== 99) continue;
    for (const last of all.slice(Math.max(0, i - 1023), i + 1)) assert(seen.has(last, 0));
  }
});

Deno.test("rudp seen: of numbers in a row it knows the last 32,736 and more, across the end", () => {
  const start = 2n ** 64n - 50_000n, seen = new SeenNumbers(0);
  const at = (i: number) => BigInt.asUintN(64, start + BigInt(i));
  for (let i = 0; i < 100_000; i++) {
    assert(!seen.has(at(i), 0), `${i}`);
    seen.add(at(i), 0);
    if (i >= 32_735) assert(seen.has(at(i - 32_735), 0), `${i}`);
  }
  assert(seen.size <= 2048, `${seen.size}`);
});

Deno.test("rudp seen: a number is remembered for 90 s at least and 3 minutes at most", () => {
  const seen = new SeenNumbers(0);
  seen.add(7n, 80_000);
  assert(seen.has(7n, 169_000));
  seen.add(8n, 169_000); // the generation is over
  assert(seen.has(7n, 170_000));
  assert(seen.has(7n, 258_999));
  assert(!seen.has(7n, 259_000));
  assert(seen.has(8n, 259_000));
  seen.add(9n, 1_000_000);
  assertEquals([seen.has(8n, 1_000_000), seen.has(9n, 1_000_000), seen.size], [false, true, 1]);
});

Deno.test("rudp seen: repetitions do not keep a number for ever", () => {
  const seen = new SeenNumbers(0);
  let from = 0;
  for (let now = 0; now < 1_000_000; now += 1000) {
    if (seen.has(1n, now)) assert(now - from <= 180_000, "a peer that started again is not heard");
    else {
      seen.add(1n, now);
      from = now;
    }
  }
});
