import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { isIP } from "node:net";
import {
  formatIp,
  type Ip,
  ipFromBytes,
  ipToBytes,
  isBroadcast,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnspecified,
  normalizeIp,
  parseIp,
  systemHost,
  unmapIp,
} from "../../../lib/net/ip.ts";

/** mulberry32: the same numbers in every run, 0 to below n. */
function seeded(seed: number): (n: number) => number {
  return (n) => {
    seed = seed + 0x6d2b79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) % n;
  };
}

function ip(text: string): Ip {
  const parsed = parseIp(text);
  assert(parsed, text);
  return parsed;
}

type Random = (n: number) => number;

const dotted = (r: Random): string => Array.from({ length: 4 }, () => r(256)).join(".");

/** IPv6 text in any of its spellings. */
function colons(r: Random): string {
  const group = () => {
    const hex = r(3) === 0 ? "0" : r(0x10000).toString(16);
    return r(4) === 0 ? hex.padStart(4, "0").toUpperCase() : hex;
  };
  const tail = r(4) === 0 ? [dotted(r)] : [];
  const room = 8 - tail.length * 2;
  if (r(3) === 0) return [...Array.from({ length: room }, group), ...tail].join(":");
  const count = r(room);
  const before = r(count + 1);
  const left = Array.from({ length: before }, group).join(":");
  return `${left}::${[...Array.from({ length: count - before }, group), ...tail].join(":")}`;
}

const ZONES = ["eth0", "4", "wlan0.1", "a-b:c", "en0_1", "a~b@c", "x".repeat(64), "x".repeat(65)];

function address(r: Random): string {
  const text = r(2) === 0 ? dotted(r) : colons(r);
  return r(6) === 0 ? `${text}%${ZONES[r(ZONES.length)]}` : text;
}

const ALPHABET = [..."0123456789abcdefABCDEF:::...%%gxX_-/[] @~\0é", "::", "00", "256"];

function mutate(text: string, r: Random): string {
  const at = r(text.length + 1);
  const piece = ALPHABET[r(ALPHABET.length)] ?? "";
  switch (r(4)) {
    case 0:
      return text.slice(0, at) + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + piece + text.slice(at);
    case 2:
      return text.slice(0, at) + piece + text.slice(at + 1);
    default:
      return text.slice(0, at) + text.slice(r(text.length + 1));
  }
}

/**
 * What net.isIP says, but for the differences, all of them about zones:
 * 1. ours has at most 64 characters, Node's any number;
 * 2. ours may have "_", "~" and "@", as names of real interfaces do.
 */
function nodeSays(text: string): number {
  const percent = text.indexOf("%");
  if (percent < 0) return isIP(text);
  const zone = text.slice(percent + 1);
  return zone.length > 64 ? 0 : isIP(`${text.slice(0, percent)}%${zone.replace(/[_~@]/g, "x")}`);
}

Deno.test("parseIp() agrees with net.isIP on 100,000 strings, but for zones", () => {
  const r = seeded(1);
  const count = [0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < 100_000; i++) {
    let text = address(r);
    for (let n = r(4); n > 0; n--) text = mutate(text, r);
    const family = parseIp(text)?.family;
    const ours = family === undefined ? 0 : family === "IPv4" ? 4 : 6;
    assertEquals(ours, nodeSays(text), JSON.stringify(text));
    count[ours] = (count[ours] ?? 0) + 1;
  }
  for (const n of [0, 4, 6]) assert((count[n] ?? 0) > 10_000, `only ${count[n]} of kind ${n}`);
});

Deno.test("formatIp() agrees with URL, but for v4-mapped addresses and zones", () => {
  const r = seeded(2);
  for (let i = 0; i < 10_000; i++) {
    const text = colons(r);
    const parsed = ip(text);
    if (unmapIp(parsed) !== parsed) continue;
    assertEquals(`[${formatIp(parsed)}]`, new URL(`http://[${text}]/`).hostname);
  }
});

