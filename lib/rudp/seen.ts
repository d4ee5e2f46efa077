/** Numbers to a block: those that follow each other share one. */
const BLOCK = 32n;

/** Blocks to a generation, so that at least as many numbers are remembered, in whatever order. */
const MOST = 1024;

/** Milliseconds after which a generation is over. No sender repeats a message for longer than 60 s. */
const SPAN = 90_000;

/**
 * The numbers of the messages that were taken from one peer, the last 1024 at least; 32 times as many
 * where they follow each other. None is remembered for longer than 3 minutes, so that a peer that was
 * started again and counts from the same number is heard in the end.
 */
export class SeenNumbers {
  /** Each block with a bit for each of its numbers. */
  #young = new Map<bigint, number>();
  #old: Map<bigint, number> | undefined;
  #since: number;

  /** @param now The time, in milliseconds. */
  constructor(now: number) {
    this.#since = now;
  }

  /** Blocks that are held. */
  get size(): number {
    return this.#young.size + (this.#old?.size ?? 0);
  }

  /** Whether a number is remembered. */
  has(number: bigint, now: number): boolean {
    const block = number / BLOCK, bit = 1 << Number(number % BLOCK);
    const age = now - this.#since;
    const young = age < 2 * SPAN ? this.#young.get(block) : undefined;
    const old = age < SPAN ? this.#old?.get(block) : undefined;
    return (((young ?? 0) | (old ?? 0)) & bit) !== 0;
  }

  /** Remembers a number. */
  add(number: bigint, now: number): void {
    this.#age(now);
    const block = number / BLOCK, bit = 1 << Number(number % BLOCK);
    const bits = this.#young.get(block);
    if (bits === undefined && this.#young.size >= MOST) this.#turn(now);
    this.#young.set(block, (bits ?? 0) | bit);
  }

  #age(now: number): void {
    if (now - this.#since < SPAN) return;
    if (now - this.#since >= 2 * SPAN) this.#young.clear();
    this.#turn(now);
  }

  #turn(now: number): void {
    this.#old = this.#young.size > 0 ? this.#young : undefined;
    this.#young = new Map();
    this.#since = now;
  }
}
