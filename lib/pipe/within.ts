/** The longest delay of a timer; a longer one would fire at once. */
const MAX_DELAY = 0x7fffffff;

/**
 * Runs an attempt under a time limit and the caller's signal; its timer never outlives it.
 *
 * @param ms The limit; Infinity for none.
 * @param signal The caller's, if there is one.
 * @param late Makes the reason with which the attempt is aborted when the time is over.
 * @param attempt Must end when its signal says so.
 */
export async function within<T>(
  ms: number,
  signal: AbortSignal | undefined,
  late: () => Error,
  attempt: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const limit = new AbortController();
  const onAbort = () => limit.abort(signal?.reason);
  const timer = ms > MAX_DELAY ? undefined : setTimeout(() => limit.abort(late()), ms);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return await attempt(limit.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}