Deno.test("text, number and bytes turn into each other without loss", () => {
  const r = seeded(3);
  for (let i = 0; i < 20_000; i++) {
    const parsed = parseIp(address(r));
    if (!parsed) continue;
    const text = formatIp(parsed);
    assertEquals(parseIp(text), parsed);
    assertEquals(formatIp(ip(text)), text);
    const bytes = ipToBytes(parsed);
    assertEquals(bytes.length, parsed.family === "IPv4" ? 4 : 16);
    assertEquals(ipFromBytes(bytes, parsed.zone), parsed);
  }
});

Deno.test("formatIp() writes what RFC 5952 says", () => {
  const examples = [
    ["2001:0db8::0001", "2001:db8::1"], // 4.1
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"], // 4.2.1
    ["2001:db8::0:1", "2001:db8::1"], // 4.2.1
    ["2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"], // 4.2.2
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"], // 4.2.3, the longest
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"], // 4.2.3, the first
    ["2001:DB8:AAAA::CCCC", "2001:db8:aaaa::cccc"], // 4.3
    ["0:0:0:0:0:FFFF:192.0.2.1", "::ffff:192.0.2.1"], // 5
    ["::ffff:c000:201", "::ffff:192.0.2.1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
    ["fe80:0::1%Eth0", "fe80::1%Eth0"],
    ["255.255.255.255", "255.255.255.255"],
  ] as const;
  for (const [text, canonical] of examples) assertEquals(formatIp(ip(text)), canonical);
});

Deno.test("parseIp() refuses what only looks like an address", () => {
  const wrong = [
    ...["", "1", "1.2.3", "127.1", "1.2.3.", ".1.2.3", "1..2.3", "1.2.3.4.", "1.2.3.4.5"],
    ...["256.1.1.1", "01.2.3.4", "1.2.3.00", "0x10.0.0.1", "1.2.3.4%eth0", " 1.2.3.4", "1.2.3.4 "],
    ...["1.2.3.4\0", "١.2.3.4", "-1.2.3.4", "+1.2.3.4", "1e1.2.3.4"],
    ...[":", ":::", "1:", ":1", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::"],
    ...["1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "12zz::1", "[::1]", "::1/64", "::1.2.3"],
    ...["1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.4:1", "::256.2.3.4", "::1%", "::1%a%b", "::1%a b"],
    ...["::1%a/b", `::1%${"x".repeat(65)}`, "%eth0", "::1%é"],
  ];
  for (const text of wrong) assertEquals(parseIp(text), undefined, JSON.stringify(text));
});

Deno.test("parseIp() takes any string of any length in bounded time", () => {
  const r = seeded(4);
  const start = performance.now();
  for (let i = 0; i < 10_000; i++) {
    const codes = Array.from({ length: r(200) }, () => r(2) === 0 ? r(128) : r(0x10000));
    parseIp(String.fromCharCode(...codes));
  }
  for (const piece of ["1", ":", "1:", "::", ".", "1.", "%", "::1%a", "f", "\ud800"]) {
    assertEquals(parseIp(piece.repeat(1_000_000)), undefined);
  }
  assert(performance.now() - start < 5000);
});

Deno.test("ipFromBytes() and ipToBytes() refuse what is no address", () => {
  for (const length of [0, 3, 5, 15, 17]) {
    assertThrows(() => ipFromBytes(new Uint8Array(length)), RangeError, `${length}`);
  }
  assertThrows(() => ipFromBytes(new Uint8Array(4), "eth0"), RangeError, "eth0");
  assertThrows(() => ipFromBytes(new Uint8Array(16), "a b"), RangeError, "a b");
  assertThrows(() => formatIp({ family: "IPv4", value: 1n << 32n, zone: "" }), RangeError);
  assertThrows(() => ipToBytes({ family: "IPv6", value: -1n, zone: "" }), RangeError);
});

Deno.test("unmapIp() unfolds v4-mapped addresses only", () => {
  assertEquals(unmapIp(ip("::ffff:1.2.3.4%eth0")), ip("1.2.3.4"));
  for (
    const text of ["1.2.3.4", "::1.2.3.4", "::ffff:0:1.2.3.4", "64:ff9b::1.2.3.4", "fe80::1%4"]
  ) {
    const parsed = ip(text);
    assertStrictEquals(unmapIp(parsed), parsed);
  }
});

Deno.test("normalizeIp() gives one text for one address", () => {
  assertEquals(normalizeIp("0:0:0:0:0:0:0:1"), "::1");
  assertEquals(normalizeIp("::FFFF:7f00:1"), "127.0.0.1");
  assertEquals(normalizeIp("FE80::1%eth0"), "fe80::1%eth0");
  assertEquals(normalizeIp("localhost"), undefined);
});

Deno.test("systemHost() unfolds v4-mapped addresses and leaves the rest alone", () => {
  assertEquals(systemHost("::ffff:127.0.0.1"), "127.0.0.1");
  assertEquals(systemHost("::ffff:7f00:1"), "127.0.0.1");
  assertEquals(systemHost("::ffff:127.0.0.1%4"), "127.0.0.1");
  const same = [
    "127.0.0.1",
    "::1",
    "fe80::1%eth0",
    "::",
    "::ffff:0:0:1",
    "::ffff:",
    "::ffff:x",
    "",
  ];
  for (const text of same) assertEquals(systemHost(text), text);
});

Deno.test("systemHost() agrees with normalizeIp() on canonical text", () => {
  const r = seeded(5);
  for (let i = 0; i < 10_000; i++) {
    const parsed = parseIp(address(r));
    if (parsed) assertEquals(systemHost(formatIp(parsed)), normalizeIp(formatIp(parsed)));
  }
});

Deno.test("the kinds of address have the edges that the RFCs give them", () => {
  const kinds = [
    [isLinkLocal, ["169.254.0.0", "169.254.255.255", "fe80::", "febf:ffff::1%2"], [
      ...["169.253.255.255", "169.255.0.0", "fe7f::1", "fec0::"],
    ]],
    [isLoopback, ["127.0.0.0", "127.255.255.255", "::1", "::ffff:127.0.0.1"], [
      ...["126.255.255.255", "128.0.0.0", "::", "::2", "::127.0.0.1", "0.0.0.1"],
    ]],
    [isMulticast, ["224.0.0.0", "239.255.255.255", "ff00::", "ff02::1%eth0"], [
      ...["223.255.255.255", "240.0.0.0", "fe80::1", "255.255.255.255"],
    ]],
    [isUnspecified, ["0.0.0.0", "::", "::ffff:0.0.0.0"], ["0.0.0.1", "::1"]],
    [isBroadcast, ["255.255.255.255", "::ffff:255.255.255.255"], [
      ...["255.255.255.254", "10.0.0.255", "::255.255.255.255", "ff02::1"],
    ]],
  ] as const;
  for (const [is, yes, no] of kinds) {
    for (const text of yes) assert(is(ip(text)), `${is.name} ${text}`);
    for (const text of no) assert(!is(ip(text)), `not ${is.name} ${text}`);
  }
});

Deno.test("the first and last address of each family turn into bytes, number and text and back", () => {
  const edges = [
    ["0.0.0.0", "IPv4", 0n],
    ["255.255.255.255", "IPv4", 2n ** 32n - 1n],
    ["128.0.0.1", "IPv4", 2n ** 31n + 1n],
    ["::", "IPv6", 0n],
    ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "IPv6", 2n ** 128n - 1n],
    ["8000::1", "IPv6", 2n ** 127n + 1n],
    ["::ffff:0.0.0.0", "IPv6", 0xffffn << 32n],
    ["::ffff:255.255.255.255", "IPv6", (0xffffn << 32n) + 0xffff_ffffn],
  ] as const;
  for (const [text, family, value] of edges) {
    const address = { family, value, zone: "" };
    assertEquals(ip(text), address);
    assertEquals(formatIp(address), text);
    assertEquals(ipFromBytes(ipToBytes(address)), address);
    assertEquals(BigInt(`0x${ipToBytes(address).toHex()}`), value);
  }
});

Deno.test("fault 34: no conversion strips the zone of a link-local address", () => {
  const scoped = ip("fe80::1%eth0");
  assertEquals(scoped.zone, "eth0");
  assertEquals(formatIp(scoped), "fe80::1%eth0");
  assertEquals(ipFromBytes(ipToBytes(scoped), scoped.zone), scoped);
  assertEquals(normalizeIp("FE80:0::1%eth0"), "fe80::1%eth0");
  assertEquals(systemHost("fe80::1%eth0"), "fe80::1%eth0");
  assertEquals(unmapIp(scoped), scoped);
});
