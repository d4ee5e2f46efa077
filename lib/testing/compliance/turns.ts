/**
 * Waiting for nothing to happen, in turns of the event loop instead of a time that is too long on one
 * machine and too short on another.
 *
 * @module
 */

/** Lets the event loop go round. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setTimeout(resolve, 0));
}

/** Whether a promise is settled after that many turns; what it settles to is the caller's. */
export async function settles(promise: Promise<unknown>, within = 12): Promise<boolean> {
  let settled = false;
  const done = () => void (settled = true);
  promise.then(done, done);
  for (let i = 0; i < within && !settled; i++) await turns(1);
  return settled;
}
