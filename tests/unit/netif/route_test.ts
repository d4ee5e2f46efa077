import { assert, assertEquals, assertNotStrictEquals, assertThrows } from "@std/assert";
import { pipeOpen, TCP, UDP } from "@p2pd/pipes";
import { IpRange } from "../../../lib/net/ip_range.ts";
import { Interface } from "../../../lib/netif/interface.ts";
import { Route, type RouteOptions } from "../../../lib/netif/route.ts";
import { info, linux, mac, offline } from "./machines.ts";
import { retaking } from "../../helpers/retaking.ts";

const card = (name: string, infos = linux) => Interface.get(name, { source: () => infos });
const route = (options: Partial<RouteOptions> = {}) =>
  new Route({ family: "IPv4", nicIps: ["10.0.0.5", "10.0.0.6"], extIps: ["8.8.4.5"], ...options });
const parts = ({ nicIps, extIps }: Route) => [nicIps.map(String), extIps.map(String)];

Deno.test("fault 27: a route can be bound again and again, and is not changed by it", () => {
  const nic = route();
  const before = JSON.stringify(nic);
  const one = nic.bind({ port: 80 }),
    two = nic.bind({ port: 81, ip: "10.0.0.6" }),
    three = one.bind();
  assertEquals([nic, one, two, three].map(String), [
    ...["10.0.0.5:0", "10.0.0.5:80", "10.0.0.6:81", "10.0.0.5:0"],
  ]);
  assertNotStrictEquals(nic.bind(), nic);
  assertEquals(nic.bound, undefined);
  assertEquals(JSON.stringify(nic), before);
  assertThrows(() => Reflect.set(nic, "bound", {}) || assert(false, "is not set"));
  assert(Object.isFrozen(nic.nicIps) && Object.isFrozen(nic.extIps) && Object.isFrozen(one.bound));
});

Deno.test(
  "fault 27: opening a pipe does not change its route, which opens the next one too",
  retaking(async () => {
    for (const proto of [UDP, TCP]) {
      const loopback = Route.loopback("IPv4"), before = JSON.stringify(loopback);
      await using one = await pipeOpen(proto, { route: loopback });
      await using two = await pipeOpen(proto, { route: loopback });
      assertEquals([one, two].map(({ localAddr }) => localAddr.hostname), [
        "127.0.0.1",
        "127.0.0.1",
      ]);
      assert(one.localAddr.port !== two.localAddr.port);
      assertEquals(JSON.stringify(loopback), before);
      const { port } = one.localAddr;
      await one.close();
      await using again = await pipeOpen(proto, { route: loopback.bind({ port }) });
      assertEquals(again.localAddr.port, port);
    }
  }),
);

Deno.test("fault 34: a route keeps the zone of its link-local addresses", () => {
  const nic = card("eth0").route("IPv6");
  assertEquals(nic.linkLocal(), "fe80::5054:ff:fe00:1%eth0");
  const bound = nic.bind({ ip: "fe80::5054:ff:fe00:1%eth0", port: 7 });
  assertEquals(bound.hostname, "fe80::5054:ff:fe00:1%eth0");
  assertEquals(String(bound), "[fe80::5054:ff:fe00:1%eth0]:7");
  const copy = new Route(JSON.parse(JSON.stringify(bound)));
  assertEquals([copy.hostname, copy.linkLocal()], [bound.hostname, nic.linkLocal()]);
  assertThrows(() => nic.bind({ ip: "fe80::5054:ff:fe00:1" }), RangeError, "%eth0");
  assertThrows(() => nic.bind({ ip: "fe80::5054:ff:fe00:1%eth1" }), RangeError, "%eth0");
});

