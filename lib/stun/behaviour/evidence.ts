/**
 * How much an observation is worth. Pure.
 *
 * @module
 */

/** Rounds of requests that were sent once each: one that must be answered, others that may be. */
export interface Tally {
  /** Rounds of which all is known: answered, or waited for in vain. */
  readonly rounds: number;
  /** Answers to the control request. */
  readonly controls: number;
  /** Answers to each of the others. */
  readonly answers: readonly number[];
}

/**
 * Silence is believed after so many rounds at the least. Where a fifth of all packets is lost in each
 * direction, 16 requests of which each would be answered all go unanswered once in 12 million times.
 */
export const LEAST_ROUNDS = 16;
/** More rounds than this tell no more: most of what is sent is lost. */
export const MOST_ROUNDS = 64;
/** An answer is proof; a few of them are a habit. */
export const ENOUGH_ANSWERS = 3;
/** Silence is believed if loss alone explains it with no more than this chance. */
const MOST_DOUBT = 1e-6;

/**
 * The chance that requests went unanswered by loss alone, given how many controls, sent at the same
 * moments, did: their share, by the rule of succession, to the power of the rounds.
 */
export function chanceOfLoss({ rounds, controls }: Tally): number {
  return ((rounds - controls + 1) / (rounds + 2)) ** rounds;
}

/** Whether a silence has lasted long enough to mean something. */
export function isSilence(tally: Tally): boolean {
  return tally.rounds >= LEAST_ROUNDS && chanceOfLoss(tally) <= MOST_DOUBT;
}

/** Whether no further round can change what is known about one of the requests. */
export function isSettled(tally: Tally, at: number): boolean {
  const answers = tally.answers[at] ?? 0;
  return answers >= ENOUGH_ANSWERS || (answers === 0 && isSilence(tally));
}

/** The chance that one more look shows the same (Laplace's rule of succession). */
export function succession(agreeing: number, all: number): number {
  return (agreeing + 1) / (all + 2);
}

/** How much the silence of a request is worth. */
export function silenceConfidence(tally: Tally): number {
  return succession(tally.controls, tally.controls) * (1 - chanceOfLoss(tally));
}
