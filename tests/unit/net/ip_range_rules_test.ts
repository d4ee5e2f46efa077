import { assert, assertEquals, assertThrows } from "@std/assert";
import { formatIp, parseIp, unmapIp } from "../../../lib/net/ip.ts";
import { IpRange } from "../../../lib/net/ip_range.ts";
import { IpRules, parseRanges } from "../../../lib/net/ip_rules.ts";
import { Random } from "../../helpers/random.ts";

type List = readonly string[] | null;

function rules(allow: List, deny: List = null): IpRules {
  return new IpRules(
    allow && parseRanges(allow, "conf.allow"),
    deny && parseRanges(deny, "conf.deny"),
  );
}

Deno.test("parseRanges() takes ranges and texts, and says which one is wrong", () => {
  const lan = new IpRange("10.0.0.0/8");
  const parsed = parseRanges([lan, "::1", "192.168.1.1/24"], "conf.allow");
  assertEquals(parsed.map(String), ["10.0.0.0/8", "::1", "192.168.1.0/24"]);
  assert(Object.isFrozen(parsed));
  assertEquals(parseRanges([], "conf.allow"), []);
  const wrong = [
    [["10.0.0.0/8", "10.0.0.0/33"], RangeError, "conf.deny[1]: the prefix of IPv4 is 0 to 32"],
    [["localhost"], TypeError, 'conf.deny[0]: an IP address, "address/prefix"'],
    [["localhost"], TypeError, '"localhost"'],
    [["10.0.0.0/255.0.255.0"], RangeError, "conf.deny[0]: netmask"],
    [[undefined], TypeError, "conf.deny[0]"],
    [new Array(1), TypeError, "conf.deny[0]"],
    ["10.0.0.0/8", TypeError, "conf.deny: an array"],
    [null, TypeError, "conf.deny"],
    [new Set(["10.0.0.0/8"]), TypeError, "conf.deny"],
  ] as const;
  for (const [value, kind, part] of wrong) {
    assertThrows(() => parseRanges(value, "conf.deny"), kind, part);
  }
});

Deno.test("without lists everybody gets in, with an allow list only those in it", () => {
  assert(rules(null).admits("1.2.3.4") && rules(null).admits("no address"));
  const lan = rules(["10.0.0.0/8", "fe80::/10"]);
  assert(lan.admits("10.255.0.1") && lan.admits("fe80::1%eth0"));
  assert(!lan.admits("11.0.0.0") && !lan.admits("::1") && !lan.admits("::a00:1"));
  assert(!rules([]).admits("10.0.0.1"));
  assert(rules(null, []).admits("10.0.0.1"));
});

Deno.test("the deny list wins over the allow list", () => {
  const some = rules(["10.0.0.0/8"], ["10.1.0.0/16", "10.2.0.1"]);
  assert(some.admits("10.0.0.1") && some.admits("10.2.0.2"));
  assert(!some.admits("10.1.0.1") && !some.admits("10.2.0.1") && !some.admits("8.8.8.8"));
  assert(!rules(["10.1.2.3"], ["10.0.0.0/8"]).admits("10.1.2.3"), "also over a narrower one");
  assert(rules(null, ["10.0.0.0/8"]).admits("8.8.8.8"));
});

Deno.test("v4-mapped addresses are IPv4, in the lists and of the peer", () => {
  const lan = rules(["10.0.0.0/8"]), mapped = rules(["::ffff:10.0.0.0/104"]);
  for (const one of [lan, mapped]) {
    assert(one.admits("10.1.2.3") && one.admits("::ffff:10.1.2.3") && one.admits("::FFFF:a01:203"));
    assert(!one.admits("::ffff:11.0.0.1"));
  }
  assert(!rules(null, ["10.0.0.0/8"]).admits("::ffff:10.0.0.1"));
  assert(!rules(["::/0"]).admits("10.0.0.1"), "::/0 is IPv6 alone");
});

