import { PipeTimeoutError } from "../errors.ts";
import type { Wait, WaitList } from "./wait_list.ts";

/** Somebody who waits for an item of a queue. */
export interface Reader<T> extends Wait<Reader<T>> {
  give(item: T): void;
  /** The queue ended; `error` undefined: in good order. */
  end(error: unknown): void;
}

/** Lets a loop that is left take back its place in the line. */
export interface Place {
  /** Ends the wait in progress, if there is one, as at the end of the queue. */
  cancel?: () => void;
}

/** One waiting `pull`. A class, because closures for each wait would cost more than the rest of it. */
export class Waiting<T, R> implements Reader<T> {
  deadline = Infinity;
  prev: Reader<T> | null = null;
  next: Reader<T> | null = null;
  #unlisten: (() => void) | undefined;
  #waiting = true;
  readonly #pick: (item: T) => R;
  readonly #end: R;
  readonly #timeout: number;
  readonly #resolve: (result: R) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    pick: (item: T) => R,
    end: R,
    timeout: number,
    resolve: (result: R) => void,
    reject: (error: unknown) => void,
  ) {
    this.#pick = pick;
    this.#end = end;
    this.#timeout = timeout;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  abortBy(signal: AbortSignal, list: WaitList<Reader<T>>): void {
    const onAbort = () => {
      list.remove(this);
      this.#settled();
      this.#reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.#unlisten = () => signal.removeEventListener("abort", onAbort);
  }

  /** Gives up the place, unless it was served already. */
  cancel(list: WaitList<Reader<T>>): void {
    if (!this.#waiting) return;
    list.remove(this);
    this.end(undefined);
  }

  give(item: T): void {
    this.#settled();
    this.#resolve(this.#pick(item));
  }

  end(error: unknown): void {
    this.#settled();
    if (error === undefined) this.#resolve(this.#end);
    else this.#reject(error);
  }

  expire(): void {
    this.#settled();
    this.#reject(timedOut(this.#timeout));
  }

  #settled(): void {
    this.#waiting = false;
    this.#unlisten?.();
  }
}

/** The error of a wait that was too long. */
export function timedOut(timeout: number): PipeTimeoutError {
  return new PipeTimeoutError(
    timeout === 0 ? "Nothing has arrived yet" : `Nothing arrived within ${timeout} ms`,
  );
}
