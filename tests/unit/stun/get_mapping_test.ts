/** Asking one server, and several. */
import {
  PipeError,
  PipeOpenError,
  PipeTimeoutError,
  ResolveError,
  Route,
  TCP,
  UDP,
} from "@p2pd/pipes";
import { getMapping, getMappings, SHORT_TIMING, StunError } from "@p2pd/pipes/stun";
import { serveStun } from "@p2pd/pipes/testing";
import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { freePort, KINDS, until } from "../../helpers/pipes.ts";
import { clientTls, serverTls } from "../../helpers/tls.ts";

const FAST = { rto: 5, rc: 3, rm: 2, ti: 50 };
/** Where an answer must come, on a machine that is busy. */
const PATIENT = { rto: 100, rc: 3, rm: 10, ti: 5000 };
const noSrv = () => Promise.reject(new Deno.errors.NotFound("none"));
const lookup = (hosts: Readonly<Record<string, readonly string[]>>) => (host: string) =>
  hosts[host] ? Promise.resolve(hosts[host]) : Promise.reject(new Error(`no ${host} here`));

for (const { name, proto, host, ignore, tls } of KINDS) {
  Deno.test(`${name}: getMapping`, { ignore }, async () => {
    const useSsl = tls === true && serverTls();
    await using server = await serveStun({ proto, hosts: [host], conf: { useSsl } });
    const conf = { useSsl: tls === true && clientTls() };
    const { mapped, server: asked } = await getMapping({ server: server.addr, proto, conf });
    assertEquals([mapped.hostname, mapped.transport, asked], [host, proto, server.addr]);
    const route = [host, freePort()] as const;
    const bound = await getMapping({ server: server.addr, proto, conf, route });
    assertEquals([bound.mapped.hostname, bound.mapped.port], [...route]);
  });
}

Deno.test("a stuns URI is verified by its own name, wherever DNS says the service is", async () => {
  await using server = await serveStun({ proto: TCP, conf: { useSsl: serverTls() } });
  const { port } = server.addr;
  const options = {
    lookupSrv: () => Promise.resolve([{ priority: 1, weight: 1, target: "far.example", port }]),
    conf: { useSsl: clientTls(), lookup: lookup({ "far.example": ["127.0.0.1"] }) },
  };
  const { mapped } = await getMapping({ ...options, server: "stuns:localhost" });
  assertEquals(mapped.transport, "tcp");
  const error = await assertRejects(
    () => getMapping({ ...options, server: "stuns:other.example" }),
    PipeOpenError,
  );
  assertEquals(error.phase, "tls");
  const plain = { server: "stuns:localhost", conf: { useSsl: false } };
  await assertRejects(() => getMapping(plain), TypeError, "stuns is TLS");
});

Deno.test("DNS: one host after the other, one address after the other", async () => {
  await using silent = await serveStun({ mode: "silent" });
  await using server = await serveStun();
  const records = [
    { priority: 1, weight: 0, target: "gone.example", port: 1 },
    { priority: 2, weight: 0, target: "silent.example", port: silent.addr.port },
    { priority: 3, weight: 0, target: "good.example", port: server.addr.port },
  ];
  const { mapped } = await getMapping({
    server: "stun:example.org",
    timing: PATIENT,
    lookupSrv: () => Promise.resolve(records),
    conf: { lookup: lookup({ "silent.example": ["127.0.0.1"], "good.example": ["127.0.0.1"] }) },
  });
  assertEquals([mapped.hostname, silent.requests], ["127.0.0.1", 3]);
  // Two addresses of one name, the first of which has nobody.
  const named = await getMapping({
    server: ["two.example", server.addr.port],
    timing: PATIENT,
    conf: { lookup: lookup({ "two.example": ["127.0.0.9", "127.0.0.1"] }) },
  });
  assertEquals(named.server, server.addr);
});

Deno.test("a name that does not resolve, and a server that says nothing", async () => {
  const conf = { lookup: lookup({}) };
  await assertRejects(
    () => getMapping({ server: "stun:example.org", lookupSrv: noSrv, conf }),
    ResolveError,
  );
  await using silent = await serveStun({ mode: "silent" });
  await assertRejects(
    () => getMapping({ server: silent.addr, timing: FAST }),
    PipeTimeoutError,
    "sent 3 times",
  );
  await until(() => silent.requests === 3, "three requests");
  await assertRejects(
    () => getMapping({ server: ["127.0.0.1", freePort()], proto: TCP }),
    PipeOpenError,
  );
});

