import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { IpRange } from "../../../lib/net/ip_range.ts";
import { Interface } from "../../../lib/netif/interface.ts";
import { Route } from "../../../lib/netif/route.ts";
import { RoutePool } from "../../../lib/netif/route_pool.ts";
import { Random } from "../../helpers/random.ts";
import { linux } from "./machines.ts";

const natted = (...extIps: string[]) => new Route({ family: "IPv4", nicIps: ["10.0.0.5"], extIps });
const own = (...ips: string[]) => new Route({ family: "IPv4", nicIps: ips, extIps: ips });
const unknown = new Route({ family: "IPv4", nicIps: ["192.168.0.5"] });
const exts = (routes: Iterable<Route>) => Array.from(routes, (route) => route.ext());

/** 8 external addresses in four routes, one of them not known. */
const pool = new RoutePool([
  natted("8.0.0.1"),
  own("8.1.0.0/30"),
  unknown,
  natted("8.2.0.9", "8.2.0.7"),
]);
const ALL = [
  "8.0.0.1",
  "8.1.0.0",
  "8.1.0.1",
  "8.1.0.2",
  "8.1.0.3",
  undefined,
  "8.2.0.9",
  "8.2.0.7",
];

Deno.test("fault 28: a reversed pool is the pool from its end, and itself the same as before", () => {
  assertEquals(exts(pool), ALL);
  assertEquals(exts(pool.reversed()), ALL.toReversed());
  assertEquals(exts(pool), ALL);
  assertEquals(exts([...pool.reversed()].reverse()), ALL);
  const forward = [...pool], backward = [...pool.reversed()];
  assertEquals(backward.length, forward.length);
  for (const [i, route] of backward.entries()) assertEquals(route, forward.at(-1 - i));
  assertEquals(exts(new RoutePool([]).reversed()), []);
});

Deno.test("the length counts external addresses over all routes", () => {
  assertEquals(pool.length, 8n);
  assertEquals(new RoutePool([]).length, 0n);
  assertEquals(new RoutePool([unknown]).length, 1n);
  assertEquals(Interface.get("eth0", { source: () => linux }).routes("IPv6").length, 3n);
});

Deno.test("at() and slice() are those of an array, across the borders of routes", () => {
  const all = [...pool];
  for (let i = -10; i <= 10; i++) {
    assertEquals(pool.at(i), all.at(i), `${i}`);
    assertEquals(pool.at(BigInt(i)), all.at(i));
    assertEquals(exts(pool.slice(i)), exts(all.slice(i)));
    for (let j = -10; j <= 10; j++) {
      const part = pool.slice(i, j);
      assertEquals([...part], all.slice(i, j), `${i} ${j}`);
      assertEquals(part.length, BigInt(all.slice(i, j).length));
    }
  }
  assertEquals(pool.slice(), pool);
  assertThrows(() => pool.at(0.5), RangeError, "0.5");
  assertThrows(() => Reflect.apply(pool.at, pool, ["0"]), TypeError, "index");
});

Deno.test("a route of the pool has its one external address, and its own local one if that is it", () => {
  const one = pool.at(2);
  assertEquals([one?.nicIps.join(), one?.extIps.join()], ["8.1.0.1", "8.1.0.1"]);
  const behind = pool.at(-1);
  assertEquals([behind?.nicIps.join(), behind?.extIps.join()], ["10.0.0.5", "8.2.0.7"]);
  assertStrictEquals(pool.at(5), unknown);
  const nicIps = ["2600::/64", "fe80::1%eth0"];
  const six = new RoutePool([new Route({ family: "IPv6", nicIps, extIps: ["2600::/64"] })]);
  assertEquals(six.at(7)?.nicIps.join(), "2600::7,fe80::1%eth0");
  assertEquals(six.at(7)?.linkLocal(), "fe80::1%eth0");
  assertEquals(six.at(7)?.bind().hostname, "2600::7");
});

Deno.test("a bound route stays bound where its address is still there", () => {
  const bound = new RoutePool([own("8.1.0.0/30").bind({ ip: "8.1.0.2", port: 9 })]);
  assertEquals(Array.from(bound, String), ["8.1.0.0:0", "8.1.0.1:0", "8.1.0.2:9", "8.1.0.3:0"]);
});

Deno.test("locate() gives the position for at()", () => {
  for (const [i, route] of [...pool].entries()) {
    assertEquals(pool.locate(route), BigInt(i));
    const ext = route.ext();
    if (ext !== undefined) assertEquals(pool.locate(ext), BigInt(i));
    if (ext !== undefined) assertEquals(pool.locate(new IpRange(ext)), BigInt(i));
    assertEquals(pool.locate(route.bind({ port: 5 })), BigInt(i));
  }
  for (const other of ["8.1.0.4", "10.0.0.5", "::1", natted("9.9.9.9"), Route.any("IPv4")]) {
    assertEquals(pool.locate(other), undefined, `${other}`);
  }
  assertThrows(() => pool.locate("nowhere"), TypeError, "wanted");
});

