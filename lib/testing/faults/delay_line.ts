/** Longer than this no timer holds: a longer wait is armed again. */
const MAX_DELAY = 2 ** 31 - 1;

interface Entry<T> {
  readonly item: T;
  readonly due: number;
  readonly order: number;
}

/**
 * What is under way, each until its time, all on one timer. What is due at the same time comes out as it
 * went in.
 */
export class DelayLine<T> {
  /** A binary heap, the earliest first. */
  readonly #heap: Entry<T>[] = [];
  readonly #onDue: () => void;
  #order = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #armed = Infinity;

  /**
   * @param onDue Called when something is due, to `take` it. Not called again before something else is,
   * or `take` found nothing.
   */
  constructor(onDue: () => void) {
    this.#onDue = onDue;
  }

  /** Number of items under way. */
  get length(): number {
    return this.#heap.length;
  }

  /** When the next one is due, by `performance.now()`; Infinity if there is none. */
  get next(): number {
    return this.#heap[0]?.due ?? Infinity;
  }

  /** Puts in something that is due at that time. */
  add(item: T, due: number): void {
    const entry = { item, due, order: this.#order++ };
    this.#heap.push(entry);
    this.#rise(this.#heap.length - 1, entry);
    if (due < this.#armed) this.#arm(due);
  }

  /** Takes out what is due; undefined if nothing is. */
  take(): T | undefined {
    const [first] = this.#heap;
    if (first === undefined) return undefined;
    if (first.due > performance.now()) {
      this.#arm(first.due);
      return undefined;
    }
    this.#drop(0);
    if (this.#heap.length === 0) this.#disarm();
    return first.item;
  }

  /** Takes out something that is not due. */
  remove(item: T): void {
    const at = this.#heap.findIndex((entry) => entry.item === item);
    if (at >= 0) this.#drop(at);
    if (this.#heap.length === 0) this.#disarm();
  }

  /** Forgets everything. */
  clear(): void {
    this.#heap.length = 0;
    this.#disarm();
  }

  #arm(due: number): void {
    if (this.#armed === due) return;
    clearTimeout(this.#timer);
    this.#armed = due;
    const ms = Math.min(Math.max(0, Math.ceil(due - performance.now())), MAX_DELAY);
    this.#timer = setTimeout(() => {
      this.#armed = Infinity;
      // It may fire a little before its time.
      if (this.next > performance.now()) this.#arm(this.next);
      else this.#onDue();
    }, ms);
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#armed = Infinity;
  }

  #drop(at: number): void {
    const last = this.#heap.pop();
    if (last === undefined || at === this.#heap.length) return;
    this.#heap[at] = last;
    this.#rise(this.#sink(at, last), last);
  }

  #rise(at: number, entry: Entry<T>): void {
    for (; at > 0;) {
      const up = at - 1 >> 1;
      const parent = this.#heap[up];
      if (parent === undefined || !isBefore(entry, parent)) break;
      this.#heap[at] = parent;
      at = up;
    }
    this.#heap[at] = entry;
  }

  #sink(at: number, entry: Entry<T>): number {
    for (;;) {
      const left = 2 * at + 1, right = left + 1;
      const a = this.#heap[left], b = this.#heap[right];
      if (a === undefined) break;
      const [child, down] = b !== undefined && isBefore(b, a) ? [b, right] : [a, left];
      if (!isBefore(child, entry)) break;
      this.#heap[at] = child;
      at = down;
    }
    this.#heap[at] = entry;
    return at;
  }
}

function isBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}
