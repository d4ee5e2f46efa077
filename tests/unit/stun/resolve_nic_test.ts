/** The external addresses of a card, which nothing asks for but `resolve`. */
import { Interface, type InterfaceJson, PipeError, pipeOpen, UDP } from "@p2pd/pipes";
import { serveStun, type StunServer } from "@p2pd/pipes/testing";
import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { hasIPv6 } from "../../helpers/probes.ts";
import { IpRange } from "../../../lib/net/ip_range.ts";
import { routesSeen } from "../../../lib/stun/resolve_nic.ts";

const FAST = { rto: 5, rc: 3, rm: 2, ti: 50 };

/** A card that has these addresses; loopback ones can be bound. */
function card(name: string, ...addresses: readonly string[]): Interface {
  const json: InterfaceJson = { name, kind: "ethernet", addresses, gateways: [] };
  return Interface.fromJSON(json);
}

/** Each route as "local addresses > external ones". */
function shown(nic: Interface, family: "IPv4" | "IPv6" = "IPv4"): string[] {
  return nic.routes(family).routes.map(({ nicIps, extIps }) =>
    `${nicIps.join(" ")} > ${extIps.join(" ")}`
  );
}

/** A NAT: 127.0.0.3 and 127.0.0.4 are seen as one address, everybody else as themselves. */
const nat = ({ hostname, port }: { readonly hostname: string; readonly port: number }) => ({
  hostname: /^127\.0\.0\.[34]$/.test(hostname) ? "192.0.2.34" : hostname,
  port,
});

const serveNat = (): Promise<StunServer> => serveStun({ mapped: nat });

Deno.test("each address is asked about, and those that are seen as one share a route", async () => {
  await using one = await serveNat();
  await using two = await serveNat();
  const nic = card("one", "127.0.0.2/8", "127.0.0.3/8", "127.0.0.4/8");
  const before = shown(nic);
  const resolved = await nic.resolve({ servers: [one.addr, two.addr] });
  assertEquals(shown(resolved), [
    "127.0.0.2 > 127.0.0.2",
    "127.0.0.3 127.0.0.4 > 192.0.2.34",
  ]);
  assertEquals(resolved.route("IPv4").ext(), "127.0.0.2");
  assertEquals(resolved.routes("IPv4").locate("192.0.2.34"), 1n);
  assertEquals([one.requests >= 3, two.requests >= 3], [true, true]);
  assertEquals(shown(nic), before); // this one stays as it is
  assertEquals(shown(Interface.fromJSON(resolved.toJSON())), shown(resolved));
  await using pipe = await pipeOpen(UDP, { route: resolved.route("IPv4") });
  assertEquals(pipe.localAddr.hostname, "127.0.0.2");
});

Deno.test("an answer is good for a while", async () => {
  await using server = await serveNat();
  const nic = card("kept", "127.0.0.3/8");
  const options = { servers: [server.addr] };
  const first = await nic.resolve(options);
  const { requests } = server;
  assertEquals(shown(await card("kept", "127.0.0.3/8").resolve(options)), shown(first));
  assertEquals(server.requests, requests);
  await card("kept", "127.0.0.2/8").resolve(options); // it has another address now
  await nic.resolve({ ...options, lifetime: 0 });
  await nic.resolve({ ...options, conf: { conTimeout: 1 } });
  assertEquals(server.requests >= requests + 3, true);
});

Deno.test("an answer that is too old is asked for again", async () => {
  await using server = await serveNat();
  const nic = card("old", "127.0.0.3/8");
  const options = { servers: [server.addr], lifetime: 20 };
  await nic.resolve(options);
  const { requests } = server;
  await new Promise((resolve) => setTimeout(resolve, 50));
  await nic.resolve(options);
  assertEquals(server.requests > requests, true);
});

