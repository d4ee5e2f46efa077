/**
 * Addresses of network cards that come and go.
 *
 * @module
 */
import { show } from "../net/show.ts";
import type { InterfaceAddress } from "./card_address.ts";
import { addressText } from "./card_address.ts";
import type { Interface } from "./interface.ts";
import type { InterfaceSourceLike } from "./source.ts";

/** Options of {@linkcode Interface.watch}. */
export interface WatchInterfacesOptions {
  /** Milliseconds from one look to the next. @default {1000} */
  readonly interval?: number | undefined;
  /** Ends the watch: it rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** Where cards are read from. @default {the system} */
  readonly source?: InterfaceSourceLike | undefined;
}

/** An address of a card, by the card's name. */
export interface NamedAddress {
  /** The card. */
  readonly name: string;
  /** The address. */
  readonly address: InterfaceAddress;
}

/** What {@linkcode Interface.watch} tells. */
export interface InterfaceChange {
  /** The addresses that have come. */
  readonly added: readonly NamedAddress[];
  /** The addresses that have gone. */
  readonly removed: readonly NamedAddress[];
  /** All cards, as they are now. */
  readonly interfaces: readonly Interface[];
}

type Snapshot = ReadonlyMap<string, NamedAddress>;

function snapshot(cards: readonly Interface[]): Snapshot {
  const found = new Map<string, NamedAddress>();
  for (const { name, addresses } of cards) {
    for (const address of addresses) {
      found.set(`${name} ${addressText(address)}`, Object.freeze({ name, address }));
    }
  }
  return found;
}

/** What is in one snapshot and not in the other. */
function missing(from: Snapshot, inside: Snapshot): NamedAddress[] {
  return Array.from(from).filter(([key]) => !inside.has(key)).map(([, address]) => address);
}

/** The longest that a timer can wait. */
const MAX_DELAY = 2 ** 31 - 1;

class Watch implements AsyncGenerator<InterfaceChange, void, void> {
  readonly #list: () => Interface[];
  readonly #interval: number;
  readonly #signal: AbortSignal | undefined;
  #last: Snapshot;
  #ended = false;
  /** Ends the wait that is going on. */
  #wake: (() => void) | undefined;
  /** So that two who wait at once get two changes. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(list: () => Interface[], interval: number, signal: AbortSignal | undefined) {
    this.#list = list;
    this.#interval = interval;
    this.#signal = signal;
    this.#last = snapshot(list());
  }

  next(): Promise<IteratorResult<InterfaceChange, void>> {
    const result = this.#turn.then(() => this.#look());
    this.#turn = result.catch(() => {});
    return result;
  }

  async #look(): Promise<IteratorResult<InterfaceChange, void>> {
    try {
      while (!this.#ended) {
        this.#signal?.throwIfAborted();
        const interfaces = this.#list();
        const now = snapshot(interfaces), last = this.#last;
        this.#last = now;
        const added = missing(now, last), removed = missing(last, now);
        if (added.length + removed.length > 0) {
          return { done: false, value: Object.freeze({ added, removed, interfaces }) };
        }
        await this.#pause();
      }
    } catch (error) {
      this.#ended = true;
      throw error;
    }
    return { done: true, value: undefined };
  }

  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#interval);
    this.#wake = resolve;
    const wake = () => resolve();
    this.#signal?.addEventListener("abort", wake);
    await promise;
    this.#signal?.removeEventListener("abort", wake);
    clearTimeout(timer);
    this.#wake = undefined;
  }

  return(): Promise<IteratorResult<InterfaceChange, void>> {
    this.#ended = true;
    this.#wake?.();
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(error: unknown): Promise<IteratorResult<InterfaceChange, void>> {
    this.#ended = true;
    this.#wake?.();
    return Promise.reject(error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  readonly [Symbol.toStringTag] = "InterfaceWatch";
}

/**
 * Compares the addresses of all cards with those a while ago, as long as somebody waits for a change.
 *
 * @param list Reads the cards.
 * @param options How often, and what ends it.
 * @returns The changes.
 * @throws What the first reading throws.
 */
export function watchInterfaces(
  list: () => Interface[],
  options: Omit<WatchInterfacesOptions, "source">,
): AsyncGenerator<InterfaceChange, void, void> {
  const { interval = 1000, signal } = options;
  if (typeof interval !== "number" || !(interval > 0)) {
    throw new RangeError(`interval: must be more than 0 milliseconds, got ${show(interval)}`);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`signal: an AbortSignal is needed, got ${show(signal)}`);
  }
  signal?.throwIfAborted();
  return new Watch(list, Math.min(interval, MAX_DELAY), signal);
}
