/**
 * One timer for all long waits of the process.
 *
 * A timer for each waiting reader costs more than the wait itself on a busy pipe, and half a kilobyte
 * for each of many idle ones; on a busy pipe even reading the clock shows. So whoever waits long is
 * looked at a little later, together with the others, and again when something may be over.
 *
 * @module
 */

/** From this time on a wait may be so much longer. Milliseconds. */
export const LONG = 1000, SLACK = 100;

/** Somebody with waits of {@linkcode LONG} milliseconds and more. */
export interface LongWaiter {
  /**
   * Ends what is over by now (`performance.now()`).
   *
   * @returns When the next one is; Infinity when none is left.
   */
  look(now: number): number;
}

const waiters = new Set<LongWaiter>();
let timer: ReturnType<typeof setTimeout> | undefined;
/** Whether somebody waits whose time has not begun to count. */
let soon = false;

/** Has somebody looked at soon, and from then on when it is time. */
export function lookSoon(waiter: LongWaiter): void {
  waiters.add(waiter);
  if (soon) return;
  soon = true;
  arm(SLACK);
}

/** Nothing is waited for any more. */
export function forget(waiter: LongWaiter): void {
  waiters.delete(waiter);
  if (waiters.size > 0) return;
  clearTimeout(timer);
  soon = false;
}

function arm(ms: number): void {
  clearTimeout(timer);
  // setTimeout cannot hold more than 31 bits; then it is looked at once too often.
  timer = setTimeout(lookAtAll, Math.min(ms, 0x7fffffff));
}

function lookAtAll(): void {
  soon = false;
  const now = performance.now();
  let next = Infinity;
  for (const waiter of [...waiters]) {
    waiters.delete(waiter); // it may come again meanwhile
    const due = waiter.look(now);
    if (due < Infinity) waiters.add(waiter);
    next = Math.min(next, due);
  }
  if (!soon && next < Infinity) arm(Math.max(SLACK, next - now));
}
