import type { NetAddr } from "./types.ts";

/** Head start of each address over the next one, milliseconds (RFC 8305, section 5). */
export const ATTEMPT_DELAY = 250;

/**
 * The order in which to try the addresses of a name (RFC 8305, section 4): the system's, but with the
 * families taking turns, so that one family that does not work costs one delay and not many.
 */
export function interleave(addresses: readonly NetAddr[]): NetAddr[] {
  const isFirst = (addr: NetAddr) =>
    addr.hostname.includes(":") === addresses[0]?.hostname.includes(":");
  const first = addresses.filter(isFirst);
  const second = addresses.filter((addr) => !isFirst(addr));
  const mixed: NetAddr[] = [];
  for (let i = 0; i < Math.max(first.length, second.length); i++) {
    mixed.push(...first.slice(i, i + 1), ...second.slice(i, i + 1));
  }
  return mixed;
}

/** How to race. */
export interface RaceOptions<A, T> {
  /** Makes one attempt; must end, and leave nothing open, when the signal says so. */
  readonly attempt: (way: A, signal: AbortSignal) => Promise<T>;
  /** Gets rid of one that came second. */
  readonly discard: (late: T) => void;
  /** Ends all attempts. */
  readonly signal: AbortSignal;
  /** Milliseconds between the starts. @default {ATTEMPT_DELAY} */
  readonly delay?: number;
}

/** Nobody won: what became of each attempt, in their order; undefined: it was not made. */
export class AllFailed extends Error {
  override name = "AllFailed";
  /** One entry for each way. */
  readonly errors: readonly unknown[];

  constructor(errors: readonly unknown[]) {
    super("No attempt succeeded");
    this.errors = errors;
  }
}

/**
 * Takes the first of several ways that works: each later one is tried when those before it failed, or
 * have come to nothing for a while. When it settles no attempt is running any more.
 *
 * @throws {AllFailed} When none worked.
 */
export async function race<A, T>(ways: readonly A[], options: RaceOptions<A, T>): Promise<T> {
  const { attempt, discard, signal, delay = ATTEMPT_DELAY } = options;
  const errors: unknown[] = [];
  const running = new Set<Promise<void>>();
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal.reason);
  let won: { readonly value: T } | undefined;
  let wake = () => {};

  const begin = (way: A, index: number) => {
    const trying: Promise<void> = attempt(way, stop.signal).then((value) => {
      if (won !== undefined) return discard(value);
      won = { value };
      stop.abort(new DOMException("Another one was faster", "AbortError"));
    }, (error: unknown) => {
      errors[index] = error;
    }).finally(() => {
      running.delete(trying);
      wake();
    });
    running.add(trying);
  };

  /** Resolves after the delay, or when an attempt ends. */
  const pause = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delay);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for (const [index, way] of ways.entries()) {
      if (won !== undefined || signal.aborted) break;
      begin(way, index);
      if (index < ways.length - 1) await pause();
    }
    while (running.size > 0) await Promise.all(running);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  if (won !== undefined) return won.value;
  throw new AllFailed(errors);
}
