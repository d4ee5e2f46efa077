/**
 * Under load: many connections, many messages, much of everything for a while. What these programs do
 * in a longer time is in tests/bench/RESULTS.md; the figures that they print here are of a short one.
 */
import { assert, assertEquals } from "@std/assert";
import { costs, costTable } from "../load/cost.ts";
import { many, manyTable, SLACK } from "../load/many.ts";
import { growth, line, soak, summary } from "../load/soak.ts";
import { within } from "./_helpers.ts";

const CONNECTIONS = 10_000;
/** Each takes less than half a minute on two cores that have nothing else to do. Milliseconds. */
const LIMIT = 120_000;

function test(name: string, work: () => Promise<void>): void {
  Deno.test(name, () => within(work(), "the end of the test", LIMIT));
}

test(
  "load: 10,000 connections lose, change and reorder nothing, and leave nothing behind",
  async () => {
    const options = { connections: CONNECTIONS, messages: 50_000 };
    const results = await many(options);
    console.log(manyTable(options, results));
    for (const { stack, messages, before, during, after } of results) {
      assertEquals([messages, during.clients, after.clients], [options.messages, CONNECTIONS, 0]);
      if (stack === "raw") continue; // for comparison
      for (const figure of ["rss", "heap"] as const) {
        const most = before[figure] * SLACK;
        assert(
          after[figure] <= most,
          `${figure}: ${before[figure]} before, ${after[figure]} after`,
        );
      }
    }
  },
);

test(
  "load: what a message costs grows no faster than raw Deno's to 10,000 connections",
  async () => {
    const all = await costs({ connections: CONNECTIONS, messages: 10_000 });
    console.log(costTable(all));
    const [few] = all, many = all.at(-1);
    assert(few !== undefined && many !== undefined && many.connections === CONNECTIONS);
    // Memory that is not in the cache is slower, for everybody; a scan of all of them is another matter.
    const grown = many.pipes / few.pipes, raw = many.raw / few.raw;
    assert(grown < 2 * Math.max(1, raw), `${grown} times as much, raw Deno ${raw} times`);
  },
);

for (const flags of [["--unstable-net"], []]) {
  test(
    `load: 25 seconds of mixed traffic leave nothing behind ${flags.join("")}`,
    async () => {
      const all = await soak({ minutes: 25 / 60, samples: 10, flags });
      const last = all.at(-1);
      assert(last !== undefined);
      console.log(`${line(last)}\n${summary(last)}`);
      assertEquals(growth(all), []);
    },
  );
}
