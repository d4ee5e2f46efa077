/**
 * Counts the timers that are set and have neither fired nor been cleared. Import it first: it puts
 * itself in the place of the platform's functions.
 *
 * @module
 */

type TimerId = ReturnType<typeof setTimeout>;
type Args = readonly unknown[];

const { setTimeout: setOnce, setInterval: setOften, clearTimeout: clear } = globalThis;
const pending = new Set<TimerId>();

function forget(id?: TimerId): void {
  if (id === undefined) return;
  pending.delete(id);
  clear(id);
}

Object.assign(globalThis, {
  setTimeout(callback: (...args: Args) => void, ms?: number, ...args: Args): TimerId {
    const id = setOnce(() => {
      pending.delete(id);
      callback(...args);
    }, ms);
    pending.add(id);
    return id;
  },
  setInterval(callback: (...args: Args) => void, ms?: number, ...args: Args): TimerId {
    const id = setOften(callback, ms, ...args);
    pending.add(id);
    return id;
  },
  clearTimeout: forget,
  clearInterval: forget,
});

/** How many there are. */
export function pendingTimers(): number {
  return pending.size;
}
