/**
 * From external addresses to the way in which a NAT chooses them (RFC 5780, section 4.3). Pure.
 *
 * @module
 */
import { addrKey } from "../../net/address.ts";
import { succession } from "./evidence.ts";
import type { Finding } from "./filtering_kind.ts";
import type { MappingObservation, NatDependence, NatMapping } from "./types.ts";

/** From the freest to the strictest. */
const STRICTER: readonly NatDependence[] = [
  "endpoint-independent",
  "address-dependent",
  "address-and-port-dependent",
];

/** What one socket's mappings say, and what they leave open. */
interface Vote {
  readonly value: NatDependence | "unknown";
  readonly reason?: string;
}

function mappedKey({ mapped }: MappingObservation): string {
  return addrKey(mapped.hostname, mapped.port);
}

/** Whether all of them have the same external address and port. */
function isOne(observations: readonly MappingObservation[]): boolean {
  return new Set(observations.map(mappedKey)).size <= 1;
}

/** What the mappings of one socket say. */
function voteOf(observations: readonly MappingObservation[]): Vote {
  const hosts = [...Map.groupBy(observations, ({ server }) => server.hostname).values()];
  const ports = hosts.filter((host) => new Set(host.map(({ server }) => server.port)).size > 1);
  if (isOne(observations)) {
    if (hosts.length > 1) return { value: "endpoint-independent" };
    const reason = "a second address to ask is needed: another server, or one with OTHER-ADDRESS";
    return { value: "unknown", reason };
  }
  if (!ports.every(isOne)) return { value: "address-and-port-dependent" };
  if (ports.length > 0) return { value: "address-dependent" };
  const reason = "at least address-dependent; no server was asked at two ports";
  return { value: "address-and-port-dependent", reason };
}

/**
 * How external addresses are chosen, as most sockets show it; of as many, the strictest.
 *
 * @param observations What was seen.
 * @param isOurs Whether the external address is the socket's own: then there is no NAT.
 */
export function mappingKind(
  observations: readonly MappingObservation[],
  isOurs: (observation: MappingObservation) => boolean,
): Finding<NatMapping> {
  const sockets = [...Map.groupBy(observations, ({ socket }) => socket).values()];
  const own = sockets.filter((socket) => socket.every(isOurs)).length;
  if (own > sockets.length / 2) {
    return { value: "none", confidence: succession(own, sockets.length) };
  }
  const votes = sockets.map(voteOf);
  const decided = votes.filter(({ value }) => value !== "unknown");
  const counts = STRICTER.map((value) => decided.filter((vote) => vote.value === value));
  const most = counts.toReversed().toSorted((a, b) => b.length - a.length)[0] ?? [];
  const [first] = most;
  if (first === undefined) {
    return { value: "unknown", confidence: 0, reason: votes[0]?.reason };
  }
  const confidence = succession(most.length, decided.length);
  return { value: first.value, confidence, reason: first.reason };
}

/** Whether most sockets have their local port outside, too; undefined if none was seen. */
export function preservesPorts(observations: readonly MappingObservation[]): boolean | undefined {
  const firsts = firstOfEach(observations);
  if (firsts.length === 0) return undefined;
  return firsts.filter(({ localPort, mapped }) => localPort === mapped.port).length >
    firsts.length / 2;
}

/** The first mapping of each socket, in order. */
export function firstOfEach(observations: readonly MappingObservation[]): MappingObservation[] {
  return [...Map.groupBy(observations, ({ socket }) => socket).values()]
    .flatMap(([first]) => first ?? []);
}
