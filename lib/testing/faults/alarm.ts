/** Longer than this no timer holds. */
const MAX_DELAY = 2 ** 31 - 1;

/** Somebody who waits for a time, or for something to happen, whichever comes first. */
export class Alarm {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wake: (() => void) | undefined;

  /** Resolves at that time of `performance.now()` or earlier, and when rung. One at a time. */
  wait(until = Infinity): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (until === Infinity) return;
      const ms = Math.min(Math.max(0, Math.ceil(until - performance.now())), MAX_DELAY);
      this.#timer = setTimeout(() => this.ring(), ms);
    });
  }

  /** Lets whoever waits look again. */
  ring(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
