import { PipeClosedError } from "../errors.ts";
import { checkWait } from "./checks.ts";
import { PullQueue } from "./pull_queue.ts";
import { checkQueueOptions, type MessageQueueOptions } from "./queue_options.ts";
import type { WaitOptions } from "./types.ts";

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
  readonly #queue: PullQueue<T>;
  readonly #blocks: boolean;
  /** In the order they came. */
  readonly #producers = new Set<Producer<T>>();

  /**
   * Makes an empty queue.
   *
   * @param options Bounds and what happens at them; unbounded by default.
   * @throws {TypeError} When an option is of a wrong type.
   * @throws {RangeError} When a bound is negative, or no number of items.
   */
  constructor(options: MessageQueueOptions<T> = {}) {
    const { overflow = "block" } = checkQueueOptions(options);
    this.#blocks = overflow === "block";
    this.#queue = new PullQueue(options, () => this.#admit());
  }

  /** Items held. */
  get size(): number {
    return this.#queue.size;
  }

  /** Bytes held, by `sizeOf`. */
  get bytes(): number {
    return this.#queue.bytes;
  }

  /** Items accepted so far. */
  get pushed(): number {
    return this.#queue.pushed;
  }

  /** Items that readers got so far. */
  get taken(): number {
    return this.#queue.taken;
  }

  /** Items dropped so far because the queue was full. */
  get dropped(): number {
    return this.#queue.dropped;
  }

  /** Readers waiting. */
  get waiting(): number {
    return this.#queue.waiting;
  }

  /** Whether it was closed; items may still be held. */
  get closed(): boolean {
    return this.#queue.closed;
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
    return this.#queue.push(item);
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
    if (this.closed) throw this.#refusal();
    const producers = this.#producers;
    if (producers.size === 0 && (this.push(item) || !this.#blocks)) return;
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
    return this.#queue.pull<T | null>((item) => item, null, timeout, signal);
  }

  /**
   * Takes the next item if there is one.
   *
   * @returns The item, or undefined.
   */
  tryTake(): T | undefined {
    return this.#queue.tryTake();
  }

  /**
   * Ends the queue. What it holds can still be taken. Calling it again has no effect.
   *
   * @param error What readers then get instead of null.
   */
  close(error?: unknown): void {
    if (this.closed) return;
    this.#queue.close(error);
    for (const producer of this.#producers) producer.refused(this.#refusal());
    this.#producers.clear();
  }

  /** Forgets what is held. */
  clear(): void {
    this.#queue.clear();
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

  /** Lets waiting producers in while there is room. */
  #admit(): void {
    for (const producer of this.#producers) {
      if (!this.push(producer.item)) return;
      this.#producers.delete(producer);
      producer.admitted();
    }
  }

  #refusal(): unknown {
    return this.#queue.error ?? new PipeClosedError("Cannot put: the queue is closed");
  }
}

function noItem(item: unknown): TypeError {
  return new TypeError(`item: must not be ${item}, which stands for the end`);
}
