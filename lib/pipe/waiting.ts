import { PipeTimeoutError } from "../errors.ts";
import type { Wait, WaitList } from "./wait_list.ts";

/** Somebody who waits for an item of a queue. */
export interface Reader<T> extends Wait<Reader<T>> {
  give(item: T): void;
  /** The queue ended; `error` undefined: in good order. */
  end(error: unknown): void;
}

/**
 * One waiting `pull`, and the next one after it: objects and closures for each wait would cost more
 * than the rest of it.
 */
export class Waiting<T> implements Reader<T> {
  deadline = Infinity;
  listed = false;
  prev: Reader<T> | null = null;
  next: Reader<T> | null = null;
  #unlisten: (() => void) | undefined;
  #waiting = false;
  #pick: (item: T) => unknown = same;
  #end: unknown;
  #timeout = Infinity;
  #resolve: (result: unknown) => void = same;
  #reject: (error: unknown) => void = same;
  readonly #executor = (
    resolve: (result: unknown) => void,
    reject: (error: unknown) => void,
  ): void => {
    this.#resolve = resolve;
    this.#reject = reject;
  };

  /** Whether it has no result yet. */
  get waiting(): boolean {
    return this.#waiting;
  }

  /**
   * Begins a wait, the one before being over.
   *
   * @param pick Makes the result of the item.
   * @param end The result at the end.
   * @param timeout Milliseconds, for the error.
   */
  begin<R>(pick: (item: T) => R, end: R, timeout: number): Promise<R> {
    this.#waiting = true;
    this.#pick = pick;
    this.#end = end;
    this.#timeout = timeout;
    // What it resolves with is what `pick` makes, or `end`.
    return new Promise<unknown>(this.#executor) as Promise<R>;
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
    this.#unlisten = undefined;
  }
}

function same<T>(value: T): T {
  return value;
}

/** The error of a wait that was too long. */
export function timedOut(timeout: number): PipeTimeoutError {
  return new PipeTimeoutError(
    timeout === 0 ? "Nothing has arrived yet" : `Nothing arrived within ${timeout} ms`,
  );
}
