import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Interface } from "../../../lib/netif/interface.ts";
import type { InterfaceChange } from "../../../lib/netif/watch.ts";
import { info } from "./machines.ts";

/** A machine whose addresses change: each look sees the next state, and the last one for ever. */
function machine(...states: readonly (readonly string[])[]) {
  let looks = 0;
  const source = () => {
    const cidrs = states[Math.min(looks++, states.length - 1)] ?? [];
    return cidrs.map((cidr) => info("eth0", cidr));
  };
  return { source, interval: 1, looks: () => looks };
}

const names = ({ added, removed }: InterfaceChange) =>
  [added, removed].map((list) =>
    list.map(({ name, address: { ip, prefix } }) => `${name} ${ip}/${prefix}`)
  );

Deno.test("watch() yields when addresses come and go, and not else", async () => {
  const first = ["10.0.0.1/8"], second = ["10.0.0.1/24"], third = ["10.0.0.1/24", "fd00::1/64"];
  const { source, interval } = machine(first, first, first, second, second, third, [], []);
  const seen = [];
  for await (const change of Interface.watch({ source, interval })) {
    seen.push(names(change));
    if (seen.length === 1) assertEquals(String(change.interfaces[0]?.addresses[0]?.prefix), "24");
    if (seen.length === 3) break;
  }
  assertEquals(seen, [
    [["eth0 10.0.0.1/24"], ["eth0 10.0.0.1/8"]],
    [["eth0 fd00::1/64"], []],
    [[], ["eth0 10.0.0.1/24", "eth0 fd00::1/64"]],
  ]);
});

Deno.test("watch() tells what changed between its call and the first wait, at once", async () => {
  const { source, looks } = machine([], ["10.0.0.1/8"]);
  const watch = Interface.watch({ source, interval: 1_000_000 });
  assertEquals(looks(), 1);
  const { value } = await watch.next();
  assertEquals(value && names(value), [["eth0 10.0.0.1/8"], []]);
  await watch.return();
  assertEquals(await watch.next(), { done: true, value: undefined });
});

Deno.test("watch() rejects with the signal's reason, waiting or not", async () => {
  const { source, interval } = machine([]);
  const reason = new Error("enough");
  const controller = new AbortController();
  const { signal } = controller;
  const watch = Interface.watch({ source, interval: 1_000_000, signal });
  const waiting = watch.next();
  await Promise.resolve();
  controller.abort(reason);
  assertEquals(await assertRejects(() => waiting), reason);
  assertEquals(await watch.next(), { done: true, value: undefined });
  assertEquals(assertThrows(() => Interface.watch({ source, interval, signal })), reason);
});

Deno.test("return() ends a wait, and no timer stays", async () => {
  const { source } = machine([]);
  const watch = Interface.watch({ source, interval: 1_000_000 });
  const waiting = watch.next();
  await new Promise((resolve) => setTimeout(resolve, 5));
  await watch.return();
  assertEquals(await waiting, { done: true, value: undefined });
});

Deno.test("two who wait at once get a change each", async () => {
  const { source, interval } = machine([], [], ["10.0.0.1/8"], [], []);
  await using watch = Interface.watch({ source, interval });
  const [one, two] = await Promise.all([watch.next(), watch.next()]);
  assertEquals(one.value && names(one.value), [["eth0 10.0.0.1/8"], []]);
  assertEquals(two.value && names(two.value), [[], ["eth0 10.0.0.1/8"]]);
});

Deno.test("a failure to read ends the watch with it", async () => {
  let looks = 0;
  const source = () => {
    if (looks++ > 1) throw new Error("unplugged");
    return [];
  };
  const watch = Interface.watch({ source, interval: 1 });
  await assertRejects(() => watch.next(), Error, "unplugged");
  assertEquals((await watch.next()).done, true);
});

Deno.test("watch() refuses wrong options", () => {
  const { source } = machine([]);
  for (const interval of [0, -1, NaN]) {
    assertThrows(() => Interface.watch({ source, interval }), RangeError, `${interval}`);
  }
  assertThrows(() => Reflect.apply(Interface.watch, null, [{ every: 1 }]), TypeError, '"every"');
  const signal = new EventTarget();
  assertThrows(
    () => Reflect.apply(Interface.watch, null, [{ source, signal }]),
    TypeError,
    "signal",
  );
});
