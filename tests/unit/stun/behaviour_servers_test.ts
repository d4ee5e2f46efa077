/** Servers that do not do what they say: what is found out in spite of them, and nothing that is wrong. */
import type { NetAddr } from "@p2pd/pipes";
import {
  ATTRIBUTES,
  type BehaviourOptions,
  getBehaviour,
  type NatBehaviour,
  type StunChange,
  StunMessage,
} from "@p2pd/pipes/stun";
import { serveStun } from "@p2pd/pipes/testing";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { deadline } from "@std/async";
import { arrives } from "../../../lib/stun/behaviour/hairpin.ts";
import { Probe, ProbeContext } from "../../../lib/stun/behaviour/probe.ts";
import { type NatOptions, NatServer, type Reply } from "./nat_server.ts";

const LOCAL = "127.0.0.1:0";
const FREE = "endpoint-independent", ADDRESS = "address-dependent";
const PORT = "address-and-port-dependent";
const SILENT = "the server does not answer CHANGE-REQUEST";

/** What is found behind a NAT, and how many requests it took. */
async function behind(
  nat: NatOptions,
  options: Partial<BehaviourOptions> = {},
): Promise<NatBehaviour & { readonly requests: number }> {
  await using server = await NatServer.open(nat);
  const found = await getBehaviour({ servers: [server.addr], route: LOCAL, ...options });
  return { ...found, requests: server.requests };
}

/** An error from where it was asked. */
function refused(reply: Reply, code: number): Reply {
  const message = new StunMessage({ class: "error", transactionId: reply.request.transactionId })
    .with(ATTRIBUTES.errorCode, { code, reason: "no" });
  return { ...reply, message, from: reply.asked };
}

/** Does not answer some requests to change. */
function dropping(isDropped: (change: StunChange) => boolean) {
  return (reply: Reply): Reply | undefined => {
    const change = reply.request.get(ATTRIBUTES.changeRequest);
    return change !== undefined && isDropped(change) ? undefined : reply;
  };
}

const ALL = () => true;

