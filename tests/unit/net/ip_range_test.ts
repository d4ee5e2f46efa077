import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import type { Family } from "../../../lib/pipe/types.ts";
import { formatIp, parseIp } from "../../../lib/net/ip.ts";
import { IpRange, type IpRangeOptions } from "../../../lib/net/ip_range.ts";
import { Random } from "../../helpers/random.ts";

const range = (text: string, options?: IpRangeOptions) => new IpRange(text, options);
const texts = (ranges: Iterable<IpRange>) => Array.from(ranges, String);

/** A number of so many bits. */
function bits(r: Random, count: number): bigint {
  let value = 0n;
  for (let i = 0; i < count; i += 16) value = value << 16n | BigInt(r.below(0x10000));
  return BigInt.asUintN(count, value);
}

function address(r: Random): string {
  const family: Family = r.below(2) === 0 ? "IPv4" : "IPv6";
  const zone = family === "IPv6" && r.below(4) === 0 ? ["eth0", "4", "a-b"][r.below(3)] ?? "" : "";
  return formatIp({ family, value: bits(r, family === "IPv4" ? 32 : 128), zone });
}

Deno.test("fault 29: a /24 has 256 addresses, not 255", () => {
  const lan = range("192.168.1.0/24");
  assertEquals(lan.size, 256n);
  assertEquals([...lan].length, 256);
  assertEquals(String(lan.at(-1)), "192.168.1.255");
  assertEquals(lan.hosts.size, 254n);
});

Deno.test("fault 29: a /64 does not overflow", () => {
  const block = range("2001:db8::/64");
  assertEquals(block.size, 18446744073709551616n);
  assertEquals(String(block.at(-1)), "2001:db8::ffff:ffff:ffff:ffff");
  assertEquals(String(block.at(2n ** 63n)), "2001:db8:0:0:8000::");
  assertEquals(block.at(2n ** 64n), undefined);
});

Deno.test("fault 29: includes is a subset, overlaps an intersection", () => {
  const small = range("10.1.0.0/16"), big = range("10.0.0.0/8");
  assertEquals([big.includes(small), small.includes(big)], [true, false]);
  assertEquals([big.overlaps(small), small.overlaps(big)], [true, true]);
  const crossing = range("10.255.255.255-11.0.0.0");
  assertEquals([big.includes(crossing), big.overlaps(crossing)], [false, true]);
});

Deno.test("fault 29: ::1 is not 0.0.0.1", () => {
  assert(!range("::1").equals("0.0.0.1"));
  assert(!range("::/96").includes("0.0.0.1") && !range("::/0").overlaps("0.0.0.0/0"));
  assert(range("::1").equals("0:0:0:0:0:0:0:1"));
});

Deno.test("fault 29: 100.64.0.0/10 is shared, not public", () => {
  assertEquals(range("100.64.0.1").scope, "shared");
  assertEquals(range("100.64.0.0/10").scope, "shared");
  assertEquals(range("100.63.255.255").scope, "global");
  assertEquals(range("100.128.0.0").scope, "global");
});

Deno.test("faults 29 and 34: the zone is kept by everything and significant", () => {
  const one = range("fe80::1%eth0");
  assertEquals(one.zone, "eth0");
  assert(!one.equals("fe80::1%eth1") && !one.equals("fe80::1"));
  assert(!one.overlaps("fe80::1%eth1") && one.overlaps("fe80::1"));
  assert(range("fe80::/10").includes(one), "a range without a zone has all zones");
  assert(!one.includes("fe80::1"), "which zone that is nobody knows");
  const block = range("fe80::7%eth0/64");
  assertEquals(String(block), "fe80::%eth0/64");
  const made = [
    ...[block.at(5), block.first, block.last, block.slice(1, 3), block.offset(1n << 64n)],
    ...[block.hosts, block.network, ...range("fe80::%eth0/127"), ...one.reversed()],
    new IpRange(JSON.parse(JSON.stringify(block))),
  ];
  for (const [i, part] of made.entries()) assertEquals(part?.zone, "eth0", `${i}`);
});

Deno.test("the size is exact for every prefix", () => {
  for (const [family, bits] of [["IPv4", 32], ["IPv6", 128]] as const) {
    for (let prefix = 0; prefix <= bits; prefix++) {
      const block = new IpRange(0n, { family, prefix });
      assertEquals(block.size, 2n ** BigInt(bits - prefix));
      assertEquals(block.prefix, prefix);
      const mask = block.netmask ?? "";
      const ones = parseIp(mask)?.value.toString(2) ?? "";
      assertEquals(ones, prefix === 0 ? "0" : "1".repeat(prefix) + "0".repeat(bits - prefix));
      assertEquals(new IpRange(0n, { family, netmask: mask }), block);
    }
  }
});

