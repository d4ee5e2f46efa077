/** From what was observed to what it means, without a socket. */
import {
  classicName,
  type ClassicNatName,
  type MappingObservation,
  type NatFiltering,
  type NatMapping,
  type PortStep,
} from "@p2pd/pipes/stun";
import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import {
  chanceOfLoss,
  isSettled,
  isSilence,
  silenceConfidence,
  succession,
} from "../../../lib/stun/behaviour/evidence.ts";
import { BOTH, filteringKind, PORT } from "../../../lib/stun/behaviour/filtering_kind.ts";
import { hairpinKind } from "../../../lib/stun/behaviour/hairpin.ts";
import { lifetimeOf } from "../../../lib/stun/behaviour/lifetime.ts";
import { mappingKind, preservesPorts } from "../../../lib/stun/behaviour/mapping_kind.ts";
import { portStep } from "../../../lib/stun/behaviour/port_step.ts";

/** Places to ask, by letter and digit: address and port. */
const PLACES: Readonly<Record<string, readonly [string, number]>> = {
  a1: ["192.0.2.1", 1],
  a2: ["192.0.2.1", 2],
  b1: ["192.0.2.2", 1],
  b2: ["192.0.2.2", 2],
};

/** Observations as text: "local port: place=external port place=…; the next socket". */
function seen(text: string): MappingObservation[] {
  return text.split(";").flatMap((part, socket) => {
    const [local = "", all = ""] = part.split(":");
    return all.trim().split(" ").map((pair) => {
      const [place = "", port = ""] = pair.split("=");
      const [hostname, server] = PLACES[place] ?? ["", 0];
      const transport = "udp" as const;
      return {
        socket,
        localPort: Number(local),
        server: { transport, hostname, port: server },
        mapped: { transport, hostname: "198.51.100.1", port: Number(port) },
      };
    });
  });
}

const isKept = ({ localPort, mapped }: MappingObservation) => localPort === mapped.port;

Deno.test("mapping: by whether the external address changes with whom is asked", () => {
  const cases: readonly (readonly [text: string, expected: string, confidence: number])[] = [
    ["5: a1=7 a2=7 b1=7 b2=7", "endpoint-independent", 2 / 3],
    ["5: a1=7 b1=7; 6: a1=8 b1=8; 7: a1=9 b1=9", "endpoint-independent", 4 / 5],
    ["5: a1=7 a2=7 b1=8 b2=8", "address-dependent", 2 / 3],
    ["5: a1=7 a2=7 b2=8", "address-dependent", 2 / 3],
    ["5: a1=7 a2=8 b1=9 b2=10", "address-and-port-dependent", 2 / 3],
    ["5: a1=7 a2=7 b1=8 b2=9", "address-and-port-dependent", 2 / 3],
    ["5: a1=7 a2=8 b1=7 b2=8", "address-and-port-dependent", 2 / 3],
    ["5: a1=7 a2=8", "address-and-port-dependent", 2 / 3],
    // Nobody was asked at two ports: it may be either one, and the stricter one is said.
    ["5: a1=7 b1=8", "address-and-port-dependent", 2 / 3],
    // Most sockets decide, and of as many the strictest.
    ["5: a1=7 b1=7; 6: a1=8 b1=8; 7: a1=9 a2=9 b1=4", "endpoint-independent", 3 / 5],
    ["5: a1=7 b1=7; 6: a1=9 a2=9 b1=4", "address-dependent", 1 / 2],
    ["5: a1=7; 6: a1=8 b1=8", "endpoint-independent", 2 / 3],
    ["5: a1=7", "unknown", 0],
    ["5: a1=7 a2=7", "unknown", 0],
    ["5: a1=7; 6: b1=8", "unknown", 0],
  ];
  for (const [text, expected, confidence] of cases) {
    const found = mappingKind(seen(text), () => false);
    assertEquals(found.value, expected, text);
    assertAlmostEquals(found.confidence, confidence, 1e-9, text);
    assertEquals(found.reason !== undefined, confidence === 0 || text === "5: a1=7 b1=8", text);
  }
  assertEquals(mappingKind([], () => false), {
    value: "unknown",
    confidence: 0,
    reason: undefined,
  });
});

Deno.test("mapping: none where the external address is the socket's own", () => {
  const own = mappingKind(seen("5: a1=5 b1=5; 6: a1=6"), isKept);
  assertEquals(own.value, "none");
  assertAlmostEquals(own.confidence, 3 / 4);
  const half = mappingKind(seen("5: a1=5 b1=5; 6: a1=7 b1=7"), isKept);
  assertEquals(half.value, "endpoint-independent");
  assertEquals(mappingKind(seen("5: a1=5 b1=9"), isKept).value, "address-and-port-dependent");
});

