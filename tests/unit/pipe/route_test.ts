/** What a `route` of several local sides does to the way to a peer. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  Interface,
  IpRange,
  pipeOpen,
  PipeOpenError,
  Route,
  RoutePool,
  TCP,
  UDP,
} from "@p2pd/pipes";
import { freePort } from "../../helpers/pipes.ts";
import { hasIPv6 } from "../../helpers/probes.ts";

const from = (ip: string) =>
  new Route({ family: new IpRange(ip).family, nicIps: [ip], extIps: [ip] });
const loopback = Interface.get("lo", {
  source: () =>
    [
      {
        family: "IPv4",
        name: "lo",
        address: "127.0.0.1",
        netmask: "255.0.0.0",
        cidr: "127.0.0.1/8",
      },
      { family: "IPv6", name: "lo", address: "::1", netmask: "ffff::", cidr: "::1/16" },
    ].map((
      info,
    ) => ({ ...info, scopeid: 0, mac: "00:00:00:00:00:00" } as Deno.NetworkInterfaceInfo)),
});

Deno.test("route: every route of a pool has its turn before the next address", async () => {
  const port = freePort();
  const conf = { lookup: () => Promise.resolve(["127.0.0.1", "127.0.0.2"]) };
  const route = new RoutePool([from("127.0.0.3"), from("127.0.0.4")]);
  const error = await assertRejects(
    () => pipeOpen(TCP, { dest: ["two.example", port], route, conf }),
    PipeOpenError,
  );
  const tried = ["1", "2"].flatMap((to) =>
    ["3", "4"].map((from) => `127.0.0.${to}:${port} from 127.0.0.${from}:0`)
  );
  assert(error.message.includes(tried.join(", ")), error.message);
});

Deno.test("route: with an Interface the families come in the order of the look-up", {
  ignore: !hasIPv6,
}, async () => {
  const port = freePort();
  for (const order of [["::1", "127.0.0.1"], ["127.0.0.1", "::1"]] as const) {
    const conf = { lookup: () => Promise.resolve(order) };
    const dest = ["both.example", port] as const;
    await using pipe = await pipeOpen(UDP, { dest, route: loopback, conf });
    assertEquals(pipe.remoteAddr?.hostname, order[0]);
    const error = await assertRejects(
      () => pipeOpen(TCP, { dest, route: loopback, conf }),
      PipeOpenError,
    );
    const places = order.map((host) =>
      error.message.indexOf(`${host.includes(":") ? `[${host}]` : host}:${port} from`)
    );
    assert(places.every((at) => at > 0) && (places[0] ?? 0) < (places[1] ?? 0), error.message);
  }
});

Deno.test("route: a pipe has the route that was taken", async () => {
  await using server = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  const route = new RoutePool([from("203.0.113.9"), from("127.0.0.7")]);
  await using pipe = await pipeOpen(TCP, { dest: server.localAddr, route });
  assertEquals([pipe.localAddr.hostname, String(pipe.route)], ["127.0.0.7", "127.0.0.7:0"]);
});

Deno.test("route: no route leads to a peer on another link, and one of its link does", {
  ignore: !hasIPv6,
}, async () => {
  const dest = "[fe80::9%beta]:9";
  const alpha = from("fe80::1%alpha");
  const error = await assertRejects(() => pipeOpen(UDP, { dest, route: alpha }), PipeOpenError);
  assert(error.message.includes("they cannot meet"), error.message);
  assertEquals(error.phase, "connect");
});

Deno.test("route: routes that cannot be bound are passed over at once", async () => {
  await using server = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  const nobodys = Array.from({ length: 12 }, (_, i) => from(`203.0.113.${i + 1}`));
  const route = new RoutePool([...nobodys, from("127.0.0.9")]);
  const start = performance.now();
  await using pipe = await pipeOpen(TCP, { dest: server.localAddr, route });
  assertEquals(pipe.localAddr.hostname, "127.0.0.9");
  const took = performance.now() - start;
  assert(took < 1000, `${took} ms, where waiting for each would take 3000`);
});
