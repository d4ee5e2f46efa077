/** How often. */
const TRIES = 6;

/** Whether an error, or what caused it, is that an address was taken. */
function isInUse(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === "AddrInUse" || ("code" in error && error.code === "EADDRINUSE")) return true;
  return isInUse(error.cause) || (error instanceof AggregateError && error.errors.some(isInUse));
}

/**
 * For tests that give up a port and take it back: once more with another port when somebody else, such
 * as a test of another process, was quicker.
 */
export function retaking<A extends unknown[]>(
  test: (...args: A) => Promise<void>,
): (...args: A) => Promise<void> {
  return async (...args) => {
    for (let left = TRIES;; left--) {
      try {
        return await test(...args);
      } catch (error) {
        if (left === 1 || !isInUse(error)) throw error;
      }
    }
  };
}
