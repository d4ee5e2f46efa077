/** What is found out about NATs, over real sockets, with a server that acts as if one were between. */
import { type NetAddr, PipeError, PipeTimeoutError, Route } from "@p2pd/pipes";
import {
  ATTRIBUTES,
  type BehaviourOptions,
  type BehaviourProgress,
  classicName,
  getBehaviour,
  type NatBehaviour,
  type NatDependence,
  StunError,
  StunMessage,
} from "@p2pd/pipes/stun";
import { serveStun } from "@p2pd/pipes/testing";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { together } from "../../../lib/stun/behaviour/together.ts";
import { latch } from "../../helpers/pipes.ts";
import { hasIPv6 } from "../../helpers/probes.ts";
import { turns } from "../../helpers/turns.ts";
import { type NatOptions, NatServer, OUTSIDE, type Reply } from "./nat_server.ts";

const LOCAL = "127.0.0.1:0";
const FREE = "endpoint-independent", ADDRESS = "address-dependent";
const PORT = "address-and-port-dependent";
const HOSTS = ["127.0.0.1", "127.0.0.2"];

/** What is found behind a NAT. */
async function behind(
  nat: NatOptions,
  options: Partial<BehaviourOptions> = {},
): Promise<NatBehaviour> {
  await using server = await NatServer.open(nat);
  return await getBehaviour({ servers: [server.addr], route: LOCAL, ...options });
}

/** All of it that hangs on the NAT alone. */
const brief = ({ mapping, filtering, hairpin, portPreservation, step }: NatBehaviour) => ({
  ...{ mapping, filtering, hairpin, portPreservation, step: `${step.kind} ${step.delta}` },
});

const ALL: readonly (readonly [NatDependence, NatDependence, number])[] = [
  ...[[FREE, FREE, 0], [FREE, ADDRESS, 2], [FREE, PORT, 0]] as const,
  ...[[ADDRESS, FREE, 5], [ADDRESS, ADDRESS, 0], [ADDRESS, PORT, 1]] as const,
  ...[[PORT, FREE, 0], [PORT, ADDRESS, 1], [PORT, PORT, 0], [PORT, PORT, -4]] as const,
];

