import { delay } from "@std/async/delay";
import type { NetAddr } from "../../pipe/types.ts";
import { ATTRIBUTES } from "../attributes.ts";
import { StunMessage } from "../message.ts";
import { isSilence, silenceConfidence, succession } from "./evidence.ts";
import { type Finding, tooMuchLost } from "./filtering_kind.ts";
import { arrives } from "./hairpin.ts";
import { Probe, type ProbeContext } from "./probe.ts";
import { inRounds } from "./rounds.ts";
import { together } from "./together.ts";
import type { BindingLifetime } from "./types.ts";

/** Where a search for the lifetime ends. */
export interface LifetimeOptions {
  /** Milliseconds up to which it is searched; the search takes that long. 1000 at least. */
  readonly max: number;
  /** How many times are looked at, evenly up to `max`; each takes a socket. 1 to 64. @default {12} */
  readonly steps?: number | undefined;
}

/** What is known of one mapping: whether it was there still, after so long. */
export interface Look {
  readonly after: number;
  /** When the look was over. */
  readonly until: number;
  /** Undefined where too much was lost to tell. */
  readonly alive: boolean | undefined;
  readonly confidence: number;
  readonly reason?: string | undefined;
}

/**
 * Between which times mappings end: after the last look that found one, before the first that found none
 * and was later. Pure.
 */
export function lifetimeOf(looks: readonly Look[]): Finding<BindingLifetime | undefined> {
  const sorted = looks.toSorted((a, b) => a.after - b.after);
  const known = sorted.filter(({ alive }) => alive !== undefined);
  if (known.length === 0) {
    const reason = sorted[0]?.reason ?? "no mapping was looked at";
    return { value: undefined, confidence: 0, reason };
  }
  const last = known.findLast(({ alive }) => alive);
  const end = known.find(({ alive, after }) => alive === false && after > (last?.after ?? 0));
  const ends = [last, end].filter((look) => look !== undefined);
  return {
    value: { atLeast: last?.after ?? 0, atMost: end?.until },
    confidence: Math.min(...ends.map(({ confidence }) => confidence)),
  };
}

/**
 * Makes as many mappings as there are times to look at, lets each rest for its time, and has the server
 * send to it on behalf of another socket (RESPONSE-PORT; RFC 5780, section 4.6).
 *
 * @param tell Told how much of it is done, 0 to 1.
 */
export async function testLifetime(
  server: NetAddr,
  context: ProbeContext,
  { max, steps = 12 }: LifetimeOptions,
  tell: (share: number) => void,
): Promise<Finding<BindingLifetime | undefined>> {
  await using asker = await Probe.open(context);
  const { mapped: { hostname } } = await asker.ask(server);
  const lookAt = async (after: number, signal: AbortSignal): Promise<Look> => {
    await using probe = await Probe.open(context);
    const { mapped } = await probe.ask(server, signal);
    const start = performance.now();
    if (mapped.hostname !== hostname) {
      const reason = "the NAT gives different external addresses to different sockets";
      return { after, until: after, alive: undefined, confidence: 0, reason };
    }
    await delay(after, { signal });
    const tally = await inRounds({
      control: async (signal) => await asker.once(server, undefined, signal) !== undefined,
      others: [(signal) => {
        const request = new StunMessage({ class: "request" })
          .with(ATTRIBUTES.responsePort, mapped.port);
        const send = (message: StunMessage) => asker.pipe.send(message.encode(), server);
        return arrives(send, probe, context.patience, signal, request);
      }],
      isEnough: (tally) => (tally.answers[0] ?? 0) > 0 || isSilence(tally),
      signal,
    });
    const until = Math.ceil(performance.now() - start), [answers = 0] = tally.answers;
    if (answers > 0) return { after, until, alive: true, confidence: succession(answers, answers) };
    if (isSilence(tally)) {
      return { after, until, alive: false, confidence: silenceConfidence(tally) };
    }
    return { after, until, alive: undefined, confidence: 0, reason: tooMuchLost(tally) };
  };
  const { alive, reason } = await lookAt(0, context.signal);
  if (alive !== true) {
    const why = reason ?? "the server does not answer RESPONSE-PORT";
    return { value: undefined, confidence: 0, reason: why };
  }
  const times = Array.from({ length: steps }, (_, i) => Math.round((max * (i + 1)) / steps));
  let done = 0;
  const looks = times.map((after) => async (signal: AbortSignal) => {
    const look = await lookAt(after, signal);
    tell(++done / steps);
    return look;
  });
  return lifetimeOf(await together(context.signal, looks));
}
