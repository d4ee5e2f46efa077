import type { NetAddr } from "../../pipe/types.ts";
import { StunMessage } from "../message.ts";
import { isSettled, isSilence, silenceConfidence, succession, type Tally } from "./evidence.ts";
import { type Finding, tooMuchLost } from "./filtering_kind.ts";
import { waitPatiently } from "./patience.ts";
import type { Probe, ProbeContext } from "./probe.ts";
import { inRounds, type Try } from "./rounds.ts";

/** A socket and its external address. */
export interface Side {
  readonly probe: Probe;
  readonly mapped: NetAddr;
}

/** Sends an indication, which nobody answers, and tells whether the other side gets it. */
export async function arrives(
  send: (message: StunMessage) => Promise<unknown>,
  at: Probe,
  ms: number,
  signal: AbortSignal,
  message = new StunMessage({ class: "indication" }),
): Promise<boolean> {
  if (signal.aborted) return false;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  using _ = at.pipe.subscribe({ match: message.transactionId }, () => resolve(true));
  const giveUp = () => resolve(false);
  const stop = waitPatiently(ms, giveUp);
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    // What cannot be sent does not arrive: a router may say that there is no way.
    send(message).catch(giveUp);
    return await promise;
  } finally {
    stop();
    signal.removeEventListener("abort", giveUp);
  }
}

/** What came of what each side sent to the other. Pure. */
export function hairpinKind(tally: Tally): Finding<boolean | undefined> {
  const least = Math.min(...tally.answers), most = Math.max(...tally.answers);
  if (least > 0) return { value: true, confidence: succession(least, least) };
  if (!isSilence(tally)) return { value: undefined, confidence: 0, reason: tooMuchLost(tally) };
  const reason = most > 0 ? "packets come through in one direction only" : undefined;
  return { value: false, confidence: silenceConfidence(tally), reason };
}

/**
 * Whether two sockets reach each other by their external addresses (RFC 5780, section 4.5). Both send, as
 * two programs behind the NAT would, so that a filter does not look like a missing hairpin.
 */
export async function testHairpin(
  one: Side,
  two: Side,
  server: NetAddr,
  context: ProbeContext,
  signal: AbortSignal,
): Promise<Finding<boolean | undefined>> {
  const send = (from: Side, to: Side): Try => (signal) =>
    arrives(
      (message) => from.probe.pipe.send(message.encode(), to.mapped),
      to.probe,
      context.patience,
      signal,
    );
  const tally = await inRounds({
    control: async (signal) => await one.probe.once(server, undefined, signal) !== undefined,
    others: [send(one, two), send(two, one)],
    isEnough: (tally) => isSettled(tally, 0) && isSettled(tally, 1),
    signal,
  });
  return hairpinKind(tally);
}
