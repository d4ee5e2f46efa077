import { PipeStateError } from "../errors.ts";
import { type Filter, peerKeys } from "./filter.ts";
import type { Envelope } from "./flow.ts";
import type { Mailbox } from "./mailbox.ts";
import type { Message, NetAddr, Subscription, WaitOptions } from "./types.ts";

/** A subscription that queues. */
export class QueueSubscription implements Subscription {
  readonly filter: Filter;
  readonly mailbox: Mailbox;
  readonly #onClose: () => void;

  constructor(filter: Filter, mailbox: Mailbox, onClose: () => void) {
    this.filter = filter;
    this.mailbox = mailbox;
    this.#onClose = onClose;
  }

  get size(): number {
    return this.mailbox.size;
  }

  get dropped(): number {
    return this.mailbox.dropped;
  }

  recv(options?: WaitOptions): Promise<Uint8Array<ArrayBuffer> | null> {
    return this.mailbox.recv(options);
  }

  recvFrom(options?: WaitOptions): Promise<Message | null> {
    return this.mailbox.recvFrom(options);
  }

  close(): void {
    this.#onClose();
    this.mailbox.discard();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    const hand = this.mailbox.hand();
    return {
      next: () => this.mailbox.next(hand),
      return: () => {
        this.mailbox.leave(hand);
        this.close();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }
}

/** What `subscribe` returns when a handler takes the messages: there is nothing to read here. */
export class HandlerSubscription implements Subscription {
  readonly filter: Filter;
  readonly #onClose: () => void;

  constructor(filter: Filter, onClose: () => void) {
    this.filter = filter;
    this.#onClose = onClose;
  }

  readonly size = 0;
  readonly dropped = 0;

  recv(): Promise<Uint8Array<ArrayBuffer> | null> {
    return Promise.reject(taken());
  }

  recvFrom(): Promise<Message | null> {
    return Promise.reject(taken());
  }

  close(): void {
    this.#onClose();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    return { next: () => Promise.reject(taken()) };
  }
}

function taken(): PipeStateError {
  return new PipeStateError("Cannot receive: the handler of this subscription takes its messages");
}

/** Subscriptions by filter: those for one peer are found by its address, not by a scan. */
export class SubscriptionIndex<S extends { readonly filter: Filter }> {
  readonly #anybody = new Set<S>();
  #byPeer: Map<string, Set<S>> | undefined;
  #size = 0;

  /** Number of subscriptions. */
  get size(): number {
    return this.#size;
  }

  /** All subscriptions. */
  *[Symbol.iterator](): Generator<S, void, void> {
    yield* this.#anybody;
    for (const group of this.#byPeer?.values() ?? []) yield* group;
  }

  /** Those with this filter, the oldest first. */
  *equal({ key, peer }: Filter): Generator<S, void, void> {
    const group = peer === undefined ? this.#anybody : this.#byPeer?.get(peer) ?? [];
    for (const sub of group) if (sub.filter.key === key) yield sub;
  }

  /**
   * Calls back with those that do not mind the sender, and those for this one: those that there are now,
   * whatever the calls add.
   */
  hear(from: NetAddr, callback: (sub: S) => void): void {
    if (this.#anybody.size > 0) each(this.#anybody, callback);
    if (this.#byPeer === undefined) return;
    for (const key of peerKeys(from)) {
      const group = this.#byPeer.get(key);
      if (group !== undefined) each(group, callback);
    }
  }

  add(sub: S): void {
    const { peer } = sub.filter;
    if (peer === undefined) this.#anybody.add(sub);
    else {
      this.#byPeer ??= new Map();
      const group = this.#byPeer.get(peer);
      if (group === undefined) this.#byPeer.set(peer, new Set([sub]));
      else group.add(sub);
    }
    this.#size++;
  }

  delete(sub: S): void {
    const { peer } = sub.filter;
    const group = peer === undefined ? this.#anybody : this.#byPeer?.get(peer);
    if (!group?.delete(sub)) return;
    this.#size--;
    if (peer !== undefined && group.size === 0) this.#byPeer?.delete(peer);
  }
}

function each<S>(subs: ReadonlySet<S>, callback: (sub: S) => void): void {
  for (const sub of [...subs]) if (subs.has(sub)) callback(sub);
}

/** Gives a message to every subscription that it matches. */
export function offer(
  subs: SubscriptionIndex<QueueSubscription>,
  envelope: Envelope,
  report: (error: unknown) => void,
): void {
  const { data, from } = envelope;
  subs.hear(from, ({ filter, mailbox }) => {
    if (matches(filter, data, from, report)) mailbox.push(envelope);
  });
}

/** Tests a filter; one that throws is reported and does not match. */
export function matches(
  filter: Filter,
  data: Uint8Array<ArrayBuffer>,
  from: NetAddr,
  report: (error: unknown) => void,
): boolean {
  if (filter.test === undefined) return true;
  try {
    return filter.test(data, from);
  } catch (error) {
    report(error);
    return false;
  }
}
