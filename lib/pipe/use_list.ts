/** Something in a {@linkcode UseList}; `T` is the implementing type itself. */
export interface Used<T> {
  /** The neighbours; the list's own. */
  prev: T | undefined;
  next: T | undefined;
}

/**
 * Things in the order in which they were last used. A list, because a `Map` whose first entry is deleted
 * again and again looks through all the gaps for the next one.
 */
export class UseList<T extends Used<T>> {
  #first: T | undefined;
  #last: T | undefined;
  #size = 0;

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** The one used longest ago. */
  get first(): T | undefined {
    return this.#first;
  }

  /** Adds one that is in no list. */
  add(one: T): void {
    one.prev = this.#last;
    if (this.#last === undefined) this.#first = one;
    else this.#last.next = one;
    this.#last = one;
    this.#size++;
  }

  /** Takes out one that is in this list. */
  remove(one: T): void {
    if (one.prev === undefined) this.#first = one.next;
    else one.prev.next = one.next;
    if (one.next === undefined) this.#last = one.prev;
    else one.next.prev = one.prev;
    one.prev = one.next = undefined;
    this.#size--;
  }

  /** One of this list is used. */
  use(one: T): void {
    if (one === this.#last) return;
    this.remove(one);
    this.add(one);
  }
}
