/**
 * Runs all at once. When one fails the others are told to stop, and awaited: nothing runs on afterwards.
 *
 * @param signal Tells all of them to stop.
 * @param tasks What to run, each with the signal to heed.
 * @returns What they gave.
 */
export async function together<T>(
  signal: AbortSignal,
  tasks: readonly ((signal: AbortSignal) => Promise<T>)[],
): Promise<T[]> {
  const failed = new AbortController();
  const all = AbortSignal.any([signal, failed.signal]);
  const running = tasks.map((task) => task(all));
  try {
    return await Promise.all(running);
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(running);
    throw error;
  }
}
