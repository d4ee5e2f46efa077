/** What may be received in memory, over all transports, before timers and sockets have their turn again. */
const MOST = 1000;

let received = 0;

/**
 * The pauses of a transport that receives without the system: two that answer each other for ever would
 * let nothing else happen in the process, no timer and no signal, since neither ever waits for the system.
 */
export class Breath {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #resume: (() => void) | undefined;

  /** Something was received: what to wait for before it is handed on, now and then; else undefined. */
  take(): Promise<void> | undefined {
    if (++received < MOST) return undefined;
    received = 0;
    return new Promise((resolve) => {
      this.#resume = resolve;
      this.#timer = setTimeout(resolve, 0);
    });
  }

  /** Ends a pause: the transport is closed. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#resume?.();
  }
}
