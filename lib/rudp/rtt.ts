/** Until there is a measurement (RFC 6298 section 2.1). */
const INITIAL = 1000;

/**
 * RFC 6298 section 2.4 rounds up to a second, for peers that acknowledge late. These acknowledge at
 * once, so it is what RFC 8961 asks for: no more than a margin over what was measured.
 */
const LEAST = 100;

/** RFC 6298 section 2.5. */
const MOST = 60_000;

/** The G of RFC 6298: how coarse the timer is, in milliseconds. */
export const TICK = 10;

/** How long to wait for an acknowledgement before sending again (RFC 6298). Times are milliseconds. */
export class RttEstimator {
  #smoothed: number | undefined;
  #variation = 0;
  #last = 0;
  #least = Infinity;
  #doublings = 0;

  /** The wait. */
  get timeout(): number {
    const once = this.#smoothed === undefined
      ? INITIAL
      : Math.max(LEAST, this.#smoothed + Math.max(TICK, 4 * this.#variation));
    return Math.min(MOST, once * 2 ** this.#doublings);
  }

  /**
   * How long to wait for an acknowledgement that a later one has overtaken: a quarter of a round trip
   * more than one (RFC 8985 section 6.2).
   */
  get overtaken(): number {
    return this.#smoothed === undefined ? INITIAL : 1.25 * Math.max(this.#smoothed, this.#last);
  }

  /** The shortest round trip measured; Infinity if there is none. */
  get least(): number {
    return this.#least;
  }

  /** Whether the wait is longer than measured, because it was over once or more. */
  get backedOff(): boolean {
    return this.#doublings > 0;
  }

  /** Takes in the round trip of a message that was sent once only (Karn's rule, section 3). */
  sample(ms: number): void {
    this.#last = ms;
    this.#least = Math.min(this.#least, ms);
    if (this.#smoothed === undefined) {
      this.#smoothed = ms;
      this.#variation = ms / 2;
    } else {
      this.#variation += (Math.abs(this.#smoothed - ms) - this.#variation) / 4;
      this.#smoothed += (ms - this.#smoothed) / 8;
    }
    this.#doublings = 0;
  }

  /** The wait was over: the next is twice as long, until there is a new sample (section 5.5). */
  backOff(): void {
    this.#doublings++;
  }
}