Deno.test("every form of text is read, and written in one form only", () => {
  const forms = [
    ["10.0.0.1", "10.0.0.1", 1n],
    ["10.0.0.1/32", "10.0.0.1", 1n],
    ["10.0.0.0/8", "10.0.0.0/8", 1n << 24n],
    ["10.1.2.3/8", "10.0.0.0/8", 1n << 24n], // the whole block
    ["10.1.2.3/255.0.0.0", "10.0.0.0/8", 1n << 24n],
    ["0.0.0.0/0", "0.0.0.0/0", 1n << 32n],
    ["10.0.0.5-10.0.0.9", "10.0.0.5-10.0.0.9", 5n],
    ["10.0.0.4-10.0.0.7", "10.0.0.4/30", 4n],
    ["10.0.0.1-10.0.0.1", "10.0.0.1", 1n],
    ["FE80::0/10", "fe80::/10", 1n << 118n],
    ["::/0", "::/0", 1n << 128n],
    ["fe80::1%eth0/128", "fe80::1%eth0", 1n],
    ["fe80::1%a-b-fe80::3%a-b", "fe80::1%a-b-fe80::3%a-b", 3n],
    ["2001:db8::/ffff:ffff::", "2001:db8::/32", 1n << 96n],
    ["::ffff:10.0.0.0/104", "::ffff:10.0.0.0/104", 1n << 24n],
  ] as const;
  for (const [text, canonical, size] of forms) {
    const made = range(text);
    assertEquals([String(made), made.size], [canonical, size], text);
    assertEquals(JSON.stringify({ made }), JSON.stringify({ made: canonical }));
    assertEquals(Deno.inspect(made), `IpRange("${canonical}")`);
  }
});

Deno.test("a prefix or mask can be given apart from the address", () => {
  const slash8 = range("10.0.0.0/8");
  assertEquals(range("10.1.2.3", { prefix: 8 }), slash8);
  assertEquals(range("10.1.2.3", { netmask: "255.0.0.0" }), slash8);
  assertEquals(range("10.1.2.3", { netmask: "255.0.0.0", prefix: 8 }), slash8);
  assertEquals(range("10.1.2.3/8", { prefix: 8, family: "IPv4" }), slash8);
  assertEquals(new IpRange(0x0a000001n, { family: "IPv4", prefix: 8 }), slash8);
  assertEquals(String(new IpRange(1n, { family: "IPv6" })), "::1");
  assertEquals(String(new IpRange(1n, { family: "IPv4" })), "0.0.0.1");
  assertEquals(String(new IpRange(9n, { family: "IPv4", size: 3n })), "0.0.0.9-0.0.0.11");
  const zoned = new IpRange(0xfe80n << 112n, { family: "IPv6", prefix: 64, zone: "eth0" });
  assertEquals(String(zoned), "fe80::%eth0/64");
});

