/**
 * Requests in rounds: a control, which must be answered, and with it those that may be, so that what
 * happens to all of them can be told from what happens to some.
 *
 * @module
 */
import type { Tally } from "./evidence.ts";
import { MOST_ROUNDS } from "./evidence.ts";

/** Milliseconds from one round to the next. */
const PACE = 50;

/** Sends one request and tells whether it was answered. */
export type Try = (signal: AbortSignal) => Promise<boolean>;

/** What is tried. */
export interface RoundsOptions {
  readonly control: Try;
  readonly others: readonly Try[];
  /** Whether enough is known. */
  readonly isEnough: (tally: Tally) => boolean;
  readonly signal: AbortSignal;
}

/**
 * Goes from round to round until enough is known, or more would be of no use.
 *
 * @returns What was answered, of the rounds that were over by then.
 */
export async function inRounds(options: RoundsOptions): Promise<Tally> {
  const { control, others, isEnough, signal } = options;
  const tally = { rounds: 0, controls: 0, answers: others.map(() => 0) };
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const over = new AbortController();
  const all = AbortSignal.any([signal, over.signal]);
  let begun = 0;
  const look = () => {
    if (isEnough(tally) || tally.rounds === MOST_ROUNDS) resolve();
  };
  const round = () => {
    if (++begun >= MOST_ROUNDS) clearInterval(timer);
    const tries = others.map(async (other, i) => {
      if (!await other(all)) return;
      tally.answers[i] = (tally.answers[i] ?? 0) + 1;
      look();
    });
    // A control counts with its round, or its answers would come before the silence they stand for.
    Promise.all([control(all), ...tries]).then(([answered]) => {
      tally.rounds++;
      if (answered) tally.controls++;
      look();
    }).catch(reject);
  };
  const timer = setInterval(round, PACE);
  try {
    round();
    await promise;
    return { ...tally, answers: [...tally.answers] };
  } finally {
    clearInterval(timer);
    over.abort();
  }
}
