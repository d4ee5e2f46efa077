/** Who is a message for: looking it up gives what trying everybody in turn would. */
import { assert, assertEquals } from "@std/assert";
import { Asked, type Seeker } from "../../../lib/pipe/asked.ts";
import { compileFilter } from "../../../lib/pipe/filter.ts";
import { finder } from "../../../lib/pipe/find_bytes.ts";
import { Random } from "../../helpers/random.ts";

const from = { transport: "udp", hostname: "127.0.0.1", port: 9 } as const;
const encoder = new TextEncoder();

/** A few letters, so that what is looked for is often there, and overlaps. */
function word(random: Random, most: number): string {
  return Array.from({ length: random.below(most + 1) }, () => "ab"[random.below(2)]).join("");
}

Deno.test("asked: with any number of texts, bytes, expressions and functions, the oldest that matches", () => {
  const random = new Random(9);
  for (const count of [1, 10, 16, 17, 18, 60, 200]) {
    const asked = new Asked<Seeker>();
    const naive = new Set<Seeker>();
    const make = (order: number): Seeker => {
      const text = word(random, 9);
      const kinds = [text, encoder.encode(text), new RegExp(`${text}b$`), undefined];
      const match = random.below(8) === 0
        ? (data: Uint8Array) => data.length === text.length
        : kinds[random.below(random.below(20) === 0 ? 4 : 3)];
      return { order, filter: compileFilter({ match }, "test") };
    };
    let order = 0, found = 0;
    for (let step = 0; step < 1500; step++) {
      if (naive.size < count) {
        const seeker = make(++order);
        asked.add(seeker);
        asked.add(seeker);
        naive.add(seeker);
      }
      const data = encoder.encode(word(random, 30));
      const refused = random.below(5);
      const wanted = ({ order, filter }: Seeker, sure: boolean) =>
        order % 5 !== refused && (sure || filter.test === undefined || filter.test(data, from));
      const got = asked.find(data, wanted);
      assertEquals(got, [...naive].find((seeker) => wanted(seeker, false)));
      if (got === undefined) continue;
      found++;
      asked.delete(got);
      naive.delete(got);
    }
    assertEquals(asked.size, naive.size);
    assert(found > 10, `${found} of ${count} at a time`);
  }
});

Deno.test("asked: one of 10,000 texts is found at once", () => {
  const asked = new Asked<Seeker>();
  const all = Array.from({ length: 10_000 }, (_, order) => {
    const seeker = { order, filter: compileFilter({ match: `re: ${order};` }, "test") };
    asked.add(seeker);
    return seeker;
  });
  let asks = 0;
  const wanted = () => ++asks > 0;
  for (const seeker of all.reverse()) {
    assertEquals(asked.find(encoder.encode(`re: ${seeker.order}; and more`), wanted), seeker);
    asked.delete(seeker);
  }
  assertEquals([asks, asked.size], [10_000, 0]);
});

Deno.test("asked: texts with the same hash are told apart", () => {
  const asked = new Asked<Seeker>();
  // Modulo 2 ** 32 these two are the same polynomial.
  const texts = ["jhisvhvfrduw", "mwlhimptougy"];
  for (let order = 0; order < 40; order++) {
    const match = texts[order] ?? `other ${order}`;
    asked.add({ order, filter: compileFilter({ match }, "test") });
  }
  for (const [order, text] of texts.entries()) {
    assertEquals(asked.find(encoder.encode(`<${text}>`), () => true)?.order, order);
  }
});

Deno.test("finder: finds what indexOf of a text finds, from anywhere", () => {
  const random = new Random(10);
  for (let i = 0; i < 5000; i++) {
    const needle = word(random, 6), text = word(random, 40), at = random.below(20);
    const find = finder(encoder.encode(needle));
    // Past the end indexOf("") gives the length.
    if (needle === "" && at > text.length) continue;
    assertEquals(find(encoder.encode(text), at), text.indexOf(needle, at), `${needle} in ${text}`);
    assertEquals(find(encoder.encode(text)), text.indexOf(needle));
  }
});
