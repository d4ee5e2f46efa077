/** The pieces that a wait is made of. */
const PIECES = 5;

/**
 * Calls back after a time in which this process was there to receive something: one long hold-up, as on
 * a machine that is too busy or was asleep, takes no more than a fifth of the patience.
 *
 * @param ms How long to wait.
 * @param done Called then.
 * @returns Ends the wait.
 */
export function waitPatiently(ms: number, done: () => void): () => void {
  let left = PIECES;
  const next = () => {
    if (left-- === 0) done();
    else timer = setTimeout(next, ms / PIECES);
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  next();
  return () => clearTimeout(timer);
}
