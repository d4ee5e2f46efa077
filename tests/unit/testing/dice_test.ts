import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Dice } from "../../../lib/testing/dice.ts";

const first = (dice: Dice, count: number) => Array.from({ length: count }, () => dice.next());

Deno.test("dice: the same key gives the same numbers, any other key others", () => {
  const keys = [[1], [2], [1, ""], [1, "a"], [1, "b"], ["1"], [1, "a", "b"], [1, "ab"], [11], [
    1,
    1,
  ]];
  const sequences = keys.map((key) => first(new Dice(...key), 20));
  for (const [i, key] of keys.entries()) assertEquals(first(new Dice(...key), 20), sequences[i]);
  const all = sequences.flat();
  assertEquals(new Set(all).size, all.length, "two keys share a number");
});

Deno.test("dice: numbers are spread evenly, and neighbours do not depend on each other", () => {
  const cells = new Array<number>(64).fill(0);
  const dice = new Dice(1, "even");
  for (let i = 0; i < 64_000; i++) {
    const cell = dice.below(8) * 8 + dice.below(8);
    cells[cell] = (cells[cell] ?? 0) + 1;
  }
  // Chi squared with 63 degrees of freedom is below 103 in 999 of 1000 sequences.
  const chi = cells.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
  assert(chi < 103, `chi squared ${chi}`);
});

Deno.test("dice: failures before a success follow the probability", () => {
  assertEquals(new Dice(1).failures(1), 0);
  for (const probability of [0.5, 0.01, 1e-9]) {
    const dice = new Dice("geometric", probability);
    let sum = 0;
    for (let i = 0; i < 10_000; i++) sum += dice.failures(probability);
    const expected = (1 - probability) / probability;
    assert(Math.abs(sum / 10_000 / expected - 1) < 0.06, `${sum / 10_000}, not ${expected}`);
  }
});

Deno.test("dice: bytes of any length", () => {
  assertEquals(new Dice(1).bytes(0).length, 0);
  assertEquals(new Dice(1).bytes(7), new Dice(1).bytes(8).subarray(0, 7));
  assertNotEquals(new Dice(1).bytes(8), new Dice(2).bytes(8));
});