Deno.test("private IPv4 addresses form one route, each public one its own", () => {
  assertEquals(card("eth0").routes("IPv4").routes.map(parts), [
    [["8.8.4.5"], ["8.8.4.5"]],
    [["8.8.4.6"], ["8.8.4.6"]],
    [["10.0.0.5"], []],
  ]);
  const many = [
    ...["192.168.1.2/24", "10.0.0.2/8", "100.64.3.2/16", "169.254.9.9/16", "192.0.2.7/24"]
      .map((cidr) => info("eth0", cidr)),
  ];
  assertEquals(card("eth0", many).routes("IPv4").routes.map(parts), [
    [["192.0.2.7", "169.254.9.9"], ["192.0.2.7"]],
    [["192.168.1.2", "10.0.0.2", "100.64.3.2", "169.254.9.9"], []],
  ]);
});

Deno.test("each global IPv6 address forms a route, and the link-locals belong to all", () => {
  const own = "fe80::5054:ff:fe00:1%eth0";
  assertEquals(card("eth0").routes("IPv6").routes.map(parts), [
    [["2600:1:2:3::5", own], ["2600:1:2:3::5"]],
    [["2600:1:2:3:aaaa::6", own], ["2600:1:2:3:aaaa::6"]],
    [["fd12::5", own], []],
  ]);
  assertEquals(card("en0", mac).routes("IPv6").routes.map(parts), [
    [["fe80::1c2b:1%en0"], []], // nothing else to talk from
  ]);
  assertEquals(card("lo", offline).routes("IPv6").routes.map(parts), [[["::1"], ["::1"]]]);
  assertEquals(parts(card("lo0", mac).route("IPv6")), [["::1"], ["::1"]]);
});

Deno.test("route() is the first one, IPv4's where there is one", () => {
  assertEquals(card("eth0").route().ext(), "8.8.4.5");
  assertEquals(card("eth0").route("IPv6").ext(), "2600:1:2:3::5");
  assertEquals(card("utun3", mac).route().family, "IPv6");
});

Deno.test("nic(), ext() and linkLocal() are the first of their kind", () => {
  const nicIps = ["fe80::1%eth0", "2600::/64", "2600:0:0:1::1"];
  const six = new Route({ family: "IPv6", nicIps, extIps: ["2600::8/125"] });
  assertEquals([six.nic(), six.ext(), six.linkLocal()], ["2600::", "2600::8", "fe80::1%eth0"]);
  assertEquals([six.hostname, six.port], ["2600::", 0]);
  const local = new Route({ family: "IPv6", nicIps: ["fe80::1%eth0"] });
  assertEquals([local.nic(), local.ext()], ["fe80::1%eth0", undefined]);
  assertEquals(route().linkLocal(), undefined);
});

Deno.test("any() and loopback() are routes of either family", () => {
  assertEquals([Route.any("IPv4"), Route.any("IPv6")].map(String), ["0.0.0.0:0", "[::]:0"]);
  const loopbacks = [Route.loopback("IPv4"), Route.loopback("IPv6")];
  assertEquals(loopbacks.map((one) => [one.nic(), one.ext()]), [
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "::1"],
  ]);
  assertEquals(Route.any("IPv4").bind({ port: 53 }).port, 53);
  assertThrows(() => Reflect.apply(Route.any, null, ["inet"]), TypeError, "inet");
});

Deno.test("equals() compares the external side alone", () => {
  assert(route().equals(route({ nicIps: ["192.168.0.1"] })));
  assert(route().equals(route().bind({ port: 9 })));
  assert(!route().equals(route({ extIps: ["8.8.4.6"] })));
  assert(!route().equals(route({ extIps: [] })));
  const block = { extIps: ["8.8.4.0/30"] }, halves = { extIps: ["8.8.4.2/31", "8.8.4.0/31"] };
  assert(route(block).equals(route(halves)), "the same addresses, written otherwise");
  assert(!route(block).equals(route({ extIps: ["8.8.4.0/31", "8.8.4.3"] })));
  assert(route({ extIps: [] }).equals(route({ extIps: [], nicIps: ["10.0.0.6", "10.0.0.5"] })));
  assert(!route({ extIps: [] }).equals(route({ extIps: [], nicIps: ["10.0.0.6"] })));
  const six = new Route({ family: "IPv6", nicIps: ["::1"] });
  assert(!six.equals(Route.loopback("IPv6")) && !Route.loopback("IPv6").equals(Route.any("IPv4")));
  assertThrows(() => Reflect.apply(six.equals, six, ["::1"]), TypeError, "other: a Route");
});

