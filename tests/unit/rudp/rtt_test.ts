import { assertAlmostEquals, assertEquals } from "@std/assert";
import { RttEstimator } from "../../../lib/rudp/rtt.ts";

Deno.test("rudp rtt: a second until there is a measurement, doubled each time it is over", () => {
  const rtt = new RttEstimator();
  const waits = Array.from({ length: 9 }, () => {
    const { timeout } = rtt;
    rtt.backOff();
    return timeout;
  });
  assertEquals(waits, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
});

Deno.test("rudp rtt: RFC 6298 section 2.2 and 2.3, by hand", () => {
  const rtt = new RttEstimator();
  rtt.sample(200); // SRTT 200, RTTVAR 100
  assertAlmostEquals(rtt.timeout, 600);
  rtt.sample(280); // RTTVAR 3/4 * 100 + 1/4 * 80 = 95, SRTT 7/8 * 200 + 1/8 * 280 = 210
  assertAlmostEquals(rtt.timeout, 210 + 4 * 95);
  assertEquals(rtt.least, 200);
});

Deno.test("rudp rtt: a steady path leaves a margin of the timer, and never less than 100 ms", () => {
  const rtt = new RttEstimator(), near = new RttEstimator();
  for (let i = 0; i < 200; i++) {
    rtt.sample(300);
    near.sample(0.1);
  }
  assertAlmostEquals(rtt.timeout, 310);
  assertEquals(near.timeout, 100);
});

Deno.test("rudp rtt: a sample ends the doubling", () => {
  const rtt = new RttEstimator();
  rtt.sample(200);
  rtt.backOff();
  rtt.backOff();
  assertEquals([rtt.timeout, rtt.backedOff], [2400, true]);
  rtt.sample(200);
  assertEquals([rtt.timeout, rtt.backedOff], [500, false]);
});

Deno.test("rudp rtt: what was overtaken is waited for a quarter longer than a round trip", () => {
  const rtt = new RttEstimator();
  assertEquals(rtt.overtaken, 1000);
  rtt.sample(80);
  assertEquals(rtt.overtaken, 100);
  rtt.sample(160); // the path has just become longer
  assertEquals(rtt.overtaken, 200);
});
