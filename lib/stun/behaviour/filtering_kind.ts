import { isSilence, silenceConfidence, succession, type Tally } from "./evidence.ts";
import type { NatFiltering } from "./types.ts";

/** What is known about one aspect. */
export interface Finding<T> {
  /** What it is. */
  readonly value: T;
  /** The chance that one more look shows the same; 0 for what is unknown. */
  readonly confidence: number;
  /** Why it is unknown, or less than it could be. */
  readonly reason?: string | undefined;
}

/** The positions of the two requests in the tally. */
export const BOTH = 0, PORT = 1;

/**
 * What comes in (RFC 5780, section 4.4), by what came of requests to answer from the other address and
 * port, and from the other port alone. Pure.
 */
export function filteringKind(tally: Tally): Finding<NatFiltering> {
  const { [BOTH]: both = 0, [PORT]: port = 0 } = tally.answers;
  if (both > 0) {
    return { value: "endpoint-independent", confidence: succession(both, both) };
  }
  if (!isSilence(tally)) return { value: "unknown", confidence: 0, reason: tooMuchLost(tally) };
  const value = port > 0 ? "address-dependent" : "address-and-port-dependent";
  return { value, confidence: silenceConfidence(tally) };
}

/** Why silence means nothing. */
export function tooMuchLost({ controls, rounds }: Tally): string {
  return `too much is lost: ${controls} of ${rounds} plain requests were answered`;
}
