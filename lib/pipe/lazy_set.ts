/**
 * A set that costs next to nothing while it is empty, as most sets of most connections are: an empty
 * `Set` takes about 200 bytes.
 */
export class LazySet<T> implements Iterable<T> {
  #items: Set<T> | undefined;

  /** Number of items. */
  get size(): number {
    return this.#items === undefined ? 0 : this.#items.size;
  }

  has(item: T): boolean {
    return this.#items !== undefined && this.#items.has(item);
  }

  add(item: T): void {
    this.#items ??= new Set();
    this.#items.add(item);
  }

  /** Whether it was there. */
  delete(item: T): boolean {
    if (this.#items === undefined || !this.#items.delete(item)) return false;
    if (this.#items.size === 0) this.#items = undefined;
    return true;
  }

  /** Takes out everything. */
  clear(): void {
    this.#items = undefined;
  }

  /** Like a `Set`, with what is added meanwhile. */
  [Symbol.iterator](): Iterator<T> {
    return this.#items === undefined ? NOTHING : this.#items.values();
  }
}

const NOTHING: Iterator<never> = { next: () => ({ done: true, value: undefined }) };
