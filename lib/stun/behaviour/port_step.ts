/**
 * From external ports to the rule that they follow. Pure.
 *
 * @module
 */
import { succession } from "./evidence.ts";
import type { Finding } from "./filtering_kind.ts";
import { firstOfEach } from "./mapping_kind.ts";
import type { MappingObservation, NatMapping, PortStep } from "./types.ts";

/** Two ports in a row are further apart than this only if the NAT jumps, or is very busy. */
const FARTHEST = 64;
/** A rule needs two thirds of the pairs: others use the NAT too, and its range has an end. */
const SHARE = 2 / 3;

/** From one port to another, the shorter way round. */
function distance(from: number, to: number): number {
  const ahead = (to - from) & 0xffff;
  return ahead > 0x7fff ? ahead - 0x10000 : ahead;
}

/** The most frequent number, of as many the smallest, and how often it is there. */
function mode(numbers: readonly number[]): [value: number, count: number] {
  const groups = [...Map.groupBy(numbers, (number) => number).entries()]
    .map(([value, all]) => [value, all.length] as const)
    .toSorted(([a, n], [b, m]) => m - n || Math.abs(a) - Math.abs(b));
  const [value = 0, count = 0] = groups[0] ?? [];
  return [value, count];
}

/** The greatest common divisor of numbers with the same sign, with that sign. */
function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/**
 * The steps between new mappings in a row. Where each destination has its own mapping: between those of
 * each socket, if possible without the first one, for which some NATs keep the local port.
 */
function pairsOf(observations: readonly MappingObservation[], perDestination: boolean): number[] {
  const rows = perDestination
    ? [...Map.groupBy(observations, ({ socket }) => socket).values()]
    : [firstOfEach(observations)];
  return rows.flatMap((row) => {
    const all = [...new Set(row.map(({ mapped }) => mapped.port))];
    const ports = perDestination && all.length > 2 ? all.slice(1) : all;
    return ports.slice(1).map((port, i) => distance(ports[i] ?? port, port));
  });
}

/** Whether, and how, the next external port can be told. */
export function portStep(
  observations: readonly MappingObservation[],
  mapping: NatMapping,
): Finding<PortStep> {
  const perDestination = mapping === "address-dependent" ||
    mapping === "address-and-port-dependent";
  const firsts = firstOfEach(observations);
  if (!perDestination && firsts.length > 1) {
    const [delta, count] = mode(firsts.map((one) => distance(one.localPort, one.mapped.port)));
    if (count > 1 && count >= SHARE * firsts.length) {
      const confidence = succession(count, firsts.length);
      return { value: { kind: "preserved", delta }, confidence };
    }
  }
  const deltas = pairsOf(observations, perDestination);
  if (deltas.length < 2) {
    const reason = `${deltas.length + 1} mappings are too few to tell`;
    return { value: { kind: "unknown", delta: undefined }, confidence: 0, reason };
  }
  const near = (sign: number) =>
    deltas.filter((delta) => delta * sign > 0 && delta * sign <= FARTHEST);
  const [up, down] = [near(1), near(-1)];
  const steps = up.length >= down.length ? up : down;
  if (steps.length >= SHARE * deltas.length) {
    // Others may have had ports in between: the step is what all of these are multiples of.
    const delta = steps.reduce(gcd);
    const confidence = succession(steps.length, deltas.length);
    return { value: { kind: "sequential", delta }, confidence };
  }
  const confidence = succession(deltas.length - steps.length, deltas.length);
  return { value: { kind: "random", delta: undefined }, confidence };
}