/** What a NAT, or a server, does; and what is made of it. */
const CASES: Readonly<Record<string, () => Promise<void>>> = {
  "every mapping and filtering, with 20 % lost in either direction": async () => {
    await Promise.all(ALL.map(async ([mapping, filtering, step]) => {
      const found = await behind({ mapping, filtering, step, loss: 20 });
      const expected = step === 0 ? "random undefined" : `sequential ${step}`;
      assertEquals(brief(found), {
        ...{ mapping, filtering, hairpin: false, portPreservation: false, step: expected },
      });
      const { confidence, reasons, mapped, local, server } = found;
      assertEquals(reasons, {});
      for (const aspect of ["mapping", "filtering", "hairpin", "step"] as const) {
        assert(confidence[aspect] > 0.5 && confidence[aspect] < 1, `${confidence[aspect]}`);
      }
      assertEquals([mapped?.hostname, local?.hostname], [OUTSIDE, "127.0.0.1"]);
      assertEquals(server?.hostname, "127.0.0.1");
    }));
  },
  "a firewall without a NAT": async () => {
    const found = await behind({ filtering: PORT });
    assertEquals([found.mapping, found.filtering], ["none", PORT]);
    assertEquals(classicName(found), "symmetric UDP firewall");
  },
  "somebody else's external address is a NAT's, whatever the port": async () => {
    const mapped = ({ port }: { readonly port: number }) => ({ hostname: OUTSIDE, port });
    await using server = await serveStun({ hosts: HOSTS, mapped });
    const found = await getBehaviour({ servers: [server.addr], route: LOCAL });
    assertEquals([found.mapping, found.portPreservation], [FREE, true]);
  },
  "one's own external address with another port is a NAT's": async () => {
    const mapped = ({ port, hostname }: NetAddr) => ({ hostname, port: port ^ 1 });
    await using server = await serveStun({ hosts: HOSTS, mapped });
    const found = await getBehaviour({ servers: [server.addr], route: LOCAL });
    assertEquals([found.mapping, found.portPreservation], [FREE, false]);
  },
  "a port that somebody else has used before does not look like an open NAT": async () => {
    // Number 0 is the socket that looks who is there.
    for (const stale of [1, 2]) {
      const found = await behind({ mapping: FREE, filtering: PORT, stale });
      assertEquals(found.filtering, PORT, `${stale}`);
    }
  },
  "a server that answers CHANGE-REQUEST from where it was asked": async () => {
    const found = await behind({ tamper: (reply) => ({ ...reply, from: reply.asked }) });
    assertEquals([found.mapping, found.filtering], ["none", "unknown"]);
    assertStringIncludes(found.reasons.filtering ?? "", "CHANGE-REQUEST");
  },
  "a server that changes the port and not the address": async () => {
    const tamper = (reply: Reply) => ({ ...reply, from: reply.from & 1 | reply.asked & 2 });
    const found = await behind({ tamper });
    assertEquals(found.filtering, "unknown");
  },
  "a server that does not understand CHANGE-REQUEST": async () => {
    const tamper = (reply: Reply) => {
      const { transactionId } = reply.request;
      const error = new StunMessage({ class: "error", transactionId })
        .with(ATTRIBUTES.errorCode, { code: 420, reason: "" });
      const asks = reply.request.get(ATTRIBUTES.changeRequest) !== undefined;
      return asks ? { ...reply, message: error, from: reply.asked } : reply;
    };
    const found = await behind({ tamper });
    assertEquals([found.mapping, found.filtering], ["none", "unknown"]);
  },
  "a server whose other address is dead: its silence proves nothing": async () => {
    const tamper = (reply: Reply) => reply.from < 2 ? reply : undefined;
    const found = await behind({ tamper, mapping: PORT });
    assertEquals([found.mapping, found.filtering], [PORT, "unknown"]);
    assertMatch(found.reasons.filtering ?? "", /^nothing comes from .* 127\.0\.0\.2:\d+$/);
  },
  "two servers with one address each: the mapping, and that the port was not looked at":
    async () => {
      await using one = await serveStun({ mapped: ({ port }) => ({ hostname: OUTSIDE, port }) });
      const shift = ({ port }: NetAddr) => ({ hostname: OUTSIDE, port: port ^ 1 });
      for (const [mapped, mapping] of [[undefined, FREE], [shift, PORT]] as const) {
        const same = ({ port }: NetAddr) => ({ hostname: OUTSIDE, port });
        await using two = await serveStun({ hosts: ["127.0.0.2"], mapped: mapped ?? same });
        const servers = [one.addr, two.addr];
        const found = await getBehaviour({ servers, route: LOCAL });
        assertEquals([found.mapping, found.filtering], [mapping, "unknown"]);
        assertEquals(found.reasons.mapping?.includes("two ports"), mapped && true);
      }
    },
  "one server with one address: only what that can tell": async () => {
    const mapped = ({ port }: NetAddr) => ({ hostname: OUTSIDE, port });
    await using server = await serveStun({ mapped });
    const found = await getBehaviour({ servers: [server.addr], route: LOCAL });
    assertEquals([found.mapping, found.step, classicName(found)], [
      ...["unknown", { kind: "preserved", delta: 0 }, "unknown"],
    ]);
    assertStringIncludes(found.reasons.mapping ?? "", "second address");
  },
  "the server that has another address is taken": async () => {
    await using plain = await serveStun();
    await using full = await serveStun({ hosts: HOSTS });
    const servers = [plain.addr, full.addr];
    const found = await getBehaviour({ servers, route: LOCAL });
    assertEquals([found.server, found.filtering], [full.addr, FREE]);
    const asked = new Set(found.observations.map(({ server: { port } }) => port));
    assertEquals(asked.size, 3); // two of one server, one of the other
  },
  "nobody answers": async () => {
    await using silent = await serveStun({ mode: "silent" });
    const found = await getBehaviour({ servers: [silent.addr], route: LOCAL });
    assertEquals([classicName(found), found.mapped, silent.requests], ["blocked", undefined, 20]);
    assertEquals(found.reasons.mapping, "nobody answered");
  },
  "nobody answers, and the time is over": async () => {
    await using silent = await serveStun({ mode: "silent" });
    const start = performance.now();
    const options = { servers: [silent.addr], route: LOCAL, timeout: 300 };
    assertEquals(classicName(await getBehaviour(options)), "blocked");
    assert(performance.now() - start < 3000);
  },
  "how long mappings live": async () => {
    // Far apart: what waits for a busy machine must not look like a mapping that is gone.
    const lifetime = { max: 4000, steps: 5 };
    const found = await behind({ mapping: FREE, filtering: PORT, lifetime: 2200 }, { lifetime });
    assertEquals(found.lifetime?.atLeast, 1600);
    const { atMost = 0 } = found.lifetime ?? {};
    assert(atMost >= 2400 && atMost < 2400 + 4000, `${atMost}`);
    assert(found.confidence.lifetime > 0.5);
  },
  "mappings outlive the search, at a lossy place": async () => {
    const lifetime = { max: 1000, steps: 2 };
    const found = await behind({ mapping: FREE, loss: 20 }, { lifetime });
    assertEquals(found.lifetime, { atLeast: 1000, atMost: undefined });
  },
  "a server that does not do RESPONSE-PORT": async () => {
    const tamper = (reply: Reply) =>
      reply.request.get(ATTRIBUTES.responsePort) === undefined ? reply : undefined;
    const found = await behind({ tamper }, { lifetime: { max: 1000, steps: 1 } });
    assertEquals(found.lifetime, undefined);
    assertStringIncludes(found.reasons.lifetime ?? "", "RESPONSE-PORT");
  },
  "the progress goes from nothing to everything": async () => {
    await using server = await serveStun({ hosts: HOSTS });
    for (const lifetime of [undefined, { max: 1000, steps: 2 }]) {
      const told: BehaviourProgress[] = [];
      const onProgress = (progress: BehaviourProgress) => told.push(progress);
      await getBehaviour({ servers: [server.addr], route: LOCAL, onProgress, lifetime });
      const phases = new Set(told.map(({ phase }) => phase));
      const expected = ["contact", "mapping", "hairpin", ...lifetime ? ["lifetime"] : []];
      assertEquals([...phases], expected);
      const done = told.map(({ done }) => done);
      assertEquals(done, done.toSorted((a, b) => a - b));
      assertEquals([done[0], done.at(-1)], [0, 1]);
    }
  },
};

