import { PipeStateError } from "../errors.ts";
import type { Filter } from "./filter.ts";
import { peerKeys } from "./filter.ts";
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

  recv(options?: WaitOptions): Promise<Uint8Array | null> {
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

  recv(): Promise<Uint8Array | null> {
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

/** The queueing subscriptions of a pipe. Those for one peer are found by its address, not by a scan. */
export class SubscriptionIndex {
  readonly #anybody = new Set<QueueSubscription>();
  readonly #byPeer = new Map<string, Set<QueueSubscription>>();
  #size = 0;

  /** Number of subscriptions. */
  get size(): number {
    return this.#size;
  }

  /** All subscriptions. */
  *[Symbol.iterator](): Generator<QueueSubscription, void, void> {
    yield* this.#anybody;
    for (const group of this.#byPeer.values()) yield* group;
  }

  /** The oldest with this filter. */
  find(filter: Filter): QueueSubscription | undefined {
    const group = filter.peer === undefined ? this.#anybody : this.#byPeer.get(filter.peer) ?? [];
    for (const sub of group) if (sub.filter.key === filter.key) return sub;
    return undefined;
  }

  add(sub: QueueSubscription): void {
    const { peer } = sub.filter;
    if (peer === undefined) this.#anybody.add(sub);
    else {
      const group = this.#byPeer.get(peer);
      if (group === undefined) this.#byPeer.set(peer, new Set([sub]));
      else group.add(sub);
    }
    this.#size++;
  }

  delete(sub: QueueSubscription): void {
    const { peer } = sub.filter;
    const group = peer === undefined ? this.#anybody : this.#byPeer.get(peer);
    if (!group?.delete(sub)) return;
    this.#size--;
    if (peer !== undefined && group.size === 0) this.#byPeer.delete(peer);
  }

  /** Gives a message to every subscription that it matches. */
  offer(envelope: Envelope, report: (error: unknown) => void): void {
    give(this.#anybody, envelope, report);
    if (this.#byPeer.size === 0) return;
    for (const key of peerKeys(envelope.from)) {
      const group = this.#byPeer.get(key);
      if (group !== undefined) give(group, envelope, report);
    }
  }
}

/** Tests a filter; one that throws is reported and does not match. */
export function matches(
  filter: Filter,
  data: Uint8Array,
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

function give(
  subs: Iterable<QueueSubscription>,
  envelope: Envelope,
  report: (error: unknown) => void,
): void {
  for (const sub of subs) {
    if (matches(sub.filter, envelope.data, envelope.from, report)) sub.mailbox.push(envelope);
  }
}
