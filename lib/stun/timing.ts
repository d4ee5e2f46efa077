import { checkCount, checkMs, count } from "../pipe/checks.ts";

/** When a request is sent again and when it is given up (RFC 8489, section 6.2). Milliseconds. */
export interface StunTiming {
  /** Before the second sending over UDP; each wait is twice the one before (RTO). */
  readonly rto: number;
  /** How often it is sent over UDP (Rc). */
  readonly rc: number;
  /** How many times `rto` the answer to the last one may take (Rm). */
  readonly rm: number;
  /** How long an answer may take over TCP and TLS, where nothing is sent again (Ti). */
  readonly ti: number;
}

/**
 * The times of RFC 8489, sections 6.2.1 and 6.2.2: over UDP 7 tries in 39.5 seconds, over TCP 39.5
 * seconds. The default everywhere.
 *
 * @example
 * ```ts
 * import { RFC8489_TIMING } from "@p2pd/pipes/stun";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(RFC8489_TIMING, { rto: 500, rc: 7, rm: 16, ti: 39_500 });
 * ```
 */
export const RFC8489_TIMING: StunTiming = Object.freeze({ rto: 500, rc: 7, rm: 16, ti: 39_500 });

/**
 * For those who cannot wait: over UDP at 0, 0.25, 0.75 and 1.75 seconds, given up after 2.75.
 *
 * @example
 * ```ts
 * import { getMapping, SHORT_TIMING } from "@p2pd/pipes/stun";
 * import { serveStun } from "@p2pd/pipes/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await serveStun({ drop: 2 });
 * await getMapping({ server: server.addr, timing: SHORT_TIMING });
 * assertEquals(server.requests, 3);
 * ```
 */
export const SHORT_TIMING: StunTiming = Object.freeze({ rto: 250, rc: 4, rm: 4, ti: 2750 });

/** Checks times. */
export function checkTiming(timing: StunTiming): void {
  checkMs(timing.rto, "timing.rto");
  count(1)(timing.rc, "timing.rc");
  checkCount(timing.rm, "timing.rm");
  checkMs(timing.ti, "timing.ti");
}
