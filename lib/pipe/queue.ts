import { PipeClosedError } from "../errors.ts";
import { checkWait } from "./checks.ts";
import { checkQueueOptions, type MessageQueueOptions, type Overflow } from "./queue_options.ts";
import { Ring } from "./ring.ts";
import type { WaitOptions } from "./types.ts";
import { type Reader, timedOut, Waiting } from "./waiting.ts";
import { WaitList } from "./wait_list.ts";

interface Producer<T> {
  readonly item: T;
  admitted(): void;
  refused(error: unknown): void;
}

/**
 * A bounded first-in first-out queue between those who push and those who wait.
 *
 * - Readers are served in the order in which they came, each item goes to one of them.
 * - A reader that times out or is aborted takes nothing with it.
 * - An item always fits into an empty queue, whatever its size.
 * - After `close`, what is held can still be taken; then readers get null, or the error.
 * - Nothing is ever moved: every operation takes constant time at any length.
 *
 * @typeParam T Any type but null and undefined, which stand for the end and for nothing.
 *
 * @example
 * ```ts
 * import { MessageQueue } from "@p2pd/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * const queue = new MessageQueue<string>({ maxItems: 2, overflow: "drop-oldest" });
 * queue.push("a");
 * queue.push("b");
 * queue.push("c");
 * assertEquals([await queue.take(), await queue.take(), queue.dropped], ["b", "c", 1]);
 * queue.close();
 * assertEquals(await queue.take(), null);
 * ```
 */
export class MessageQueue<T extends NonNullable<unknown>> implements AsyncIterable<T>, Disposable {
  readonly #items = new Ring<T>();
  /** The size that each item had when it came, where sizes are counted. */
  readonly #sizes = new Ring<number>();
  /** In the order they came. */
  #producers: Set<Producer<T>> | undefined;
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
  #bytes = 0;
  #dropped = 0;
  #pushed = 0;
  #taken = 0;
  #closed = false;
  #error: unknown;