Deno.test("what is no range is refused with the argument and the value", () => {
  const wrong: [() => unknown, typeof TypeError | typeof RangeError, string][] = [
    [() => range("10.0.0.0/33"), RangeError, "33"],
    [() => range("::/129"), RangeError, "129"],
    [() => range("10.0.0.0/-1"), RangeError, "-1"],
    [() => range("10.0.0.0/08"), RangeError, "08"],
    [() => range("10.0.0.0/"), RangeError, "0 to 32"],
    [() => range("10.0.0.0/8 "), RangeError, "8 "],
    [() => range("10.0.0.0/255.0.255.0"), RangeError, "255.0.255.0"],
    [() => range("10.0.0.0/0.0.0.255"), RangeError, "0.0.0.255"],
    [() => range("10.0.0.0/ffff::"), RangeError, "IPv4"],
    [() => range("10.0.0.0", { prefix: 33 }), RangeError, "prefix"],
    [() => range("10.0.0.0", { prefix: 1.5 }), RangeError, "1.5"],
    [() => range("10.0.0.0", { netmask: "255.0.255.0" }), RangeError, "255.0.255.0"],
    [() => range("10.0.0.0", { netmask: "255" }), TypeError, "netmask"],
    [() => range("10.0.0.0", { netmask: "255.0.0.0", prefix: 9 }), RangeError, "9"],
    [() => range("10.0.0.0/8", { prefix: 9 }), RangeError, "10.0.0.0/8"],
    [() => range("10.0.0.0", { prefix: 8, size: 2n }), TypeError, "size"],
    [() => range("10.0.0.0", { size: 0n }), RangeError, "size"],
    [() => range("255.255.255.255", { size: 2n }), RangeError, "size"],
    [() => range("10.0.0.0", { family: "IPv6" }), RangeError, "IPv6"],
    [() => range("fe80::1%eth0", { zone: "eth1" }), RangeError, "eth1"],
    [() => range("10.0.0.9-10.0.0.1"), RangeError, "10.0.0.9-10.0.0.1"],
    [() => range("10.0.0.9-::1"), RangeError, "::1"],
    [() => range("fe80::1%a-fe80::2%b"), RangeError, "fe80::2%b"],
    [() => range("localhost"), TypeError, "localhost"],
    [() => range("10.0.0"), TypeError, "10.0.0"],
    [() => range("010.0.0.0/8"), TypeError, "010.0.0.0/8"],
    [() => range(""), TypeError, "address"],
    [() => range("1-".repeat(1_000_000)), TypeError, "address"],
    [() => new IpRange(1n), TypeError, "family"],
    [() => new IpRange(-1n, { family: "IPv4" }), RangeError, "-1"],
    [() => new IpRange(1n << 32n, { family: "IPv4" }), RangeError, "4294967296"],
    [() => new IpRange(1n, { family: "IPv4", zone: "eth0" }), RangeError, "eth0"],
    [() => new IpRange(1n, { family: "IPv6", zone: "a b" }), RangeError, "a b"],
    [() => Reflect.construct(IpRange, [1, { family: "IPv4" }]), TypeError, "got 1"],
    [() => Reflect.construct(IpRange, ["::1", { mask: 8 }]), TypeError, "mask"],
    [() => Reflect.construct(IpRange, ["::1", null]), TypeError, "null"],
    [() => Reflect.construct(IpRange, ["::1", { prefix: "8" }]), TypeError, "8"],
  ];
  for (const [make, kind, part] of wrong) assertThrows(make, kind, part);
});

Deno.test("at() and slice() are those of an array, for every position", () => {
  for (const text of ["10.0.0.0/29", "10.0.0.7-10.0.0.13", "::fff0/125", "10.0.0.1"]) {
    const made = range(text), all = [...made];
    assertEquals(all.length, Number(made.size));
    for (let i = -10; i <= 10; i++) {
      assertEquals(made.at(i), all.at(i), `${text} ${i}`);
      assertEquals(made.at(BigInt(i)), all.at(i));
      assertEquals(texts(made.slice(i) ?? []), texts(all.slice(i)));
      for (let j = -10; j <= 10; j++) {
        assertEquals(texts(made.slice(i, j) ?? []), texts(all.slice(i, j)), `${text} ${i} ${j}`);
      }
    }
    assertEquals(texts(made.reversed()), texts(all.toReversed()));
    assertEquals(texts(made.slice() ?? []), texts(all));
  }
  assertThrows(() => range("::/64").at(1.5), RangeError, "1.5");
  assertThrows(() => range("::/64").at(2 ** 64), RangeError);
  assertThrows(() => range("::/64").slice(NaN), RangeError, "NaN");
});