Deno.test("what NATs and servers do, and what is made of it", async () => {
  // All at once: most of it is waiting for what does not come.
  const entries = Object.entries(CASES);
  const results = await Promise.allSettled(entries.map(([, test]) => test()));
  for (const [i, result] of results.entries()) {
    if (result.status === "rejected") throw new Error(entries[i]?.[0], { cause: result.reason });
  }
});

Deno.test("the time is over: what is known is told", async () => {
  const found = await behind({ mapping: FREE, filtering: PORT }, { timeout: 600 });
  assertEquals([found.mapping, found.filtering, found.hairpin], [FREE, "unknown", undefined]);
  assertEquals(found.reasons.filtering, "not known within 600 ms");
  assertEquals(found.reasons.hairpin, "not known within 600 ms");
});

Deno.test("no NAT, with the local address given and without", async () => {
  await using server = await serveStun({ hosts: HOSTS });
  for (const route of [LOCAL, Route.loopback("IPv4"), undefined]) {
    const found = await getBehaviour({ servers: [server.addr], route });
    assertEquals(brief(found), {
      ...{ mapping: "none", filtering: FREE, hairpin: true, portPreservation: true },
      step: "preserved 0",
    });
    assertEquals(classicName(found), "open Internet");
    assertEquals(found.mapped?.port, found.local?.port);
  }
});

Deno.test("IPv6, where only one address can be had", { ignore: !hasIPv6 }, async () => {
  await using server = await serveStun({ hosts: ["::1"] });
  const found = await getBehaviour({ servers: [server.addr], route: "[::1]:0" });
  assertEquals([found.mapping, found.hairpin, found.filtering], ["none", true, "unknown"]);
  assertStringIncludes(found.reasons.filtering ?? "", "OTHER-ADDRESS");
  assertEquals(found.confidence.filtering, 0);
});

