import { assert, assertEquals, assertRejects } from "@std/assert";
import type { NetAddr } from "@p2pd/pipes";
import { AllFailed, interleave, race } from "../../../lib/pipe/happy_eyeballs.ts";
import { latch } from "../../helpers/pipes.ts";

const addr = (hostname: string): NetAddr => ({ transport: "tcp", hostname, port: 80 });
const hosts = (...names: string[]) => names.map(addr);
const never = new AbortController().signal;

/** Settles when the signal does. */
function hang(_addr: NetAddr, signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

Deno.test("happy eyeballs: the families take turns, the system's order is kept in each", () => {
  const order = (...names: string[]) => interleave(hosts(...names)).map((a) => a.hostname);
  assertEquals(order("::1", "::2", "::3", "1.1.1.1"), ["::1", "1.1.1.1", "::2", "::3"]);
  assertEquals(order("1.1.1.1", "1.1.1.2", "::1"), ["1.1.1.1", "::1", "1.1.1.2"]);
  assertEquals(order(), []);
});

Deno.test("happy eyeballs: an address that fails gives way to the next at once", async () => {
  const tried: string[] = [];
  const value = await race(hosts("a", "b", "c"), {
    attempt: ({ hostname }) => {
      tried.push(hostname);
      return hostname === "b" ? Promise.resolve("b") : Promise.reject(new Error(hostname));
    },
    discard: () => {},
    signal: never,
    delay: 500,
  });
  assertEquals([value, tried], ["b", ["a", "b"]]);
});

Deno.test("happy eyeballs: one that does not answer is overtaken, and ended", async () => {
  let ended = false;
  const value = await race(hosts("silent", "quick"), {
    attempt: ({ hostname }, signal) => {
      if (hostname === "quick") return Promise.resolve("quick");
      return hang(addr(hostname), signal).finally(() => ended = true);
    },
    discard: () => {},
    signal: never,
    delay: 5,
  });
  assertEquals([value, ended], ["quick", true]);
});

Deno.test("happy eyeballs: of two that answer the later one is discarded", async () => {
  const discarded: string[] = [];
  const gate = latch();
  const value = await race(hosts("slow", "quick"), {
    attempt: async ({ hostname }) => {
      if (hostname === "slow") await gate.done;
      else queueMicrotask(() => gate.open());
      return hostname;
    },
    discard: (late) => void discarded.push(late),
    signal: never,
    delay: 1,
  });
  assertEquals([value, discarded], ["quick", ["slow"]]);
});

Deno.test("happy eyeballs: when all fail, each error is told", async () => {
  const error = await assertRejects(
    () =>
      race(hosts("a", "b"), {
        attempt: ({ hostname }) => Promise.reject(new Error(hostname)),
        discard: () => {},
        signal: never,
      }),
    AllFailed,
  );
  assertEquals(error.errors.map((e) => e instanceof Error && e.message), ["a", "b"]);
});

Deno.test("happy eyeballs: its signal ends all attempts, and starts no more", async () => {
  const controller = new AbortController();
  const tried: string[] = [];
  const racing = race(hosts("a", "b", "c"), {
    attempt: (a, signal) => {
      tried.push(a.hostname);
      if (tried.length === 2) queueMicrotask(() => controller.abort(new Error("enough")));
      return hang(a, signal);
    },
    discard: () => {},
    signal: controller.signal,
    delay: 1,
  });
  const error = await assertRejects(() => racing, AllFailed);
  assertEquals(tried, ["a", "b"]);
  assert(error.errors.every((e) => e instanceof Error && e.message === "enough"));
});
