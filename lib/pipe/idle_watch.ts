/** A quarter of the time is the precision: the hot path only counts, and looks at no clock. */
const SLICES = 4;

/** setTimeout holds no more than 31 bits. */
const MOST = 0x7fffffff;

/** Calls back once when nothing has happened for a while. */
export class IdleWatch {
  readonly #activity: () => number;
  readonly #onIdle: () => void;
  readonly #timer: ReturnType<typeof setInterval>;
  #before: number;
  #quiet = 0;

  /**
   * @param ms The while, in milliseconds; it is noticed up to a quarter later.
   * @param activity A number that changes with everything that happens.
   * @param onIdle What to call.
   */
  constructor(ms: number, activity: () => number, onIdle: () => void) {
    this.#activity = activity;
    this.#onIdle = onIdle;
    this.#before = activity();
    this.#timer = setInterval(() => this.#look(), Math.min(ms / SLICES, MOST));
  }

  /** Ends the watch. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = this.#activity();
    this.#quiet = now === this.#before ? this.#quiet + 1 : 0;
    this.#before = now;
    if (this.#quiet < SLICES) return;
    this.stop();
    this.#onIdle();
  }
}