Deno.test("who asked may give up, at any time", async () => {
  await using server = await NatServer.open({ mapping: PORT, filtering: PORT });
  // Not to be mistaken for silence.
  const servers = [server.addr], reason = new PipeTimeoutError("enough");
  const before = getBehaviour({ servers, route: LOCAL, signal: AbortSignal.abort(reason) });
  assertEquals(await assertRejects(() => before), reason);
  assertEquals(server.requests, 0);
  const lifetime = { max: 60_000 };
  for (const phase of ["contact", "mapping", "hairpin", "lifetime"]) {
    const abort = new AbortController();
    const onProgress = (progress: BehaviourProgress) => {
      // Not within the call, but when what follows is under way.
      if (progress.phase === phase) queueMicrotask(() => abort.abort(reason));
    };
    const asking = getBehaviour({
      ...{ servers, route: LOCAL, signal: abort.signal, onProgress, lifetime },
    });
    assertEquals(await assertRejects(() => asking), reason, phase);
  }
});

Deno.test("together: where one fails the others are told, and awaited", async () => {
  const reason = new Error("one failed"), ended = latch();
  let isOver = false;
  const running = together<void>(new AbortController().signal, [
    () => Promise.reject(reason),
    async (signal) => {
      signal.addEventListener("abort", () => ended.open(), { once: true });
      await ended.done;
      await turns(3);
      isOver = true;
    },
  ]);
  assertEquals(await assertRejects(() => running), reason);
  assert(isOver);
  const both = [1, 2].map((one) => () => Promise.resolve(one));
  assertEquals(await together(new AbortController().signal, both), [1, 2]);
});

Deno.test("servers that refuse, or cannot be looked up, are errors", async () => {
  await using angry = await serveStun({ error: { code: 500, reason: "" } });
  const route = LOCAL;
  await assertRejects(() => getBehaviour({ servers: [angry.addr], route }), StunError, "500");
  await using silent = await serveStun({ mode: "silent" });
  const conf = { lookup: () => Promise.reject(new Error("none")) };
  const servers = [silent.addr, ["nowhere.example", 1] as const];
  await assertRejects(
    () => getBehaviour({ servers, route, conf, timeout: 100 }).then(classicName),
    PipeError,
    "nowhere.example",
  );
  // One that answers is enough.
  await using server = await serveStun({ hosts: HOSTS });
  const found = await getBehaviour({ servers: [angry.addr, server.addr], route });
  assertEquals(found.mapping, "none");
});

Deno.test("wrong options are refused by name, and nobody is asked", async () => {
  await using server = await serveStun();
  const { addr } = server;
  for (
    const [options, error, message] of [
      [{}, TypeError, "servers:"],
      [{ servers: [] }, TypeError, "servers:"],
      [{ servers: [addr, 7] }, TypeError, "servers[1]:"],
      [{ servers: ["stuns:localhost"] }, TypeError, "servers[0]:"],
      [{ servers: [addr], proto: "udp" }, TypeError, "proto:"],
      [{ servers: [addr], timing: { rto: 1, rc: 1, rm: 1, ti: 1 } }, TypeError, "timing:"],
      [{ servers: [addr], tries: 3 }, TypeError, "there is no"],
      [{ servers: [addr], family: "IPv5" }, TypeError, "family:"],
      [{ servers: [addr], route: "127.0.0.1:7" }, RangeError, "route:"],
      [{ servers: [addr], timeout: -1 }, RangeError, "timeout:"],
      [{ servers: [addr], onProgress: 1 }, TypeError, "onProgress:"],
      [{ servers: [addr], signal: 1 }, TypeError, "signal:"],
      [{ servers: [addr], conf: { x: 1 } }, TypeError, "conf:"],
      [{ servers: [addr], credentials: { username: "" } }, TypeError, "credentials.username"],
      [{ servers: [addr], lifetime: 3 }, TypeError, "lifetime:"],
      [{ servers: [addr], lifetime: {} }, TypeError, "lifetime.max:"],
      [{ servers: [addr], lifetime: { max: 999 } }, RangeError, "lifetime.max:"],
      [{ servers: [addr], lifetime: { max: 1e10 } }, RangeError, "lifetime.max:"],
      [{ servers: [addr], lifetime: { max: 2000, steps: 65 } }, RangeError, "lifetime.steps:"],
      [{ servers: [addr], lifetime: { max: 2000, steps: 0 } }, RangeError, "lifetime.steps:"],
    ] as const
  ) {
    const asking = () => Reflect.apply(getBehaviour, undefined, [options]);
    await assertRejects(asking, error, message);
  }
  assertEquals(server.requests, 0);
});