Deno.test("a refusal is the answer: no other host is asked", async () => {
  await using server = await serveStun({ error: { code: 403, reason: "Forbidden" } });
  const error = await assertRejects(() =>
    getMapping({
      server: ["two.example", server.addr.port],
      timing: PATIENT,
      conf: { lookup: lookup({ "two.example": ["127.0.0.1", "127.0.0.9"] }) },
    }), StunError);
  assertEquals([error.code, server.requests], [403, 1]);
});

for (const proto of [UDP, TCP]) {
  Deno.test(`300 over ${proto}: goes on to the server that is named, not in circles`, async () => {
    await using last = await serveStun({ proto });
    await using first = await serveStun({ proto, alternate: last.addr });
    const { server } = await getMapping({ server: first.addr, proto });
    assertEquals([server, first.requests, last.requests], [last.addr, 1, 1]);
    const port = freePort();
    const addr = { hostname: "127.0.0.1", port };
    await using loop = await serveStun({ proto, ports: [port], alternate: addr });
    const error = await assertRejects(() => getMapping({ server: loop.addr, proto }), StunError);
    assertEquals([error.code, loop.requests], [300, 1]);
    assertEquals(
      (await getMappings({ servers: [first.addr], proto })).answers[0]?.server,
      last.addr,
    );
  });
}

Deno.test("300 over TLS: the certificate has the domain that the first server named", async () => {
  const conf = { useSsl: serverTls() };
  await using last = await serveStun({ proto: TCP, conf });
  const tls = { conf: { useSsl: clientTls() }, proto: TCP };
  for (const domain of ["localhost", "other.example"]) {
    await using first = await serveStun({ proto: TCP, conf, alternate: { ...last.addr, domain } });
    const asking = () => getMapping({ server: first.addr, ...tls });
    if (domain === "localhost") assertEquals((await asking()).server, last.addr);
    else await assertRejects(asking, PipeOpenError);
  }
});

Deno.test("300 over TLS: a domain that nobody can have is that server's fault alone", async () => {
  const conf = { useSsl: serverTls() };
  await using good = await serveStun({ proto: TCP, conf });
  for (const domain of ["", "a b", "host\0"]) {
    const alternate = { ...good.addr, domain };
    await using first = await serveStun({ proto: TCP, conf, alternate });
    const { answers, failures } = await getMappings({
      servers: [good.addr, first.addr],
      conf: { useSsl: clientTls() },
      proto: TCP,
    });
    assertEquals(answers.map(({ server }) => server), [good.addr]);
    assertInstanceOf(failures[0]?.error, StunError);
    assertEquals(failures[0].error.code, 300);
  }
});

Deno.test("getMapping gives up when it is told to", async () => {
  await using silent = await serveStun({ mode: "silent" });
  const reason = new Error("enough");
  const asking = getMapping({ server: silent.addr, signal: AbortSignal.timeout(20) });
  assertEquals((await assertRejects(() => asking, DOMException)).name, "TimeoutError");
  const signal = AbortSignal.abort(reason);
  const all = () => getMappings({ servers: [silent.addr], signal });
  assertEquals(await assertRejects(all), reason);
});

Deno.test("several servers are asked at once, over UDP from one socket", async () => {
  const seen: number[] = [];
  const mapped = (from: { hostname: string; port: number }) => {
    seen.push(from.port);
    return from;
  };
  await using one = await serveStun({ mapped });
  await using two = await serveStun({ mapped });
  const servers = [one.addr, two.addr];
  const result = await getMappings({ servers, route: "127.0.0.1:0" });
  assertEquals([result.hostname, result.unanimous, result.failures], ["127.0.0.1", true, []]);
  assertEquals(seen, [result.mapped?.port, result.mapped?.port]);
  const own = await getMappings({ servers: [one.addr], route: Route.loopback("IPv4") });
  assertEquals(own.answers[0]?.local.hostname, "127.0.0.1");
});

