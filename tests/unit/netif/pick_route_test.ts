import { assertEquals, assertThrows } from "@std/assert";
import { Interface } from "../../../lib/netif/interface.ts";
import { pickRoute } from "../../../lib/netif/pick_route.ts";
import { info, linux, mac, offline, source, via, windows } from "./machines.ts";

const server = Interface.list({
  source: source(linux, via("eth0", "10.0.0.1", 100), via("eth0", "fe80::1", 1024)),
});
const pick = (dest: string, cards = server) => pickRoute(dest, cards).hostname;
const cards = (...cidrs: readonly (readonly [string, string])[]) =>
  Interface.list({
    source: () =>
      cidrs.map(([name, cidr]) => info(name, cidr, "", cidr.startsWith("fe80") ? 7 : 0)),
  });

Deno.test("the card that has the destination on its link is taken", () => {
  assertEquals(pick("192.168.7.99"), "192.168.7.2");
  assertEquals(pick("172.17.3.3"), "172.17.0.1");
  assertEquals(pick("8.8.4.99"), "8.8.4.5");
  assertEquals(pick("fd12::99"), "fd12::5");
  assertEquals(pick("10.99.0.2"), "10.99.0.2", "this machine itself");
});

Deno.test("the longest prefix wins, and among equals the default card", () => {
  const nested = cards(["eth0", "10.0.0.5/8"], ["eth1", "10.7.0.5/16"], ["eth2", "10.7.1.5/24"]);
  assertEquals(pick("10.7.1.9", nested), "10.7.1.5");
  assertEquals(pick("10.7.2.9", nested), "10.7.0.5");
  assertEquals(pick("10.8.2.9", nested), "10.0.0.5");
  assertEquals(pick("10.7.1.9", nested.toReversed()), "10.7.1.5");
  const wide = source(
    [info("eth2", "10.7.1.5/24"), info("eth0", "10.0.0.5/8")],
    via("eth0", "10.0.0.1"),
  );
  assertEquals(pick("10.7.1.9", Interface.list({ source: wide })), "10.7.1.5");
  const twice = [info("eth0", "10.0.0.5/24"), info("eth1", "10.0.0.6/24")];
  const by = (...routes: Parameters<typeof via>[]) =>
    Interface.list({ source: source(twice, ...routes.map((route) => via(...route))) });
  assertEquals(pick("10.0.0.9", by()), "10.0.0.5");
  assertEquals(pick("10.0.0.9", by(["eth1", "10.0.0.1"])), "10.0.0.6");
});

Deno.test("everything else goes by the default card, from the address on the router's net", () => {
  assertEquals(pick("1.1.1.1"), "10.0.0.5");
  const other = Interface.list({ source: source(linux, via("eth0", "8.8.4.1")) });
  assertEquals(pick("1.1.1.1", other), "8.8.4.5");
  const vpn = Interface.list({ source: source(linux, via("wg0", undefined)) });
  assertEquals(pick("1.1.1.1", vpn), "10.99.0.2");
  assertEquals(pick("1.1.1.1", Interface.list({ source: source(windows) })), "192.168.178.30");
});

Deno.test("the family is the destination's, also where another card has it", () => {
  assertEquals(pick("2001:4860::1").startsWith("2600:1:2:3"), true);
  const split = cards(["eth0", "192.168.1.2/24"], ["eth1", "2600::2/64"]);
  assertEquals(pick("1.1.1.1", split), "192.168.1.2");
  assertEquals(pick("2001:4860::1", split), "2600::2");
  assertEquals(pick("::ffff:1.1.1.1", split), "192.168.1.2", "v4-mapped is IPv4");
});

