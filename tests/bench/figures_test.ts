import { assertEquals } from "@std/assert";
import { differences, median, middle, range, ratios } from "./figures.ts";

Deno.test("The median is the one in the middle, or between the two there", () => {
  assertEquals(median([10, 9, 100]), 10);
  assertEquals(median([4, 1, 100, 2]), 3);
  assertEquals(median([5]), 5);
});

Deno.test("A row is compared with another round by round", () => {
  assertEquals(ratios([10, 30], [20, 10]), [0.5, 3]);
  assertEquals(differences([10, 30], [20, 10]), [-10, 20]);
  assertEquals(ratios([1, 2], [1]), [1, NaN]);
});

Deno.test("Figures are written with as many digits as were asked for", () => {
  assertEquals(middle([1234.5678, 1, 99999], 1), "1,234.6");
  assertEquals(middle([0.5]), "0.50");
  assertEquals(range([2, 1, 3.125]), "1.00-3.13");
});
