import { type Control, Say } from "./control.ts";

/** More than this takes its time. */
const LITTLE = 64 * 1024;

/**
 * How long a peer may take that does not say when it has everything: to end its side, since the last byte
 * was sent, and after that, as its end may have crossed ours. Milliseconds, where little was sent and
 * where it was more.
 */
const PATIENCE = [500, 10_000] as const, CROSSING = [20, 500] as const;

/** How long one may take that does say it, likewise: no peer is to hold up a close for ever. */
const TRUST = [10_000, 120_000] as const;

/** Finds out whether what was sent on a connection has arrived, and tells the peer the same. */
export class Arrival {
  readonly #control: Control | undefined;
  #sent = 0;
  #lastSent = 0;
  /** Outputs that have ended here, and inputs that are done with. */
  #outputs = 0n;
  #inputs = 0n;
  /** Inputs that go on. */
  #open = 0;
  /** How many inputs the peer waits for. */
  #asked: bigint | undefined;
  #isComplete = false;
  readonly #answered = Promise.withResolvers<void>();
  #onInput = () => {};

  /** @param control Where the peer tells and is told, if it does. */
  constructor(control: Control | undefined) {
    this.#control = control;
  }

  /** Whether the peer waits for everything it sent to be read. */
  get asked(): boolean {
    return this.#asked !== undefined;
  }

  /** Something is being sent. */
  sending(size: number): void {
    this.#sent += size;
    this.#lastSent = performance.now();
  }

  /** A stream has ended its output, so that the peer can see it. */
  outputEnded(): void {
    this.#outputs++;
  }

  /** A stream begins. */
  inputBegun(): void {
    this.#open++;
  }

  /** A stream has all of its input, or wants no more. */
  inputEnded(): void {
    this.#open--;
    this.#inputs++;
    this.#answer();
    this.#onInput();
  }

  /** The peer has ended so many outputs, and waits for them to be read. */
  ask(outputs: bigint): void {
    this.#asked = outputs;
    this.#answer();
  }

  /** The peer has read so many inputs to their end. */
  done(inputs: bigint): void {
    if (inputs !== this.#outputs) return;
    this.#isComplete = true;
    this.#answered.resolve();
  }

  /**
   * Waits until the peer has all that was sent, as far as can be known.
   *
   * @param over Ends the wait.
   * @returns False if the peer is known not to have all.
   */
  async wait(over: Promise<void>): Promise<boolean> {
    if (this.#sent === 0) return true;
    const much = this.#sent > LITTLE ? 1 : 0;
    if (this.#control !== undefined) {
      this.#control.say(Say.finish, this.#outputs);
      await first(TRUST[much], this.#answered.promise, over);
      return this.#isComplete;
    }
    // Most peers end their side when they have read to the end of ours.
    const left = () => this.#lastSent + PATIENCE[much] - performance.now();
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    this.#onInput = () => {
      if (this.#open === 0) resolve();
    };
    this.#onInput();
    await first(left(), ended, over);
    await first(Math.min(CROSSING[much], left()), over);
    return true;
  }

  #answer(): void {
    if (this.#asked === undefined || this.#inputs < this.#asked) return;
    this.#control?.say(Say.done, this.#asked);
    this.#asked = undefined;
  }
}

/** Waits for one of several things, but not for long. */
async function first(ms: number, ...things: readonly Promise<void>[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.max(0, ms));
  await Promise.race([promise, ...things]);
  clearTimeout(timer);
}