Deno.test("a block is proven by its first and its last address", async () => {
  await using server = await serveNat();
  const nic = card("block", "127.0.0.2/8");
  const options = { servers: [server.addr], timing: { rto: 100, rc: 3, rm: 10, ti: 1000 } };
  // The last one of the second block is seen as another one; nobody can bind the third.
  const blocks = ["127.0.1.0/24", "127.0.0.0-127.0.0.4", "192.0.2.0/30"];
  const resolved = await nic.resolve({ ...options, blocks });
  assertEquals(shown(resolved), ["127.0.1.0/24 > 127.0.1.0/24", "127.0.0.2 > 127.0.0.2"]);
  assertEquals(resolved.routes("IPv4").length, 257n);
  const again = await resolved.resolve({ ...options, blocks: [new IpRange("127.0.1.0/24")] });
  assertEquals(shown(again), shown(resolved));
});

Deno.test("fault 31: a card loads and opens pipes without the Internet, and resolve says what failed", async () => {
  await using silent = await serveStun({ mode: "silent" });
  const nic = card("silent", "127.0.0.2/8");
  assertEquals(shown(nic), ["127.0.0.2 > 127.0.0.2"]);
  await using pipe = await pipeOpen(UDP, { route: nic });
  assertEquals(pipe.localAddr.hostname, "127.0.0.2");
  assertEquals(silent.requests, 0);
  const error = await assertRejects(
    () => nic.resolve({ servers: [silent.addr], timing: FAST }),
    PipeError,
    "how others see silent",
  );
  assertInstanceOf(error.cause, AggregateError);
});

Deno.test("what nobody answered about is as before", () => {
  const nic = card("x", "10.0.0.1/8", "10.0.0.2/8", "10.0.0.3/8", "9.9.9.9/24", "169.254.1.1/16");
  const ip = (text: string) => new IpRange(text);
  const seen = [
    { ip: ip("10.0.0.1"), ext: "192.0.2.1" },
    { ip: ip("10.0.0.2"), ext: undefined },
    { ip: ip("10.0.0.3"), ext: "192.0.2.1" },
    { ip: ip("9.9.9.9"), ext: undefined },
  ];
  const texts = routesSeen(nic, "IPv4", seen).map((route) =>
    `${route.nicIps.join(" ")} > ${route.extIps.join(" ")}`
  );
  assertEquals(texts, [
    "10.0.0.1 10.0.0.3 169.254.1.1 > 192.0.2.1",
    "9.9.9.9 169.254.1.1 > 9.9.9.9",
    "10.0.0.2 169.254.1.1 > ",
  ]);
  const local = card("l", "169.254.1.1/16");
  assertEquals(routesSeen(local, "IPv4", []).map(({ nicIps }) => nicIps.join()), ["169.254.1.1"]);
});

Deno.test("wrong options are refused by name, and nobody is asked", async () => {
  await using server = await serveNat();
  const nic = card("wrong", "127.0.0.2/8");
  for (
    const [options, message] of [
      [{}, "servers:"],
      [{ servers: [server.addr], route: "127.0.0.1:0" }, "route:"],
      [{ servers: [server.addr], blocks: "10.0.0.0/8" }, "blocks:"],
      [{ servers: [server.addr], blocks: [7] }, "blocks[0]:"],
      [{ servers: [server.addr], lifetime: "x" }, "lifetime:"],
      [{ servers: [server.addr], age: 1 }, "there is no"],
    ] as const
  ) {
    const asking = () => Reflect.apply(nic.resolve, nic, [options]);
    await assertRejects(asking, TypeError, message);
  }
  assertEquals(server.requests, 0);
});

Deno.test("an address of the other family is none of a route's", { ignore: !hasIPv6 }, async () => {
  const mapped = () => ({ hostname: "192.0.2.1", port: 9 });
  await using server = await serveStun({ hosts: ["::1"], mapped });
  const nic = card("nat64", "::1/128");
  const error = await assertRejects(() => nic.resolve({ servers: [server.addr] }), PipeError);
  const { cause } = error;
  assertInstanceOf(cause, AggregateError);
  assertEquals(cause.errors.map(({ message }) => message), [
    "Behind ::1 is 192.0.2.1, of another family",
  ]);
});