Deno.test("ports are preserved where most sockets have theirs outside", () => {
  assertEquals(preservesPorts([]), undefined);
  assertEquals(preservesPorts(seen("5: a1=5 b1=9; 6: a1=6; 7: a1=8")), true);
  assertEquals(preservesPorts(seen("5: a1=5; 6: a1=7")), false);
});

Deno.test("step: preserved, sequential or random", () => {
  const [free, byAddress, byPort] = [
    "endpoint-independent",
    "address-dependent",
    "address-and-port-dependent",
  ] as const;
  const cases: readonly (readonly [string, NatMapping, PortStep["kind"], number?])[] = [
    ["5: a1=5 b1=5; 900: a1=900; 77: a1=77", free, "preserved", 0],
    ["5: a1=1005; 900: a1=1900; 77: a1=1077", "none", "preserved", 1000],
    ["65000: a1=464; 900: a1=1900", free, "preserved", 1000],
    // One of three had its port taken by another host.
    ["5: a1=5; 900: a1=900; 77: a1=4000", free, "preserved", 0],
    ["5: a1=100; 900: a1=101; 77: a1=102", free, "sequential", 1],
    ["5: a1=100; 900: a1=98; 77: a1=96; 8: a1=94", free, "sequential", -2],
    ["5: a1=65535; 900: a1=1; 77: a1=3", free, "sequential", 2],
    // Others used the NAT: the step is what all of these are multiples of.
    ["5: a1=10; 9: a1=14; 7: a1=20; 8: a1=24", free, "sequential", 2],
    // And its range began anew.
    ["5: a1=10; 9: a1=12; 7: a1=14; 8: a1=18; 6: a1=20; 4: a1=1", "unknown", "sequential", 2],
    ["5: a1=4000; 900: a1=51; 77: a1=30000; 6: a1=777", free, "random"],
    ["5: a1=10; 9: a1=12; 7: a1=900; 8: a1=1", free, "random"],
    ["5: a1=10; 9: a1=15; 7: a1=11; 8: a1=14; 6: a1=9", "unknown", "random"],
    ["5: a1=5", "unknown", "unknown"],
    ["5: a1=10; 9: a1=12", free, "unknown"],
    // Where each place has its own, those of a socket count, and not the first one, kept here.
    ["5: a1=5 a2=100 b1=101 b2=102; 9: a1=9 a2=103 b1=104 b2=105", byPort, "sequential", 1],
    ["5: a1=5 a2=900 b1=3 b2=777; 9: a1=9 a2=44 b1=8000 b2=60000", byPort, "random"],
    // A mapping for each address: there is no other pair than that with the first one.
    ["5: a1=7 a2=7 b1=9; 6: a1=11 a2=11 b1=13", byAddress, "sequential", 2],
    ["5: a1=7 a2=7 b1=9", byAddress, "unknown"],
  ];
  for (const [text, mapping, kind, delta] of cases) {
    const { value, confidence } = portStep(seen(text), mapping);
    assertEquals(value, { kind, delta }, text);
    assertEquals(confidence > 0, kind !== "unknown", text);
  }
});

const tally = (rounds: number, controls: number, ...answers: number[]) => ({
  rounds,
  controls,
  answers,
});

Deno.test("silence means something after enough rounds of which enough were answered", () => {
  const cases = [
    [15, 15, false],
    [16, 16, true],
    [16, 10, true],
    [16, 8, false],
    [24, 12, true],
    [64, 16, true],
    [64, 8, false],
    [64, 0, false],
  ] as const;
  for (const [rounds, controls, expected] of cases) {
    assertEquals(isSilence(tally(rounds, controls, 0)), expected, `${controls} of ${rounds}`);
  }
  assertEquals(isSettled(tally(1, 1, 2), 0), false);
  assertEquals(isSettled(tally(1, 1, 3), 0), true);
  assertEquals(isSettled(tally(64, 64, 1), 0), false); // it is answered, and seldom
  assertEquals(isSettled(tally(16, 16, 3, 0), 1), true);
});