Deno.test("a route's JSON gives the same route again", () => {
  const nic = route({ extIps: ["8.8.4.0/24", "8.8.5.5-8.8.5.9"] });
  for (const one of [nic, nic.bind({ ip: "10.0.0.6", port: 4 }), route({ extIps: [] })]) {
    const copy = new Route(JSON.parse(JSON.stringify(one)));
    assertEquals(copy, one);
    assertEquals([copy.hostname, copy.port], [one.hostname, one.port]);
  }
  assertEquals(nic.toJSON(), {
    family: "IPv4",
    nicIps: ["10.0.0.5", "10.0.0.6"],
    extIps: ["8.8.4.0/24", "8.8.5.5-8.8.5.9"],
  });
  const shown = "Route(10.0.0.5, 10.0.0.6, seen as 8.8.4.5 bound to 10.0.0.6:4)";
  assertEquals(Deno.inspect(route().bind({ ip: "10.0.0.6", port: 4 })), shown);
});

Deno.test("a block that is local can be bound at any of its addresses", () => {
  const block = new Route({ family: "IPv6", nicIps: ["2600::/64"], extIps: ["2600::/64"] });
  assertEquals(block.bind({ ip: "2600::dead:beef", port: 1 }).hostname, "2600::dead:beef");
  assertEquals(block.bind({ ip: new IpRange("2600::1") }).hostname, "2600::1");
  assertThrows(() => block.bind({ ip: "2600:0:0:1::" }), RangeError, "only 2600::/64");
  assertThrows(() => block.bind({ ip: "2600::/127" }), RangeError, "one address");
});

Deno.test("wrong arguments are refused with the argument and the value", () => {
  const make = (options: unknown) => () => Reflect.construct(Route, [options]);
  const bind = (options: unknown) => () => Reflect.apply(route().bind, route(), [options]);
  const v4 = { family: "IPv4", nicIps: ["10.0.0.1"] };
  const wrong = [
    [make(undefined), TypeError, "options"],
    [make({ ...v4, family: "inet" }), TypeError, "family"],
    [make({ ...v4, nicIps: "10.0.0.1" }), TypeError, "nicIps: an array"],
    [make({ ...v4, nicIps: [] }), RangeError, "nicIps"],
    [
      make({ ...v4, nicIps: ["10.0.0.1", "::1"] }),
      RangeError,
      "nicIps[1]: IPv4 is needed, got ::1",
    ],
    [make({ ...v4, extIps: ["x"] }), TypeError, "extIps[0]"],
    [make({ ...v4, extips: [] }), TypeError, "extips"],
    [make({ ...v4, bound: { hostname: "10.0.0.2", port: 0 } }), RangeError, "10.0.0.2"],
    [bind({ port: 65536 }), RangeError, "port: must be a whole number from 0 to 65535, got 65536"],
    [bind({ port: "80" }), RangeError, '"80"'],
    [bind({ port: 1.5 }), RangeError, "1.5"],
    [bind({ ip: "10.0.0.7" }), RangeError, "ip: 10.0.0.7 is not a local address of this route"],
    [bind({ ip: "8.8.4.5" }), RangeError, "only 10.0.0.5, 10.0.0.6"],
    [bind({ ip: "::1" }), RangeError, "::1"],
    [bind({ ip: "localhost" }), TypeError, "localhost"],
    [bind({ address: "10.0.0.5" }), TypeError, "address"],
    [bind(null), TypeError, "options"],
  ] as const;
  for (const [call, kind, part] of wrong) assertThrows(call, kind, part);
});
