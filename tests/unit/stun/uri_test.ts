/** The names of servers: URIs (RFC 7064), destinations, and where DNS says the service is (RFC 2782). */
import { ResolveError } from "@p2pd/pipes";
import type { SrvLookup, SrvRecord } from "@p2pd/pipes/stun";
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { locate, sortSrv } from "../../../lib/stun/srv.ts";
import { parseServer, protoOf } from "../../../lib/stun/uri.ts";

const parts = (server: unknown) => {
  const { endpoint: { hostname, port }, scheme, hasPort } = parseServer(server, "server");
  return [hostname, port, scheme, hasPort];
};

Deno.test("URIs have a scheme, a host and perhaps a port", () => {
  assertEquals(parts("stun:example.org"), ["example.org", 3478, "stun", false]);
  assertEquals(parts("stuns:example.org"), ["example.org", 5349, "stuns", false]);
  assertEquals(parts("STUN:Example.org:8000"), ["example.org", 8000, "stun", true]);
  assertEquals(parts("stun:192.0.2.1"), ["192.0.2.1", 3478, "stun", false]);
  assertEquals(parts("stun:[2001:DB8::1]"), ["2001:db8::1", 3478, "stun", false]);
  assertEquals(parts("stuns:[2001:db8::1]:9"), ["2001:db8::1", 9, "stuns", true]);
  assertEquals(parts("example.org:3478"), ["example.org", 3478, undefined, true]);
  assertEquals(parts(["stun", 3478]), ["stun", 3478, undefined, true]);
});

Deno.test("what is none is refused by name", () => {
  for (
    const server of [
      "stun:",
      "stun://example.org",
      "stun:example.org?transport=udp",
      "stun:me@example.org",
      "stun:2001:db8::1",
      "example.org",
      { path: "/run/stun" },
      7,
      null,
    ]
  ) {
    assertThrows(() => parseServer(server, "servers[3]"), TypeError, "servers[3]:");
  }
  for (
    const server of [
      "stun:example.org:0",
      "stun:example.org:65536",
      "stun:example.org:",
      "turn:example.org",
    ]
  ) {
    assertThrows(() => parseServer(server, "server"), RangeError, "server:");
  }
});

Deno.test("stuns is TLS over TCP", () => {
  assertEquals(protoOf(parseServer("stuns:a.example", "server"), undefined, "proto"), "tcp");
  assertEquals(protoOf(parseServer("stun:a.example", "server"), undefined, "proto"), "udp");
  assertEquals(protoOf(parseServer("stun:a.example", "server"), "tcp", "proto"), "tcp");
  const stuns = parseServer("stuns:a.example", "server");
  assertThrows(() => protoOf(stuns, "udp", "proto"), TypeError, "no DTLS");
});

const record = (priority: number, weight: number, target: string): SrvRecord => ({
  priority,
  weight,
  target,
  port: 1000 + weight,
});

Deno.test("SRV: lower priorities first, among equals by weight", () => {
  const records = [record(2, 5, "c"), record(1, 10, "a"), record(1, 30, "b"), record(1, 0, "z")];
  const order = (draw: number) => sortSrv(records, () => draw).map(({ target }) => target).join("");
  assertEquals(order(0), "abzc");
  assertEquals(order(0.99), "bazc");
  const first = new Map<string, number>();
  for (let i = 0; i < 4000; i++) {
    const [one] = sortSrv(records);
    first.set(one?.target ?? "", (first.get(one?.target ?? "") ?? 0) + 1);
  }
  const share = (first.get("b") ?? 0) / 4000;
  assertEquals(share > 0.65 && share < 0.85, true, `${share}`);
  assertEquals(first.has("c"), false);
});

async function hosts(
  server: string,
  records: readonly SrvRecord[] | Error,
  proto: "udp" | "tcp" = "udp",
): Promise<string[]> {
  const asked: string[] = [];
  const lookupSrv = (name: string) => {
    asked.push(name);
    return records instanceof Error ? Promise.reject(records) : Promise.resolve(records);
  };
  const found = await locate(parseServer(server, "server"), proto, { lookupSrv, timeout: 1000 });
  return [...asked, ...found.map(({ hostname, port }) => `${hostname}:${port}`)];
}

Deno.test("RFC 8489, section 8.1: DNS is asked for a name without a port, and for nothing else", async () => {
  const records = [record(1, 1, "one.example."), record(2, 2, "two.example.")];
  const two = ["one.example:1001", "two.example:1002"];
  assertEquals(await hosts("stun:example.org", records), ["_stun._udp.example.org", ...two]);
  assertEquals(await hosts("stun:example.org", records, "tcp"), ["_stun._tcp.example.org", ...two]);
  assertEquals(await hosts("stuns:example.org", records, "tcp"), [
    "_stuns._tcp.example.org",
    ...two,
  ]);
  assertEquals(await hosts("stun:example.org:5", records), ["example.org:5"]);
  assertEquals(await hosts("stun:192.0.2.1", records), ["192.0.2.1:3478"]);
  assertEquals(await hosts("example.org:7", records), ["example.org:7"]);
});

Deno.test("without SRV records it is the name and the default port", async () => {
  const own = ["_stun._udp.example.org", "example.org:3478"];
  assertEquals(await hosts("stun:example.org", new Deno.errors.NotFound("none")), own);
  assertEquals(await hosts("stun:example.org", []), own);
  assertEquals(await hosts("stun:example.org", [record(1, 1, "no host!")]), own);
  await assertRejects(
    () => hosts("stun:example.org", [record(0, 0, ".")]),
    ResolveError,
    "no such service",
  );
});

Deno.test("a look-up that gives nonsense is a ResolveError, and records that are none are left out", async () => {
  const server = parseServer("stun:example.org", "server");
  const found = (given: unknown) => {
    // as a caller without types would
    const lookupSrv = (() => given) as SrvLookup;
    return locate(server, "udp", { lookupSrv, timeout: 1000 });
  };
  for (const given of [undefined, null, "one.example", Promise.resolve({})]) {
    const error = await assertRejects(() => found(given), ResolveError);
    assertStringIncludes(error.message, "_stun._udp.example.org: the look-up gave no list, but");
  }
  const good = record(1, 1, "one.example.");
  assertEquals((await found([null, 3, {}, good]))[0]?.hostname, "one.example");
  assertEquals((await found([null]))[0]?.hostname, "example.org");
});

Deno.test("a look-up that never ends is given up", async () => {
  const server = parseServer("stun:example.org", "server");
  const asked: AbortSignal[] = [];
  const lookupSrv = (_name: string, signal: AbortSignal) => {
    asked.push(signal);
    return new Promise<readonly SrvRecord[]>(() => {});
  };
  const [found] = await locate(server, "udp", { lookupSrv, timeout: 1 });
  assertEquals([found?.hostname, asked[0]?.aborted], ["example.org", true]);
  const signal = AbortSignal.abort(new Error("enough"));
  await assertRejects(
    () => locate(server, "udp", { lookupSrv, timeout: 1000, signal }),
    Error,
    "enough",
  );
});
