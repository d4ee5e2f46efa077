/** What may be received in memory, over all transports, before timers and sockets have their turn again. */
const MOST = 1000;

let received = 0;

/**
 * Something was received without the system: two that answer each other for ever would let nothing else
 * happen in the process, no timer and no signal, since neither ever waits for the system.
 *
 * @returns What to wait for before it is handed on, now and then; else undefined.
 */
export function breath(): Promise<void> | undefined {
  if (++received < MOST) return undefined;
  received = 0;
  return new Promise((resolve) => setTimeout(resolve, 0));
}
