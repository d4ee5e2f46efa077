import type { MessageQueueOptions, Overflow } from "./queue_options.ts";
import { Ring } from "./ring.ts";
import { type Reader, timedOut, Waiting } from "./waiting.ts";
import { WaitList } from "./wait_list.ts";

/**
 * What is in a {@linkcode MessageQueue}, with the ways to wait that pipes need besides, and without
 * producers that wait.
 *
 * @typeParam T Any type but null and undefined.
 */
export class PullQueue<T extends NonNullable<unknown>> {
  readonly #items = new Ring<T>();
  /** The size that each item had when it came, where sizes are counted. */
  readonly #sizes = new Ring<number>();
  readonly #readers: WaitList<Reader<T>>;
  /** One to wait by, again and again. */
  #reader: Waiting<T> | undefined;
  readonly #maxItems: number;
  readonly #maxBytes: number;
  readonly #sizeOf: ((item: T) => number) | undefined;
  readonly #overflow: Overflow;
  readonly #onEnter: ((item: T) => void) | undefined;
  readonly #onLeave: ((item: T) => void) | undefined;
  readonly #onDrop: ((item: T) => void) | undefined;
  readonly #onRoom: (() => void) | undefined;
  #bytes = 0;
  #dropped = 0;
  #pushed = 0;
  #taken = 0;
  #closed = false;
  #error: unknown;

  /**
   * @param options Bounds and what happens at them, checked.
   * @param onRoom Called when what was held was taken or cleared.
   */
  constructor(options: MessageQueueOptions<T>, onRoom?: () => void) {
    const { maxItems = 0, maxBytes = Infinity, overflow = "block" } = options;
    this.#maxItems = maxItems === 0 ? Infinity : maxItems;
    this.#maxBytes = maxBytes;
    this.#sizeOf = options.sizeOf;
    this.#overflow = overflow;
    this.#onEnter = options.onEnter;
    this.#onLeave = options.onLeave;
    this.#onDrop = options.onDrop;
    this.#onRoom = onRoom;
    this.#readers = new WaitList(options.keepTimer ?? false);
  }

  /** Items held. */
  get size(): number {
    return this.#items.length;
  }

  /** Bytes held, by `sizeOf`. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Items accepted so far. */
  get pushed(): number {
    return this.#pushed;
  }

  /** Items that readers got so far. */
  get taken(): number {
    return this.#taken;
  }

  /** Items dropped so far because the queue was full. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Readers waiting. */
  get waiting(): number {
    return this.#readers.size;
  }

  /** Whether it was closed; items may still be held. */
  get closed(): boolean {
    return this.#closed;
  }

  /** What it was closed with. */
  get error(): unknown {
    return this.#error;
  }