Deno.test("fault 30: silence and errors are no votes", async () => {
  await using good = await serveStun();
  await using silent = await serveStun({ mode: "silent" });
  await using quiet = await serveStun({ mode: "silent" });
  await using angry = await serveStun({ error: { code: 500, reason: "" } });
  const servers = [silent.addr, good.addr, quiet.addr, angry.addr];
  const { hostname, mapped, unanimous, answers, failures } = await getMappings({
    servers,
    timing: SHORT_TIMING,
  });
  assertEquals([hostname, unanimous, answers.length], ["127.0.0.1", true, 1]);
  assertEquals(mapped, answers[0]?.mapped);
  assertEquals(failures.map(({ server }) => server), [silent.addr, quiet.addr, angry.addr]);
  assertEquals(failures.map(({ error }) => error.name), [
    "PipeTimeoutError",
    "PipeTimeoutError",
    "StunError",
  ]);
});

Deno.test("disagreement is shown, and the majority has it", async () => {
  const liar = (port: number) => serveStun({ mapped: () => ({ hostname: "192.0.2.1", port }) });
  await using one = await serveStun();
  await using two = await liar(1);
  await using three = await liar(2);
  const tie = await getMappings({ servers: [one.addr, two.addr] });
  assertEquals([tie.hostname, tie.mapped, tie.unanimous], [undefined, undefined, false]);
  assertEquals(tie.answers.map(({ mapped }) => mapped.hostname), ["127.0.0.1", "192.0.2.1"]);
  const more = await getMappings({ servers: [one.addr, two.addr, three.addr] });
  // Two say the same address with another port each, as behind a symmetric NAT.
  assertEquals([more.hostname, more.mapped, more.unanimous], ["192.0.2.1", undefined, false]);
  // A server that is named twice has one vote.
  const twice = await getMappings({ servers: [two.addr, two.addr, one.addr] });
  assertEquals([twice.hostname, twice.answers.length], [undefined, 3]);
});

Deno.test("nobody answers: one error, or all of them", async () => {
  await using one = await serveStun({ mode: "silent" });
  await using two = await serveStun({ error: { code: 500, reason: "" } });
  await assertRejects(() => getMappings({ servers: [two.addr] }), StunError, "500");
  const error = await assertRejects(
    () => getMappings({ servers: [one.addr, two.addr], timing: FAST }),
    PipeError,
    `no answer from 127.0.0.1:${one.addr.port}, 127.0.0.1:${two.addr.port}`,
  );
  assertInstanceOf(error.cause, AggregateError);
  assertEquals(error.cause.errors.length, 2);
});

Deno.test("each family by itself", async () => {
  await using server = await serveStun();
  const servers = [server.addr, "[::1]:9"];
  const { failures, answers } = await getMappings({ servers });
  assertEquals([answers.length, failures[0]?.server], [1, "[::1]:9"]);
  assertInstanceOf(failures[0]?.error, ResolveError);
  await assertRejects(
    () => getMappings({ servers: [server.addr], route: Route.loopback("IPv6") }),
    ResolveError,
    "has no IPv6 address",
  );
});

Deno.test("wrong options are refused by name, and nobody is asked", async () => {
  await using server = await serveStun();
  const { addr } = server;
  const bad: readonly (readonly [object, string])[] = [
    [{ server: addr, tries: 3 }, "there is no"],
    [{ server: addr, proto: "quic" }, "proto:"],
    [{ server: addr, lookupSrv: 3 }, "lookupSrv:"],
    [{ server: addr, conf: { timeout: 1 } }, "conf:"],
    [{ server: addr, timing: { ...FAST, rto: "x" } }, "timing.rto:"],
    [{ server: addr, signal: 1 }, "signal:"],
    [{ server: "stun:" }, "server:"],
  ];
  for (const [options, message] of bad) {
    const asking = () => Reflect.apply(getMapping, undefined, [options]);
    await assertRejects(asking, TypeError, message);
  }
  for (
    const [options, message] of [
      [{ servers: [] }, "servers:"],
      [{ servers: addr }, "servers:"],
      [{ servers: [addr, 7] }, "servers[1]:"],
      [{ servers: [addr], family: "IPv5" }, "family:"],
      [{ servers: [addr], route: "localhost:0" }, "route:"],
    ] as const
  ) {
    const asking = () => Reflect.apply(getMappings, undefined, [options]);
    await assertRejects(asking, TypeError, message);
  }
  assertEquals(server.requests, 0);
});