Deno.test("iteration of a huge range starts at once, from either end", () => {
  const [first] = range("2001:db8::/32");
  assertEquals(String(first), "2001:db8::");
  const { value: last } = range("::/0").reversed().next();
  assertEquals(String(last), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
});

Deno.test("network, broadcast and hosts are those of the block", () => {
  const blocks = [
    ["192.168.1.77/24", "192.168.1.0", "192.168.1.255", "192.168.1.1-192.168.1.254"],
    ["10.0.0.4/30", "10.0.0.4", "10.0.0.7", "10.0.0.5-10.0.0.6"],
    ["10.0.0.4/31", "10.0.0.4", undefined, "10.0.0.4/31"],
    ["10.0.0.4", "10.0.0.4", undefined, "10.0.0.4"],
    ["2001:db8::/126", "2001:db8::", undefined, "2001:db8::1-2001:db8::3"],
    ["2001:db8::/127", "2001:db8::", undefined, "2001:db8::/127"],
    ["10.0.0.5-10.0.0.9", undefined, undefined, "10.0.0.5-10.0.0.9"],
  ] as const;
  for (const [text, network, broadcast, hosts] of blocks) {
    const made = range(text);
    assertEquals(made.network?.toString(), network, text);
    assertEquals(made.broadcast?.toString(), broadcast, text);
    assertEquals(String(made.hosts), hosts, text);
  }
  assertEquals(range("10.0.0.5-10.0.0.9").prefix, undefined);
  assertEquals(range("10.0.0.5-10.0.0.9").netmask, undefined);
  assertEquals(range("10.0.0.2-10.0.0.5").prefix, undefined, "four, but not aligned");
});

Deno.test("offset() moves to both sides and never out of the family", () => {
  assertEquals(String(range("10.0.0.255").offset(1)), "10.0.1.0");
  assertEquals(String(range("10.0.1.0").offset(-1n)), "10.0.0.255");
  const block = range("10.0.0.0/24");
  assertEquals(String(block.offset(block.size)), "10.0.1.0/24");
  assertEquals(String(block.offset(1)), "10.0.0.1-10.0.1.0");
  assertEquals(String(range("::1").offset(2n ** 127n)), "8000::1");
  assertThrows(() => range("255.255.255.255").offset(1), RangeError, "255.255.255.255");
  assertThrows(() => block.offset(-0x0a000001), RangeError);
  assertThrows(() => range("::").offset(-1), RangeError);
  assertThrows(() => range("0.0.0.0/0").offset(1), RangeError);
});

Deno.test("includes, overlaps and equals agree with sets of addresses", () => {
  const r = new Random(1);
  const some = () => {
    const start = r.below(32), size = 1 + r.below(32 - start);
    return new IpRange(0xffff_ffe0n + BigInt(start), { family: "IPv4", size: BigInt(size) });
  };
  let included = 0, equal = 0;
  for (let i = 0; i < 3000; i++) {
    const a = some(), b = some();
    const left = new Set(texts(a)), right = new Set(texts(b));
    assertEquals(a.includes(b), right.isSubsetOf(left), `${a} ${b}`);
    assertEquals(a.overlaps(b), !right.isDisjointFrom(left), `${a} ${b}`);
    assertEquals(a.overlaps(String(b)), b.overlaps(a));
    assertEquals(a.equals(b), left.size === right.size && right.isSubsetOf(left));
    included += Number(a.includes(b));
    equal += Number(a.equals(b));
  }
  assert(included > 100 && equal > 5, `${included} ${equal}`);
});

Deno.test("text, JSON and number turn into the same range again", () => {
  const r = new Random(2);
  for (let i = 0; i < 2000; i++) {
    const ip = address(r), bare = new IpRange(ip);
    const prefix = r.below(bare.family === "IPv4" ? 33 : 129);
    const block = r.below(3) === 0 ? bare.slice(0, 1) ?? bare : new IpRange(ip, { prefix });
    assert(block.includes(bare), `${block} ${ip}`);
    const part = block.slice(r.below(3), -r.below(3) || undefined) ?? block;
    for (const made of [block, part]) {
      const { family, value, size, zone } = made;
      assertEquals(new IpRange(made.toString()), made);
      assertEquals(new IpRange(JSON.parse(JSON.stringify(made))), made);
      assertEquals(new IpRange(value, { family, size, zone }), made);
    }
  }
});

Deno.test("any text at all is a range or a TypeError or RangeError", () => {
  const r = new Random(3);
  const pieces = ["10.0.0.1", "::", "fe80::1%e-0", "/", "-", "8", "255.0.0.0", "%", "33", " ", "é"];
  let good = 0;
  for (let i = 0; i < 20_000; i++) {
    const text = Array.from({ length: 1 + r.below(4) }, () => pieces[r.below(pieces.length)]).join(
      "",
    );
    try {
      const made = new IpRange(text);
      assertEquals(new IpRange(String(made)), made, text);
      good++;
    } catch (error) {
      assert(error instanceof TypeError || error instanceof RangeError, `${text}: ${error}`);
    }
  }
  assert(good > 1000, `${good}`);
});

Deno.test("a range never changes", () => {
  const made = range("10.0.0.0/8");
  assertThrows(() => Reflect.set(made, "size", 1n) || assert(false, "is not set"), Error);
  assertEquals(made.size, 1n << 24n);
  assertStrictEquals(made.hosts.family, "IPv4");
});