  /**
   * Adds an item without waiting.
   *
   * @param item The item.
   * @returns Whether it was accepted. See {@linkcode MessageQueue.push}.
   */
  push(item: T): boolean {
    if (this.#closed) return false;
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      this.#pushed++;
      this.#taken++;
      reader.give(item);
      return true;
    }
    const size = this.#sizeOf === undefined ? 0 : this.#sizeOf(item);
    if (!this.#fits(size)) {
      if (this.#overflow === "block") return false;
      if (this.#overflow === "drop-newest") {
        this.#drop(item);
        return false;
      }
      while (!this.#fits(size)) this.#drop(this.#remove());
    }
    this.#pushed++;
    this.#add(item, size);
    return true;
  }

  /**
   * Waits for the next item, which is turned into the result on the way.
   *
   * @param pick Makes the result of the item.
   * @param end The result at the end.
   * @param timeout Longest wait in milliseconds.
   * @param signal Ends the wait.
   * @param own The reader to wait by, for one who may want to take the wait back.
   * @returns What `pick` made, or `end`.
   */
  pull<R>(
    pick: (item: T) => R,
    end: R,
    timeout: number,
    signal?: AbortSignal,
    own?: Waiting<T>,
  ): Promise<R> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#items.length > 0) return Promise.resolve(pick(this.#next()));
    if (this.#closed) {
      return this.#error === undefined ? Promise.resolve(end) : Promise.reject(this.#error);
    }
    if (timeout === 0) return Promise.reject(timedOut(timeout));
    let reader = own ?? (this.#reader ??= new Waiting());
    if (reader.waiting) reader = this.#reader = new Waiting();
    const result = reader.begin(pick, end, timeout);
    this.#readers.add(reader, timeout);
    if (signal !== undefined) reader.abortBy(signal, this.#readers);
    return result;
  }

  /**
   * Takes back a wait, as at the end of the queue.
   *
   * @param own What `pull` was called with.
   */
  cancel(own: Waiting<T>): void {
    own.cancel(this.#readers);
  }

  /** Takes the next item if there is one. */
  tryTake(): T | undefined {
    return this.#items.length > 0 ? this.#next() : undefined;
  }

  /**
   * Ends the queue. What it holds can still be taken. Calling it again has no effect.
   *
   * @param error What readers then get instead of null.
   */
  close(error?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    this.#readers.stop();
    for (let r = this.#readers.shift(); r !== undefined; r = this.#readers.shift()) r.end(error);
    this.#readers.stop(); // one may have come back for a moment, with its deadline
  }

  /**
   * Takes out some of what is held, wherever it is; the rest stays in its order.
   *
   * @param wanted Whether to take an item.
   * @returns What was taken.
   */
  extract(wanted: (item: T) => boolean): T[] {
    const taken: T[] = [];
    for (let left = this.#items.length; left > 0; left--) {
      const [item, size] = this.#shift();
      if (wanted(item)) {
        this.#bytes -= size;
        taken.push(item);
        this.#onLeave?.(item);
      } else {
        this.#items.push(item);
        if (this.#sizeOf !== undefined) this.#sizes.push(size);
      }
    }
    this.#taken += taken.length;
    return taken;
  }

  /** Holds an item that had been accepted before, at the end, closed or not. */
  restore(item: T): void {
    if (!this.#closed) this.push(item);
    else this.#add(item, this.#sizeOf === undefined ? 0 : this.#sizeOf(item));
  }

  /**
   * Puts an item that a reader has taken back at the front, closed or not, unless another one waits.
   *
   * @param item The item.
   * @returns Whether it is held now.
   */
  unshift(item: T): boolean {
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      reader.give(item);
      return false;
    }
    const size = this.#sizeOf === undefined ? 0 : this.#sizeOf(item);
    this.#items.unshift(item);
    if (this.#sizeOf !== undefined) this.#sizes.unshift(size);
    this.#bytes += size;
    this.#onEnter?.(item);
    return true;
  }

  /**
   * `pull` for a reader that needs several items, when nothing is held.
   *
   * @param reader Gets the next item, or the end.
   * @param timeout Longest wait in milliseconds.
   */
  readBy(reader: Reader<T>, timeout: number): void {
    if (this.#closed) reader.end(this.#error);
    else if (timeout === 0) reader.expire();
    else this.#readers.add(reader, timeout);
  }

  /** Lets the reader that was given an item have the next one too. */
  readOn(reader: Reader<T>): void {
    this.#readers.addFirst(reader);
  }

  /** Takes a waiting reader out of the line. */
  quit(reader: Reader<T>): void {
    this.#readers.remove(reader);
  }

  /** Forgets what is held. */
  clear(): void {
    while (this.#items.length > 0) this.#remove();
    this.#onRoom?.();
  }

  #fits(size: number): boolean {
    const { length } = this.#items;
    return length === 0 || (length < this.#maxItems && this.#bytes + size <= this.#maxBytes);
  }

  #next(): T {
    this.#taken++;
    const item = this.#remove();
    this.#onRoom?.();
    return item;
  }

  #add(item: T, size: number): void {
    this.#items.push(item);
    if (this.#sizeOf !== undefined) this.#sizes.push(size);
    this.#bytes += size;
    this.#onEnter?.(item);
  }

  #remove(): T {
    const [item, size] = this.#shift();
    this.#bytes -= size;
    this.#onLeave?.(item);
    return item;
  }

  #shift(): [item: T, size: number] {
    const item = this.#items.shift();
    if (item === undefined) throw new Error("unreachable: the queue is empty");
    return [item, this.#sizes.shift() ?? 0];
  }

  #drop(item: T): void {
    this.#dropped++;
    this.#onDrop?.(item);
  }
}
