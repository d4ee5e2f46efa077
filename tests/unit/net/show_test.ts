import { assert, assertEquals } from "@std/assert";
import { show } from "../../../lib/net/show.ts";

Deno.test("show() takes any value, and gives one short line", () => {
  const loop: unknown[] = [];
  loop.push(loop);
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const thrower = {
    get a(): never {
      throw new Error("no");
    },
  };
  for (const value of [loop, proxy, thrower, Symbol("\n"), "a\x7f\u202e\x1b", "x".repeat(1e6)]) {
    const text = show(value);
    assert(text.length < 500, text);
    for (const char of ["\n", "\x1b", "\x7f", "\u202e"]) assert(!text.includes(char), text);
  }
  assertEquals(show(["a", 65536]), '["a",65536]');
  assertEquals(show({ hostname: "a", port: 80n }), '{hostname:"a",port:80n}');
});

Deno.test("show() names the class of what is no plain object, without its fields", () => {
  class Secretive {
    readonly password = "secret";
  }
  const named: [value: unknown, text: string][] = [
    [new AbortController(), "an AbortController"],
    [AbortSignal.abort(), "an AbortSignal"],
    [/x/, "a RegExp"],
    [new Secretive(), "a Secretive"],
    [Promise.resolve(), "a Promise"],
    [new Map([[1, 2]]), "a Map"],
    [new Error("x"), "an Error"],
    [new ArrayBuffer(4), "an ArrayBuffer"],
    [{ sub: /x/, a: [new Date()] }, "{sub:a RegExp,a:[a Date]}"],
    [new (class {})(), "{}"],
    [Object.create(null), "{}"],
    [Object.create({ constructor: { name: "Forged" } }), "{}"],
    [Object.create({ [Symbol.toStringTag]: 5 }), "{}"],
  ];
  for (const [value, text] of named) assertEquals(show(value), text);
  const long = show(Object.create({ [Symbol.toStringTag]: "x\n".repeat(1e5) }));
  assert(long.length < 500 && !long.includes("\n"), long);
});