  /**
   * Makes an empty queue.
   *
   * @param options Bounds and what happens at them; unbounded by default.
   * @throws {TypeError} When an option is of a wrong type.
   * @throws {RangeError} When a bound is negative, or no number of items.
   */
  constructor(options: MessageQueueOptions<T> = {}) {
    const { maxItems = 0, maxBytes = Infinity, overflow = "block" } = checkQueueOptions(options);
    this.#maxItems = maxItems === 0 ? Infinity : maxItems;
    this.#maxBytes = maxBytes;
    this.#sizeOf = options.sizeOf;
    this.#overflow = overflow;
    this.#onEnter = options.onEnter;
    this.#onLeave = options.onLeave;
    this.#onDrop = options.onDrop;
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

  /**
   * Adds an item without waiting.
   *
   * @param item The item.
   * @returns Whether it was accepted: false when the queue is closed, is full and set to "block", or is
   * full and dropped the newest.
   * @throws {TypeError} When the item is null or undefined.
   */
  push(item: T): boolean {
    if (item == null) throw noItem(item);
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
   * Adds an item, waiting for room when the queue is set to "block". Producers are served in order.
   *
   * @param item The item.
   * @param options A signal that ends the wait; the item is then not added.
   * @throws {PipeClosedError} When the queue is closed, or is closed while waiting.
   * @throws {TypeError} When the item is null or undefined.
   */
  async put(item: T, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    const { signal } = checkWait(options);
    if (item == null) throw noItem(item);
    signal?.throwIfAborted();
    if (this.#closed) throw this.#refusal();
    const producers = this.#producers ??= new Set();
    if (producers.size === 0 && (this.push(item) || this.#overflow !== "block")) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const producer = { item, admitted: resolve, refused: reject };
    producers.add(producer);
    const onAbort = () => {
      producers.delete(producer);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /**
   * Waits for the next item.
   *
   * @param options Longest wait in milliseconds (for ever by default; 0: only what is held) and signal.
   * @returns The item, or null when the queue was closed and everything was taken.
   * @throws {PipeTimeoutError} When none came in time.
   * @throws What `close` was given, when everything was taken; `signal.reason` when aborted.
   */
  take(options: WaitOptions = {}): Promise<T | null> {
    let timeout: number, signal: AbortSignal | undefined;
    try {
      ({ timeout = Infinity, signal } = checkWait(options));
    } catch (error) {
      return Promise.reject(error);
    }
    return this.pull<T | null>((item) => item, null, timeout, signal);
  }

  /**
   * `take` for hot paths: no options object, and the item is turned into the result on the way.
   *
   * @param pick Makes the result of the item.
   * @param end The result at the end.
   * @param timeout Longest wait in milliseconds.
   * @param signal Ends the wait.
   * @param own The reader to wait by, for one who may want to take the wait back.
   * @returns What `pick` made, or `end`.
   * @internal
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
   * @internal
   */
  cancel(own: Waiting<T>): void {
    own.cancel(this.#readers);
  }

  /**
   * Takes the next item if there is one.
   *
   * @returns The item, or undefined.
   */
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
    for (const producer of this.#producers ?? []) producer.refused(this.#refusal());
    this.#producers?.clear();
    for (let r = this.#readers.shift(); r !== undefined; r = this.#readers.shift()) r.end(error);
    this.#readers.stop(); // one may have come back for a moment, with its deadline
  }

  /**
   * Takes out some of what is held, wherever it is; the rest stays in its order.
   *
   * @param wanted Whether to take an item.
   * @returns What was taken.
   * @internal
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

  /**
   * Holds an item that had been accepted before, at the end, closed or not.
   *
   * @param item The item.
   * @internal
   */
  restore(item: T): void {
    if (!this.#closed) this.push(item);
    else this.#add(item, this.#sizeOf === undefined ? 0 : this.#sizeOf(item));
  }

  /**
   * Puts an item that a reader has taken back at the front, closed or not, unless another one waits.
   *
   * @param item The item.
   * @returns Whether it is held now.
   * @internal
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
   * @internal
   */
  readBy(reader: Reader<T>, timeout: number): void {
    if (this.#closed) reader.end(this.#error);
    else if (timeout === 0) reader.expire();
    else this.#readers.add(reader, timeout);
  }

  /**
   * Lets the reader that was given an item have the next one too.
   *
   * @param reader The reader.
   * @internal
   */
  readOn(reader: Reader<T>): void {
    this.#readers.addFirst(reader);
  }

  /**
   * Takes a waiting reader out of the line.
   *
   * @param reader The reader.
   * @internal
   */
  quit(reader: Reader<T>): void {
    this.#readers.remove(reader);
  }

  /** Forgets what is held. */
  clear(): void {
    while (this.#items.length > 0) this.#remove();
    if (this.#producers !== undefined) this.#admit(this.#producers);
  }

  /** Closes and forgets what is held. */
  [Symbol.dispose](): void {
    this.close();
    this.clear();
  }

  /** Takes items until the queue is closed and empty; leaving the loop leaves the rest in the queue. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    for (let item = await this.take(); item !== null; item = await this.take()) yield item;
  }

  #fits(size: number): boolean {
    const { length } = this.#items;
    return length === 0 || (length < this.#maxItems && this.#bytes + size <= this.#maxBytes);
  }

  #next(): T {
    this.#taken++;
    const item = this.#remove();
    if (this.#producers !== undefined) this.#admit(this.#producers);
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

  /** Lets waiting producers in while there is room. */
  #admit(producers: Set<Producer<T>>): void {
    for (const producer of producers) {
      if (!this.push(producer.item)) return;
      producers.delete(producer);
      producer.admitted();
    }
  }

  #refusal(): unknown {
    return this.#error ?? new PipeClosedError("Cannot put: the queue is closed");
  }
}

function noItem(item: unknown): TypeError {
  return new TypeError(`item: must not be ${item}, which stands for the end`);
}