/** By what is wrong with the server. */
const CASES: Readonly<Record<string, () => Promise<void>>> = {
  "its other address is one that cannot be sent to": async () => {
    const otherAddress = { hostname: "255.255.255.255", port: 3479 };
    const tamper = (reply: Reply): Reply => {
      const mapped = reply.message.get(ATTRIBUTES.xorMappedAddress);
      assert(mapped !== undefined);
      const { transactionId } = reply.request;
      const message = new StunMessage({ class: "success", transactionId })
        .with(ATTRIBUTES.xorMappedAddress, mapped).with(ATTRIBUTES.otherAddress, otherAddress);
      return { ...reply, message };
    };
    const found = await behind({ tamper });
    assertEquals([found.mapping, found.hairpin, found.filtering], ["none", true, "unknown"]);
    // Nothing is at its port either; both are named.
    const [, places] = found.reasons.filtering?.split("other address ") ?? [];
    assertEquals(places, "255.255.255.255:3479, 127.0.0.1:3479");
  },
  "its other address refuses": async () => {
    const tamper = (reply: Reply) => reply.asked < 2 ? reply : refused(reply, 500);
    const found = await behind({ tamper });
    assertEquals([found.mapping, found.hairpin, found.filtering], ["none", true, "unknown"]);
    assertStringIncludes(found.reasons.filtering ?? "", "nothing comes from");
  },
  "it limits the rate: what was known by then is told": async () => {
    let answered = 0;
    const tamper = (reply: Reply) => ++answered > 12 ? refused(reply, 500) : reply;
    const found = await behind({ tamper });
    assertEquals([found.mapping, found.filtering, found.hairpin], ["none", "unknown", undefined]);
    assertStringIncludes(found.reasons.hairpin ?? "", "500");
    assertStringIncludes(found.reasons.filtering ?? "", "CHANGE-REQUEST");
  },
  "it drops CHANGE-REQUEST, without a NAT and behind those that let everything in": async () => {
    await Promise.all(([undefined, FREE] as const).map(async (mapping) => {
      const found = await behind({ mapping, tamper: dropping(ALL) });
      assertEquals([found.filtering, found.confidence.filtering], ["unknown", 0]);
      assertEquals([found.mapping, found.reasons.filtering], [mapping ?? "none", SILENT]);
      assert(found.requests < 400, `${found.requests}`);
    }));
  },
  "it drops CHANGE-REQUEST, with a mapping for each port or address": async () => {
    await Promise.all(([PORT, ADDRESS] as const).map(async (mapping) => {
      const found = await behind({ mapping, filtering: PORT, tamper: dropping(ALL) });
      assertEquals([found.mapping, found.filtering], [mapping, "unknown"]);
      assertStringIncludes(found.reasons.filtering ?? "", SILENT);
    }));
  },
  "it drops CHANGE-REQUEST, and packets are lost": async () => {
    const found = await behind({ loss: 20, tamper: dropping(ALL) });
    assertEquals([found.filtering, found.reasons.filtering], ["unknown", SILENT]);
  },
  "it changes the port, and drops what asks for the address too": async () => {
    const found = await behind({ tamper: dropping(({ ip }) => ip) });
    assertEquals([found.filtering, found.reasons.filtering], ["unknown", SILENT]);
  },
  "it changes both, and drops what asks for the port alone": async () => {
    const tamper = dropping(({ ip }) => !ip);
    const [found, free] = await Promise.all([
      behind({ filtering: ADDRESS, tamper }),
      behind({ tamper }),
    ]);
    assertEquals([found.filtering, found.reasons.filtering], ["unknown", SILENT]);
    assertEquals(free.filtering, FREE); // the other one says it all
  },
  "it does not do RESPONSE-PORT: without it no answer gets through such a mapping": async () => {
    const tamper = (reply: Reply) =>
      reply.request.get(ATTRIBUTES.responsePort) === undefined ? reply : undefined;
    const [found, kept] = await Promise.all(
      ([PORT, FREE] as const).map((mapping) => behind({ mapping, filtering: PORT, tamper })),
    );
    assert(found !== undefined && kept !== undefined);
    const reason = `${SILENT} with RESPONSE-PORT`;
    assertEquals([found.filtering, found.reasons.filtering], ["unknown", reason]);
    assertEquals([kept.filtering, kept.reasons], [PORT, {}]); // not needed here
  },
  "each of its addresses sees another external address": async () => {
    const tamper = (reply: Reply): Reply => {
      const { transactionId } = reply.request;
      const mapped = { hostname: `192.0.2.${1 + reply.asked}`, port: 7 };
      const other = reply.message.get(ATTRIBUTES.otherAddress);
      assert(other !== undefined);
      const message = new StunMessage({ class: "success", transactionId })
        .with(ATTRIBUTES.xorMappedAddress, mapped).with(ATTRIBUTES.otherAddress, other);
      return { ...reply, message };
    };
    const found = await behind({ filtering: PORT, tamper });
    assertEquals([found.mapping, found.filtering], [PORT, "unknown"]);
    assertStringIncludes(found.reasons.filtering ?? "", "another external address");
  },
};

Deno.test("servers that do not do what they say, and what is made of it", async () => {
  // All at once: most of it is waiting for what does not come.
  const entries = Object.entries(CASES);
  const results = await Promise.allSettled(entries.map(([, test]) => test()));
  for (const [i, result] of results.entries()) {
    if (result.status === "rejected") throw new Error(entries[i]?.[0], { cause: result.reason });
  }
});

Deno.test("what is waited for in vain leaves no timer once it is given up", async () => {
  const { signal } = new AbortController();
  const context = new ProbeContext({
    ...{ route: LOCAL, conf: undefined, credentials: undefined, signal },
  });
  await using probe = await Probe.open(context);
  const never = () => new Promise<void>(() => {});
  const waiting = arrives(never, probe, 60_000, AbortSignal.abort());
  assertEquals(await deadline(waiting, 5000), false);
  const later = new AbortController();
  const given = arrives(never, probe, 60_000, later.signal);
  later.abort();
  assertEquals(await deadline(given, 5000), false);
});

Deno.test("a time limit or a signal, whenever it comes, leaves no timer and no socket", async () => {
  await using server = await serveStun({ hosts: ["127.0.0.1", "127.0.0.2"] });
  const servers: readonly NetAddr[] = [server.addr];
  for (const ms of [0, 5, 10, 20, 40, 80]) {
    await getBehaviour({ servers, route: LOCAL, timeout: ms });
    const signal = AbortSignal.timeout(ms);
    await getBehaviour({ servers, route: LOCAL, signal }).catch(() => {});
  }
});
