import { deadline } from "@std/async/deadline";
import { datagramClosing } from "./datagram_closing.ts";
import { datagramData } from "./datagram_data.ts";
import { streamClosing } from "./stream_closing.ts";
import { streamData } from "./stream_data.ts";
import { streamEnds } from "./stream_ends.ts";
import { streamOpening } from "./stream_opening.ts";
import type { DatagramSubject, Obligation, StreamSubject } from "./subject.ts";
import { turns } from "./turns.ts";

/** One promise of a transport, to be tried. */
export interface ComplianceCase {
  /** What is promised. */
  readonly name: string;
  /** Tries it; rejects if the promise is broken, or after 10 s. */
  readonly run: () => Promise<void>;
}

/** Longer than any check takes, shorter than a patient human. */
const LIMIT = 10_000;

/**
 * Everything that a transport owes to pipes, as tests for whatever runs yours. What a case opens it
 * closes, so that leaks it shows are the transport's.
 *
 * @param subject The driver, and what it can do.
 * @returns The cases that apply to it, independent of each other. They need the permissions that the
 * driver needs.
 *
 * @example A driver of your own: here that of a network in memory
 * ```ts
 * import { type Driver, memoryNetwork, transportCompliance } from "@p2pd/pipes/testing";
 *
 * const driver: Driver = memoryNetwork().datagrams;
 * for (const { run } of transportCompliance({ kind: "datagram", driver, host: "127.0.0.1" })) {
 *   await run(); // or Deno.test(name, run)
 * }
 * ```
 */
export function transportCompliance(
  subject: StreamSubject | DatagramSubject,
): readonly ComplianceCase[] {
  return subject.kind === "datagram"
    ? casesOf(subject, [...datagramData, ...datagramClosing])
    : casesOf(subject, [...streamOpening, ...streamData, ...streamEnds, ...streamClosing]);
}

function casesOf<S>(subject: S, obligations: readonly Obligation<S>[]): readonly ComplianceCase[] {
  return obligations
    .filter(({ applies }) => applies?.(subject) !== false)
    .map(({ name, check }) => ({ name, run: () => tryOut(() => check(subject)) }));
}

/**
 * Runs a check. When it fails half way, calls that it has made fail too, and nobody waits for them any
 * more: that is no second failure, and no reason to end whatever runs the case.
 */
async function tryOut(check: () => Promise<void>): Promise<void> {
  const left: unknown[] = [];
  const onLeft = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    left.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", onLeft);
  try {
    await deadline(check(), LIMIT);
  } catch (error) {
    await turns(2);
    throw error;
  } finally {
    globalThis.removeEventListener("unhandledrejection", onLeft);
  }
  if (left.length > 0) throw left[0];
}
