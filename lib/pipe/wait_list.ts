/** One place in a {@linkcode WaitList}; `W` is the implementing type itself. */
export interface Wait<W> {
  /** When it expires, by `performance.now()`; Infinity until the list sets it. */
  deadline: number;
  /** The neighbours; the list's own. */
  prev: W | null;
  next: W | null;
  /** Called when the time is over; the wait is no longer in the list. */
  expire(): void;
}

/**
 * Those who wait, first come first served, with any number of deadlines on one timer.
 *
 * A timer for each wait costs more than the wait itself on a busy pipe. This one is left running when
 * a wait ends early, and set again only when it fires (`keep`), so a reader that is served in time
 * never touches it.
 */
export class WaitList<W extends Wait<W>> {
  #first: W | null = null;
  #last: W | null = null;
  #size = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = Infinity;
  readonly #keep: boolean;

  /** @param keep Whether the timer outlives the last wait, until it fires or `stop` is called. */
  constructor(keep: boolean) {
    this.#keep = keep;
  }

  /** Number of waits. */
  get size(): number {
    return this.#size;
  }

  /** Adds at the end, to expire after `ms` milliseconds (Infinity: never). */
  add(wait: W, ms: number): void {
    wait.prev = this.#last;
    if (this.#last === null) this.#first = wait;
    else this.#last.next = wait;
    this.#last = wait;
    this.#size++;
    if (ms === Infinity) return;
    const now = performance.now();
    wait.deadline = now + ms;
    if (wait.deadline < this.#due) this.#arm(wait.deadline, now);
  }

  /** Takes out the first; undefined when nobody waits. */
  shift(): W | undefined {
    const wait = this.#first;
    if (wait === null) return undefined;
    this.remove(wait);
    return wait;
  }

  /** Takes out a wait that is in the list. */
  remove(wait: W): void {
    if (wait.prev === null) this.#first = wait.next;
    else wait.prev.next = wait.next;
    if (wait.next === null) this.#last = wait.prev;
    else wait.next.prev = wait.prev;
    wait.prev = wait.next = null;
    this.#size--;
    if (this.#size === 0 && !this.#keep) this.stop();
  }

  /** Clears the timer. */
  stop(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due = Infinity;
  }

  #arm(deadline: number, now: number): void {
    clearTimeout(this.#timer);
    this.#due = deadline;
    // setTimeout cannot hold more than 31 bits; a longer wait is armed again when it fires.
    const ms = Math.min(Math.max(0, Math.ceil(deadline - now)), 0x7fffffff);
    this.#timer = setTimeout(() => this.#fire(), ms);
  }

  #fire(): void {
    this.#timer = undefined;
    this.#due = Infinity;
    const now = performance.now();
    let earliest = Infinity;
    const over: W[] = [];
    for (let wait = this.#first; wait !== null; wait = wait.next) {
      // Half a millisecond of grace: timers may fire a little before performance.now() says so.
      if (wait.deadline <= now + 0.5) over.push(wait);
      else if (wait.deadline < earliest) earliest = wait.deadline;
    }
    if (earliest !== Infinity) this.#arm(earliest, now);
    for (const wait of over) this.remove(wait);
    for (const wait of over) wait.expire();
  }
}