Deno.test("RFC 6724 chooses the source: scope, label, longest prefix", () => {
  const many = cards(
    ...["fd12::5/64", "2600:1::5/64", "2a00:2::5/64"].map((cidr) => ["eth0", cidr] as const),
    ["eth0", "fe80::5/64"],
  );
  assertEquals(pick("fdff::1", many), "fd12::5", "rule 6: ULA to ULA");
  assertEquals(pick("2600:9::1", many), "2600:1::5", "rule 8");
  assertEquals(pick("2a00:9::1", many), "2a00:2::5", "rule 8");
  assertEquals(pick("fe80::9%eth0", many), "fe80::5%eth0", "rule 2");
  assertEquals(pick("ff02::1%eth0", many), "fe80::5%eth0", "rule 2");
  assertEquals(pick("2a00:2::5", many), "2a00:2::5", "rule 1");
  assertEquals(pick("2600:1:2:3:aaaa::6"), "2600:1:2:3:aaaa::6", "rule 1");
  const sixToFour = cards(["eth0", "2002:1::5/64"], ["eth0", "2a00:2::5/64"]);
  assertEquals(pick("2003::1", sixToFour), "2a00:2::5", "rule 6 before rule 8");
  const local = cards(["eth0", "169.254.7.7/16"], ["eth0", "10.0.0.5/24"]);
  assertEquals(pick("1.1.1.1", local), "10.0.0.5", "rule 2");
  assertEquals(pick("169.254.9.9", local), "169.254.7.7");
});

Deno.test("fault 34: the zone of a link-local destination names the card", () => {
  assertEquals(pick("fe80::9%eth1"), "fe80::5054:ff:fe00:2%eth1");
  assertEquals(pick("fe80::9%eth0"), "fe80::5054:ff:fe00:1%eth0");
  assertEquals(pick("fe80::9%3"), "fe80::5054:ff:fe00:2%eth1", "by number");
  assertEquals(pick("ff02::fb%eth1"), "fe80::5054:ff:fe00:2%eth1");
  const win = Interface.list({ source: { interfaces: () => windows, zones: "index" } });
  assertEquals(pick("fe80::9%14", win), "fe80::8d:1%14");
  assertThrows(
    () => pick("fe80::9%eth7"),
    RangeError,
    "dest: no card is in the zone of fe80::9%eth7, there are lo, docker0, eth0, eth1, wg0",
  );
  assertThrows(() => pick("fe80::9"), RangeError, "needs a zone, it could be on eth0, eth1");
  const only = server.filter(({ name }) => name !== "eth1");
  assertEquals(pick("fe80::9", only), "fe80::5054:ff:fe00:1%eth0", "one card: no doubt");
});

Deno.test("loopback destinations take the loopback, listed or not", () => {
  assertEquals(pick("127.0.0.1"), "127.0.0.1");
  assertEquals(pick("127.9.9.9"), "127.0.0.1");
  assertEquals(pick("::1"), "::1");
  assertEquals(pick("127.0.0.1", []), "127.0.0.1");
  assertEquals(pick("::1", []), "::1");
});

Deno.test("the route is bound to the source, at any free port, and the rest of it is the card's", () => {
  const route = pickRoute(["192.168.7.9", 53], server);
  assertEquals([String(route), route.ext()], ["192.168.7.2:0", undefined]);
  assertEquals(pickRoute("8.8.4.9:53", server).ext(), "8.8.4.5");
  assertEquals(pickRoute({ hostname: "8.8.4.9", port: 1 }, server).ext(), "8.8.4.5");
  assertEquals(
    pickRoute("[fd12::9]:53", server).nicIps.join(),
    "fd12::5,fe80::5054:ff:fe00:1%eth0",
  );
});

Deno.test("a destination without a way there is an error", () => {
  const nowhere = Interface.list({ source: source(offline) });
  const wrong = [
    [
      () => pick("1.1.1.1", nowhere),
      RangeError,
      "no card leads to 1.1.1.1, there are lo (IPv4, IPv6)",
    ],
    [() => pick("1.1.1.1", []), RangeError, "there are none"],
    [() => pick("169.254.9.9", nowhere), RangeError, "169.254.9.9"],
    [() => pick("2600::1", Interface.list({ source: source(mac) })), RangeError, "2600::1"],
    [() => pick("0.0.0.0"), RangeError, "dest: the address of a machine"],
    [() => pick("::"), RangeError, "dest"],
    [() => pick("localhost:80"), TypeError, "not a name"],
    [() => pick("1.1.1"), TypeError, "dest"],
    [() => Reflect.apply(pickRoute, null, ["1.1.1.1", "eth0"]), TypeError, "interfaces"],
    [() => Reflect.apply(pickRoute, null, ["1.1.1.1", [{}]]), TypeError, "interfaces"],
  ] as const;
  for (const [call, kind, part] of wrong) assertThrows(call, kind, part);
});
