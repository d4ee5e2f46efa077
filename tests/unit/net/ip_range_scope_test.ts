import { assertEquals } from "@std/assert";
import { IpRange, type IpScope } from "../../../lib/net/ip_range.ts";
import { parseIp } from "../../../lib/net/ip.ts";

/** First and last address of each block, from the registries. */
const BLOCKS: readonly (readonly [IpScope, string, string])[] = [
  ["reserved", "0.0.0.0", "0.255.255.255"],
  ["private", "10.0.0.0", "10.255.255.255"],
  ["shared", "100.64.0.0", "100.127.255.255"],
  ["loopback", "127.0.0.0", "127.255.255.255"],
  ["link-local", "169.254.0.0", "169.254.255.255"],
  ["private", "172.16.0.0", "172.31.255.255"],
  ["reserved", "192.0.0.0", "192.0.0.8"],
  ["global", "192.0.0.9", "192.0.0.10"],
  ["reserved", "192.0.0.11", "192.0.0.255"],
  ["documentation", "192.0.2.0", "192.0.2.255"],
  ["reserved", "192.88.99.0", "192.88.99.255"],
  ["private", "192.168.0.0", "192.168.255.255"],
  ["reserved", "198.18.0.0", "198.19.255.255"],
  ["documentation", "198.51.100.0", "198.51.100.255"],
  ["documentation", "203.0.113.0", "203.0.113.255"],
  ["multicast", "224.0.0.0", "239.255.255.255"],
  ["reserved", "240.0.0.0", "255.255.255.255"],
  ["reserved", "::", "::"],
  ["loopback", "::1", "::1"],
  ["reserved", "::2", "::fffe:ffff:ffff"],
  ["global", "64:ff9b::", "64:ff9b::ffff:ffff"],
  ["reserved", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"],
  ["reserved", "100::", "100::ffff:ffff:ffff:ffff"],
  ["reserved", "2001::", "2001:1::"],
  ["global", "2001:1::1", "2001:1::3"],
  ["reserved", "2001:1::4", "2001:2:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["global", "2001:3::", "2001:3:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["global", "2001:4:112::", "2001:4:112:ffff:ffff:ffff:ffff:ffff"],
  ["reserved", "2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["global", "2001:20::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["documentation", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["reserved", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["documentation", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["reserved", "4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["ula", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["reserved", "fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["link-local", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["reserved", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["multicast", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
];

Deno.test("each block of the registries has its scope, from edge to edge", () => {
  for (const [scope, first, last] of BLOCKS) {
    const range = new IpRange(first === last ? first : `${first}-${last}`);
    assertEquals([range.scope, range.first.scope, range.last.scope], [scope, scope, scope], first);
  }
});

Deno.test("what is outside the blocks is global, and a range across an edge is mixed", () => {
  const around = ["9.255.255.255", "11.0.0.0", "172.15.0.0", "172.32.0.0", "192.0.1.0", "8.8.8.8"];
  around.push("126.0.0.0", "128.0.0.0", "191.255.255.255", "198.17.0.0", "198.20.0.0", "223.0.0.0");
  around.push("192.31.196.1", "192.52.193.1", "192.175.48.1"); // RFC 7535, RFC 7450, RFC 7534
  around.push(
    "2000::",
    "2606:4700::1",
    "2001:200::",
    "2001:db7::",
    "2001:db9::",
    "2003::",
    "3ffe::",
  );
  around.push("3fff:1000::", "2620:4f:8000::1");
  for (const text of around) assertEquals(new IpRange(text).scope, "global", text);
  for (const [scope, first, last] of BLOCKS) {
    for (const [text, by] of [[first, -1], [last, 1]] as const) {
      const { family, value, zone } = parseIp(text) ?? { family: "IPv4", value: 0n, zone: "" };
      if (value + BigInt(by) < 0n || value + BigInt(by) >> (family === "IPv4" ? 32n : 128n)) {
        continue;
      }
      const next = new IpRange(value + BigInt(by), { family, zone });
      if (next.scope === scope) continue;
      const from = by < 0 ? next : new IpRange(text);
      assertEquals(new IpRange(from.value, { family, size: 2n }).scope, "mixed", text);
    }
  }
  for (const text of ["0.0.0.0/0", "::/0", "192.0.0.0/24", "2000::/3", "10.0.0.0/7", "::/80"]) {
    assertEquals(new IpRange(text).scope, "mixed", text);
  }
});

Deno.test("a v4-mapped address has the scope of the IPv4 address", () => {
  for (const [scope, first] of BLOCKS) {
    if (!first.includes(":")) assertEquals(new IpRange(`::ffff:${first}`).scope, scope, first);
  }
  assertEquals(new IpRange("::ffff:10.0.0.0/104").scope, "private");
  assertEquals(new IpRange("::ffff:0.0.0.0/96").scope, "mixed");
  assertEquals(new IpRange("::ffff:255.255.255.255-::1:0:0:0").scope, "mixed");
  assertEquals(new IpRange("fe80::1%eth0").scope, "link-local");
});
