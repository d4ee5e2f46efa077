import { forget, LONG, type LongWaiter, lookSoon } from "./long_waits.ts";

/** One place in a {@linkcode WaitList}; `W` is the implementing type itself. */
export interface Wait<W> {
  /**
   * When it expires, by `performance.now()`, as the list sets it; as long as that is not known the
   * time it may take, negated.
   */
  deadline: number;
  /** The neighbours; the list's own. */
  prev: W | null;
  next: W | null;
  /** Whether it is in the list; the list's own, too. */
  listed: boolean;
  /** Called when the time is over; the wait is no longer in the list. */
  expire(): void;
}

/**
 * Those who wait, first come first served, with any number of deadlines on one timer: short waits on
 * one of the list's own, longer ones together with those of all lists.
 */
export class WaitList<W extends Wait<W>> implements LongWaiter {
  #first: W | null = null;
  #last: W | null = null;
  #size = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = Infinity;
  /** Whether waits have come that have no deadline yet. */
  #unread = false;
  readonly #keep: boolean;

  /**
   * @param keep For many waits, one after the other: a timer outlives the last one, until it fires or
   * `stop` is called, and one of a second and more may be a tenth of a second longer.
   */
  constructor(keep: boolean) {
    this.#keep = keep;
  }

  /** Number of waits. */
  get size(): number {
    return this.#size;
  }

  /** Adds at the end, to expire after `ms` milliseconds (Infinity: never). */
  add(wait: W, ms: number): void {
    wait.listed = true;
    wait.prev = this.#last;
    if (this.#last === null) this.#first = wait;
    else this.#last.next = wait;
    this.#last = wait;
    this.#size++;
    if (ms === Infinity) {
      wait.deadline = Infinity;
    } else if (this.#keep && ms >= LONG) {
      wait.deadline = -ms;
      if (this.#unread) return;
      this.#unread = true;
      lookSoon(this);
    } else {
      const now = performance.now();
      wait.deadline = now + ms;
      if (wait.deadline < this.#due) this.#arm(wait.deadline, now);
    }
  }

  look(now: number): number {
    if (this.#unread) {
      this.#unread = false;
      for (let wait = this.#first; wait !== null; wait = wait.next) {
        if (wait.deadline < 0) wait.deadline = now - wait.deadline;
      }
    }
    return this.#expire(now);
  }

  /** Adds one that was taken out before anybody else's turn, as the first, its deadline unchanged. */
  addFirst(wait: W): void {
    wait.listed = true;
    wait.next = this.#first;
    if (this.#first === null) this.#last = wait;
    else this.#first.prev = wait;
    this.#first = wait;
    this.#size++;
    if (wait.deadline === Infinity) return;
    const now = performance.now();
    if (wait.deadline < 0) wait.deadline = now - wait.deadline;
    if (wait.deadline < this.#due) this.#arm(wait.deadline, now);
  }

  /** Takes out the first; undefined when nobody waits. */
  shift(): W | undefined {
    const wait = this.#first;
    if (wait === null) return undefined;
    this.remove(wait);
    return wait;
  }

  /** Takes out a wait, if it is in the list. */
  remove(wait: W): void {
    if (!wait.listed) return;
    if (wait.prev === null) this.#first = wait.next;
    else wait.prev.next = wait.next;
    if (wait.next === null) this.#last = wait.prev;
    else wait.next.prev = wait.prev;
    wait.prev = wait.next = null;
    wait.listed = false;
    this.#size--;
    if (this.#size === 0 && !this.#keep) this.stop();
  }

  /** Clears the timer. */
  stop(): void {
    if (this.#keep) {
      this.#unread = false;
      forget(this);
    }
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
    const earliest = this.#expire(now);
    if (earliest < this.#due) this.#arm(earliest, now);
  }

  /** Ends the waits that are over, and tells when the next one is. */
  #expire(now: number): number {
    let earliest = Infinity;
    const over: W[] = [];
    for (let wait = this.#first; wait !== null; wait = wait.next) {
      if (wait.deadline < 0) continue;
      // Half a millisecond of grace: timers may fire a little before performance.now() says so.
      if (wait.deadline <= now + 0.5) over.push(wait);
      else if (wait.deadline < earliest) earliest = wait.deadline;
    }
    over.sort((a, b) => a.deadline - b.deadline);
    for (const wait of over) {
      // The end of one may have ended or renewed another one.
      if (!wait.listed || wait.deadline > now + 0.5) continue;
      this.remove(wait);
      wait.expire();
    }
    return earliest;
  }
}
