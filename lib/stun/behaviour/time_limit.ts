/** A time after which what is under way stops, without being a failure. */
export class TimeLimit implements Disposable {
  /** Milliseconds. */
  readonly ms: number;
  /** Aborted when the time is over, or the caller gave up. */
  readonly signal: AbortSignal;
  readonly #over = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;

  /** @param given Aborted when the caller gives up. */
  constructor(ms: number, given: AbortSignal) {
    this.ms = ms;
    this.signal = AbortSignal.any([given, this.#over.signal]);
    this.#timer = setTimeout(() => this.#over.abort(), Math.min(ms, 0x7fffffff));
  }

  /** Whether the time is over. */
  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
