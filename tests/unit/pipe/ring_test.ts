import { assertEquals } from "@std/assert";
import { Ring } from "../../../lib/pipe/ring.ts";
import { Random } from "../../helpers/random.ts";

Deno.test("ring: what an array does, at both ends", () => {
  const random = new Random(6);
  const ring = new Ring<number>(), array: number[] = [];
  for (let i = 0; i < 20_000; i++) {
    const kind = random.below(i % 4000 < 2000 ? 5 : 9);
    if (kind < 2) {
      ring.push(i);
      array.push(i);
    } else if (kind === 2) {
      ring.unshift(i);
      array.unshift(i);
    } else assertEquals(ring.shift(), array.shift());
    assertEquals([ring.length, ring.peek()], [array.length, array[0]]);
  }
  ring.clear();
  ring.unshift(1);
  ring.unshift(0);
  assertEquals([ring.shift(), ring.shift(), ring.shift()], [0, 1, undefined]);
});
