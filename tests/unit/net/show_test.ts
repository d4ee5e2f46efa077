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
