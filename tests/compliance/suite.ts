import { deadline } from "@std/async";
import { datagramClosing } from "./datagram_closing.ts";
import { datagramData } from "./datagram_data.ts";
import { streamClosing } from "./stream_closing.ts";
import { streamData } from "./stream_data.ts";
import { streamEnds } from "./stream_ends.ts";
import { streamOpening } from "./stream_opening.ts";
import type { DatagramSubject, Obligation, StreamSubject } from "./subject.ts";

/** Longer than any check takes, shorter than a patient human. */
const LIMIT = 10_000;

/**
 * Registers a test for every obligation of the seam. Leak sanitizers are on: what a check opened and an
 * adapter did not close fails it.
 *
 * @param name Of the adapter, for the tests' names.
 * @param subject The adapter.
 * @param ignore Whether this machine or process cannot run it; shown as ignored.
 */
export function complianceSuite(
  name: string,
  subject: StreamSubject | DatagramSubject,
  ignore = false,
): void {
  if (subject.kind === "datagram") {
    register(name, subject, [...datagramData, ...datagramClosing], ignore);
  } else {
    const all = [...streamOpening, ...streamData, ...streamEnds, ...streamClosing];
    register(name, subject, all, ignore);
  }
}

function register<S>(
  name: string,
  subject: S,
  obligations: readonly Obligation<S>[],
  ignore: boolean,
): void {
  for (const obligation of obligations) {
    if (obligation.applies?.(subject) === false) continue;
    Deno.test({
      name: `${name}: ${obligation.name}`,
      ignore,
      sanitizeOps: true,
      sanitizeResources: true,
      fn: () => deadline(obligation.check(subject), LIMIT),
    });
  }
}
