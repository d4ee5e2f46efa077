import { assert, assertEquals, assertThrows } from "@std/assert";
import type { NetAddr } from "@p2pd/pipes";
import { compileFilter, passes } from "../../../lib/pipe/filter.ts";

const from: NetAddr = { transport: "udp", hostname: "::1", port: 80 };
const bytes = (text: string) => new TextEncoder().encode(text);
const test = (match: unknown, data: Uint8Array<ArrayBuffer>) =>
  passes(compileFilter({ match }, "sub"), data, from);

Deno.test("filter: text and bytes match anywhere in the message", () => {
  assert(test("world", bytes("hello world")));
  assert(!test("worlds", bytes("hello world")));
  assert(test("", bytes("")));
  assert(test("ž", bytes("kůň žere")));
  assert(test(new Uint8Array([0, 255]), new Uint8Array([1, 0, 255, 2])));
  assert(!test(new Uint8Array([0, 255]), new Uint8Array([1, 0, 2, 255])));
});

Deno.test("filter: a regular expression sees each byte as the character of that code", () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  for (let i = 0; i < 256; i++) {
    const hex = i.toString(16).padStart(2, "0");
    assert(test(new RegExp(`^\\x${hex}$`), all.subarray(i, i + 1)), `byte ${i}`);
  }
  assert(test(/^\x80\xff$/, new Uint8Array([0x80, 0xff])));
  assert(test(/HELLO/i, bytes("hello")));
  assert(test(/b$/, new Uint8Array(100_000).fill(98)));
});

Deno.test("filter: the flags that keep state are stripped", () => {
  const filter = compileFilter({ match: /a/gy }, "sub");
  for (let i = 0; i < 3; i++) assert(passes(filter, bytes("a"), from));
});

Deno.test("filter: a function must say true", () => {
  assert(test((msg: Uint8Array, addr: NetAddr) => msg.length === addr.port, new Uint8Array(80)));
  assert(!test(() => 1, bytes("x")));
});

Deno.test("filter: the caller's bytes are copied", () => {
  const needle = bytes("abc");
  const filter = compileFilter({ match: needle }, "sub");
  needle.fill(0);
  assert(passes(filter, bytes("xabcx"), from));
});

Deno.test("filter: peers are compared as addresses, port 0 is any port", () => {
  const is = (peer: unknown, hostname: string, port: number) =>
    passes(compileFilter({ from: peer }, "sub"), bytes(""), { transport: "udp", hostname, port });
  assert(is("[0:0:0:0:0:0:0:1]:80", "::1", 80));
  assert(is(["::1", 0], "::1", 9999));
  assert(!is(["::1", 81], "::1", 80));
  assert(!is(["::1", 0], "0.0.0.1", 80));
  assert(is(["::ffff:10.0.0.1", 0], "10.0.0.1", 80));
  assert(is({ hostname: "FE80::1", port: 0 }, "fe80::1%eth0", 80));
  assert(is(["fe80::1%eth0", 7], "fe80::1%eth0", 7));
  assert(!is(["fe80::1%eth1", 7], "fe80::1%eth0", 7));
});

Deno.test("filter: equal filters have equal keys", () => {
  const key = (sub: unknown) => compileFilter(sub, "sub").key;
  const fn = () => true;
  for (
    const sub of [
      () => ({ match: /a/i }),
      () => ({ match: "a" }),
      () => ({ match: bytes("a"), from: "1.2.3.4:5" }),
      () => ({ from: ["::1", 0] }),
      () => ({ match: fn }),
      () => ({}),
    ]
  ) assertEquals(key(sub()), key(sub()));
  const different = [
    {},
    { match: /a/ },
    { match: /a/i },
    { match: "a" },
    { match: "/a/" },
    { match: () => true },
    { match: () => true },
    { from: "1.2.3.4:5" },
    { from: "1.2.3.4:0" },
    { from: "1.2.3.4:5", match: "a" },
  ];
  assertEquals(new Set(different.map(key)).size, different.length);
  assertEquals(key({ match: "a" }), key({ match: bytes("a") }));
  assertEquals(key({ from: "[::1]:1" }), key({ from: ["0:0::1", 1] }));
});

Deno.test("filter: malformed ones are named", () => {
  assertThrows(() => compileFilter(5, "sub"), TypeError, "sub");
  assertThrows(() => compileFilter(null, "sub"), TypeError, "null");
  assertThrows(() => compileFilter(/x/, "sub"), TypeError, "match");
  assertThrows(() => compileFilter({ matches: /x/ }, "sub"), TypeError, "matches");
  const late = () => compileFilter({ timeout: 100 }, "sub");
  assertThrows(late, TypeError, "recv(undefined, { timeout })");
  assertThrows(() => compileFilter({ match: 5 }, "sub"), TypeError, "sub.match");
  assertThrows(() => compileFilter({ from: "localhost:80" }, "sub"), TypeError, "sub.from");
  assertThrows(() => compileFilter({ from: ["::1", 65536] }, "sub"), RangeError, "65536");
});

Deno.test("filter: 10,000 random messages and needles, like a plain search", () => {
  let seed = 7;
  const random = (below: number) => (seed = (seed * 48271) % 0x7fffffff) % below;
  const few = (length: number) => Uint8Array.from({ length }, () => random(3));
  const latin1 = (data: Uint8Array) => String.fromCharCode(...data);
  let found = 0;
  for (let i = 0; i < 10_000; i++) {
    const data = few(random(60)), needle = few(random(6));
    const expected = latin1(data).includes(latin1(needle));
    if (expected) found++;
    assertEquals(test(needle, data), expected);
  }
  assert(found > 1000 && found < 9900);
});

Deno.test("filter: no message is slow to search", () => {
  const needle = new Uint8Array(30_000).fill(97);
  needle[29_999] = 98;
  const start = performance.now();
  assert(!test(needle, new Uint8Array(65_507).fill(97)));
  assert(performance.now() - start < 500); // n times m would be 2 thousand million steps
});

Deno.test("filter: 10,000 random strings and bytes as filters: taken or refused, never a crash", () => {
  let seed = 99;
  const random = (below: number) => (seed = (seed * 48271) % 0x7fffffff) % below;
  const alphabet = "0123456789abcdef.:[]%*/-_ \u0000\u00e9\ud83d";
  const junk = () =>
    Array.from({ length: random(24) }, () => alphabet[random(alphabet.length)]).join("");
  let taken = 0;
  const start = performance.now();
  for (let i = 0; i < 10_000; i++) {
    const data = Uint8Array.from({ length: random(100) }, () => random(256));
    const match = i % 2 === 0 ? junk() : data.subarray(0, random(8));
    try {
      passes(compileFilter(i % 3 === 0 ? { from: junk(), match } : { match }, "sub"), data, from);
      taken++;
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    }
  }
  assert(taken > 6000);
  assert(performance.now() - start < 5000);
});