Deno.test("what may be in another zone is denied and not allowed", () => {
  const zoned = ["fe80::%eth0/64"];
  const verdicts = (one: IpRules) =>
    ["fe80::1%eth0", "fe80::1%eth1", "fe80::1"].map((host) => one.admits(host));
  assertEquals(verdicts(rules(zoned)), [true, false, false]);
  assertEquals(verdicts(rules(null, zoned)), [false, true, false]);
  assertEquals(verdicts(rules(["fe80::/10"])), [true, true, true]);
});

Deno.test("what is no address does not get past a list", () => {
  for (const host of ["", "localhost", "10.0.0.1:80", "[::1]", "010.0.0.1", "x".repeat(100_000)]) {
    assert(!rules(null, ["10.0.0.0/8"]).admits(host), host.slice(0, 20));
    assert(!rules(["0.0.0.0/0", "::/0"]).admits(host), host.slice(0, 20));
  }
});

/** Few different bits, so that ranges and addresses meet. */
function address(r: Random): string {
  const low = r.below(64), zone = ["", "", "%a", "%b"][r.below(4)] ?? "";
  switch (r.below(4)) {
    case 0:
      return `10.0.0.${low}`;
    case 1:
      return `::ffff:10.0.0.${low}`;
    case 2:
      return `::a00:${low.toString(16)}`;
    default:
      return `fe80::${low.toString(16)}${zone}`;
  }
}

function randomRange(r: Random): string {
  const ip = address(r);
  const bits = ip.includes(":") ? 128 : 32;
  return r.below(2) === 0 ? ip : `${ip}/${bits - r.below(7)}`;
}

/** By the definition, one range after the other. */
function naive(allow: readonly IpRange[] | null, deny: readonly IpRange[] | null, host: string) {
  const parsed = parseIp(host);
  assert(parsed);
  const ip = new IpRange(formatIp(unmapIp(parsed)));
  const unfold = (range: IpRange) => {
    if (range.family === "IPv4" || range.value >> 32n !== 0xffffn) return range;
    return new IpRange(range.value & 0xffff_ffffn, { family: "IPv4", size: range.size });
  };
  if (deny?.some((range) => unfold(range).overlaps(ip))) return false;
  return allow === null || allow.some((range) => unfold(range).includes(ip));
}

Deno.test("the verdict is that of going through the ranges one by one", () => {
  const r = new Random(4);
  let yes = 0, no = 0;
  const list = () =>
    r.below(4) === 0
      ? null
      : parseRanges(Array.from({ length: r.below(8) }, () => randomRange(r)), "list");
  for (let i = 0; i < 300; i++) {
    const allow = list(), deny = list();
    const made = new IpRules(allow, deny);
    for (let j = 0; j < 60; j++) {
      const host = address(r), wanted = naive(allow, deny, host);
      const message = `${host} allow ${allow} deny ${deny}`;
      assertEquals(made.admits(host), wanted, message);
      assertEquals(made.admits(host), wanted, `again: ${message}`);
      if (wanted) yes++;
      else no++;
    }
  }
  assert(yes > 2000 && no > 2000, `${yes} ${no}`);
});

Deno.test("verdicts stay right when more peers come than are remembered", () => {
  const half = rules(["10.0.0.0/9"]);
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 5000; i++) {
      const host = `10.${i % 256}.${i >> 8}.1`;
      assertEquals(half.admits(host), i % 256 < 128, host);
      assert(half.size > 0 && half.size <= 1024, `${half.size}`);
    }
  }
});

Deno.test("a long list costs hardly more than a short one", () => {
  const long = Array.from({ length: 50_000 }, (_, i) => `11.${i >> 8 & 255}.${i & 255}.0/25`);
  const many = rules(null, long);
  const start = performance.now();
  for (let i = 0; i < 50_000; i++) many.admits(`11.${i >> 8 & 255}.${i & 255}.200`);
  const took = performance.now() - start;
  assert(took < 2000, `${took} ms; one by one it would be minutes`);
  assert(!many.admits("11.9.9.1") && !many.admits("11.9.9.127"));
});