Deno.test("without() leaves the other external addresses", () => {
  const without = (...taken: (Route | IpRange | string)[]) => exts(pool.without(...taken));
  const but = (...taken: (string | undefined)[]) => ALL.filter((ext) => !taken.includes(ext));
  assertEquals(without(), ALL);
  assertEquals(without("8.1.0.1"), but("8.1.0.1"));
  assertEquals(without("8.1.0.0", "8.2.0.9"), but("8.1.0.0", "8.2.0.9"));
  assertEquals(without(new IpRange("8.1.0.1-8.1.0.2")), but("8.1.0.1", "8.1.0.2"));
  assertEquals(without("8.0.0.0/8"), [undefined]);
  assertEquals(without(unknown), but(undefined));
  assertEquals(without(natted("8.2.0.7", "8.0.0.1")), but("8.2.0.7", "8.0.0.1"));
  assertEquals(without("::/0", "9.9.9.9", Route.any("IPv4")), ALL);
  const [first] = pool;
  assert(first);
  assertEquals(pool.without(first).at(0)?.ext(), "8.1.0.0");
  assertEquals(pool.without("8.1.0.0").routes[1]?.nicIps.join(), "8.1.0.1-8.1.0.3");
  assertStrictEquals(pool.without("8.1.0.0").routes[0], pool.routes[0]);
  assertThrows(() => pool.without("8.1.0.0", "x"), TypeError, "taken[1]");
});

Deno.test("pools agree with lists of addresses, whatever the routes", () => {
  const r = new Random(6);
  for (let i = 0; i < 300; i++) {
    let next = 0;
    const routes = Array.from({ length: r.below(5) }, () => {
      const extIps = Array.from({ length: r.below(4) }, () => {
        const size = 1n + BigInt(r.below(5));
        next += 8;
        return new IpRange(0x08000000n + BigInt(next), { family: "IPv4", size });
      });
      if (extIps.length === 0) return unknown;
      const nicIps = r.below(2) === 0 ? extIps : ["10.0.0.5"];
      return new Route({ family: "IPv4", nicIps, extIps });
    });
    const made = new RoutePool(routes), all = [...made];
    assertEquals(Number(made.length), all.length);
    assertEquals(exts(made.reversed()), exts(all.toReversed()));
    const [a, b] = [r.below(20) - 10, r.below(20) - 10];
    assertEquals(exts(made.slice(a, b)), exts(all.slice(a, b)));
    const taken = all.filter(() => r.below(3) === 0);
    const left = exts(all).filter((ext) => !exts(taken).includes(ext));
    assertEquals(exts(made.without(...taken)), left);
    assertEquals(RoutePool.fromJSON(JSON.parse(JSON.stringify(made))), made);
  }
});

Deno.test("blocks of 2 ** 64 addresses cost nothing", () => {
  const family = "IPv6";
  const blocks = ["2600:0:0:1::/64", "2600:0:0:2::/64"].map((block) =>
    new Route({ family, nicIps: [block, "fe80::1%eth0"], extIps: [block] })
  );
  const huge = new RoutePool(blocks);
  const start = performance.now();
  assertEquals(huge.length, 2n ** 65n);
  assertEquals(huge.at(-1)?.ext(), "2600::2:ffff:ffff:ffff:ffff");
  assertEquals(huge.at(2n ** 64n)?.ext(), "2600:0:0:2::");
  const middle = huge.slice(2n ** 64n - 2n, 2n ** 64n + 2n);
  assertEquals(exts(middle), [
    ...["2600::1:ffff:ffff:ffff:fffe", "2600::1:ffff:ffff:ffff:ffff"],
    ...["2600:0:0:2::", "2600:0:0:2::1"],
  ]);
  assertEquals(huge.locate("2600:0:0:2::5"), 2n ** 64n + 5n);
  assertEquals(huge.without("2600:0:0:1::8").length, 2n ** 65n - 1n);
  assertEquals(huge.reversed().next().value?.ext(), "2600::2:ffff:ffff:ffff:ffff");
  assert(JSON.stringify(huge).length < 300);
  assertEquals(RoutePool.fromJSON(JSON.parse(JSON.stringify(huge))), huge);
  assert(performance.now() - start < 1000);
});

Deno.test("wrong arguments are refused, and a pool shows what is in it", () => {
  assertThrows(() => Reflect.construct(RoutePool, [4]), TypeError, "routes: an array of Route");
  assertThrows(() => Reflect.construct(RoutePool, [[unknown, "x"]]), TypeError, "routes[1]");
  assertThrows(() => Reflect.apply(RoutePool.fromJSON, null, [{}]), TypeError, "json");
  assertThrows(() => Reflect.apply(RoutePool.fromJSON, null, [[4]]), TypeError, "options");
  const shown = "RoutePool(8: 8.0.0.1, 8.1.0.0, unknown of 192.168.0.5, 8.2.0.9)";
  assertEquals(Deno.inspect(pool), shown);
});