Deno.test("confidence: the rule of succession, and what loss leaves of it", () => {
  assertEquals(succession(0, 0), 0.5);
  assertEquals(succession(3, 3), 0.8);
  assertAlmostEquals(chanceOfLoss(tally(4, 4)), (1 / 6) ** 4);
  assertAlmostEquals(chanceOfLoss(tally(16, 10)), (7 / 18) ** 16);
  assertAlmostEquals(silenceConfidence(tally(3, 1)), 2 / 3 * (1 - (3 / 5) ** 3));
  const clear = silenceConfidence(tally(16, 16)), lossy = silenceConfidence(tally(16, 9));
  assert(clear > lossy && lossy > 0.9, `${clear}, ${lossy}`);
});

Deno.test("filtering: by what comes from elsewhere", () => {
  const answers = (both: number, port: number) => {
    const counts: number[] = [];
    counts[BOTH] = both;
    counts[PORT] = port;
    return counts;
  };
  const cases = [
    [tally(3, 3, ...answers(3, 3)), "endpoint-independent", 4 / 5],
    [tally(1, 0, ...answers(1, 0)), "endpoint-independent", 2 / 3],
    [tally(16, 16, ...answers(0, 3)), "address-dependent", 17 / 18],
    [tally(16, 16, ...answers(0, 0)), "address-and-port-dependent", 17 / 18],
    [tally(10, 10, ...answers(0, 9)), "unknown", 0],
    [tally(64, 4, ...answers(0, 0)), "unknown", 0],
  ] as const;
  for (const [given, value, confidence] of cases) {
    const found = filteringKind(given);
    assertEquals(found.value, value);
    assertAlmostEquals(found.confidence, confidence, 1e-6);
  }
  const { reason } = filteringKind(tally(64, 4, 0, 0));
  assertEquals(reason, "too much is lost: 4 of 64 plain requests were answered");
});

Deno.test("hairpin: where both sides hear each other", () => {
  const cases = [
    [tally(3, 3, 3, 4), true, 4 / 5],
    [tally(16, 16, 0, 0), false, 17 / 18],
    [tally(16, 16, 9, 0), false, 17 / 18],
    [tally(64, 4, 0, 0), undefined, 0],
  ] as const;
  for (const [given, value, confidence] of cases) {
    const found = hairpinKind(given);
    assertEquals(found.value, value);
    assertAlmostEquals(found.confidence, confidence, 1e-6);
  }
  assertMatch(hairpinKind(tally(16, 16, 9, 0)).reason ?? "", /one direction/);
});

Deno.test("lifetime: between the last that was there and the first that was not", () => {
  const look = (after: number, alive: boolean | undefined) => ({
    ...{ after, until: after + 1, alive, confidence: after / 100, reason: "lost" },
  });
  const cases: readonly (readonly [(boolean | undefined)[], number, number | undefined, number])[] =
    [
      [[true, true, false, false], 20, 31, 0.2],
      [[true, true, true], 30, undefined, 0.3],
      [[false, false], 0, 11, 0.1],
      [[true, undefined, false], 10, 31, 0.1],
      // What was there later had not gone before.
      [[true, false, true, false], 30, 41, 0.3],
      [[false, true], 20, undefined, 0.2],
    ];
  for (const [alive, atLeast, atMost, confidence] of cases) {
    const looks = alive.map((one, i) => look(10 * (i + 1), one)).toReversed();
    const found = lifetimeOf(looks);
    assertEquals(found, { value: { atLeast, atMost }, confidence });
  }
  assertEquals(lifetimeOf([look(10, undefined)]), {
    ...{ value: undefined, confidence: 0, reason: "lost" },
  });
});

Deno.test("the names of RFC 3489", () => {
  const mapped = { transport: "udp", hostname: "192.0.2.1", port: 1 } as const;
  const free = "endpoint-independent", address = "address-dependent";
  const port = "address-and-port-dependent";
  const cases: readonly (readonly [NatMapping, NatFiltering, ClassicNatName])[] = [
    ["none", free, "open Internet"],
    ["none", address, "symmetric UDP firewall"],
    ["none", port, "symmetric UDP firewall"],
    ["none", "unknown", "unknown"],
    [free, free, "full cone NAT"],
    [free, address, "restricted cone NAT"],
    [free, port, "port restricted cone NAT"],
    [free, "unknown", "unknown"],
    [address, free, "symmetric NAT"],
    [port, "unknown", "symmetric NAT"],
    ["unknown", free, "unknown"],
  ];
  for (const [mapping, filtering, name] of cases) {
    assertEquals(classicName({ mapping, filtering, mapped }), name);
  }
  const nobody = { mapping: "unknown", filtering: "unknown", mapped: undefined } as const;
  assertEquals(classicName(nobody), "blocked");
});
