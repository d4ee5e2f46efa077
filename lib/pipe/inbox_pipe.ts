import { show } from "../net/show.ts";
import { PipeStateError } from "../errors.ts";
import {
  ByteRead,
  type ByteSource,
  checkByteSource,
  exactly,
  type Goal,
  until,
} from "./byte_read.ts";
import type { NetConf } from "./conf.ts";
import { compileFilter, type Filter, passes, SUB_ALL } from "./filter.ts";
import { envelop, type Envelope } from "./flow.ts";
import { type Hand, type Kind, Mailbox } from "./mailbox.ts";
import type { Ties } from "./ties.ts";
import type { Message, NetAddr, Sub, WaitOptions } from "./types.ts";

/**
 * The calls that read from a pipe, and what they read: the inbox, and the queues of subscriptions.
 *
 * What arrives is kept in the inbox while there is no handler, subscription or link. As soon as there is
 * one, the inbox serves only those who are waiting on it.
 */
export abstract class InboxPipe implements ByteSource {
  abstract readonly role: "client" | "server" | "accepted";
  abstract readonly kind: Kind;
  /** Whether what nobody reads in time is dropped: it came in datagrams that nobody sends again. */
  abstract readonly lossy: boolean;
  abstract readonly remoteAddr: NetAddr | undefined;
  abstract readonly conf: Readonly<NetConf>;
  /** Its links and subscriptions, if there ever were any. */
  abstract readonly tied: Ties | undefined;
  /** Whether messages go anywhere but to the inbox. */
  abstract readonly consumed: boolean;
  /** Loops over the pipe: they get every message, whoever else does. */
  loops = 0;
  bytesInHand = 0;
  /** When no more will be received: by which error, if it was one. */
  protected noMore: { readonly error: unknown } | undefined;
  #inbox: Mailbox | undefined;

  abstract report(error: unknown): void;
  abstract noteDropped(): void;
  /** Somebody reads by `recv`, a loop or a queue. */
  protected abstract noteReader(): void;

  /** The implicit queue. */
  get inbox(): Mailbox {
    if (this.#inbox === undefined) {
      this.#inbox = this.mailbox();
      if (this.noMore !== undefined) this.#inbox.end(this.noMore.error);
    }
    return this.#inbox;
  }

  /** Readers waiting on the inbox, without making one. */
  get inboxWaiting(): number {
    return this.#inbox === undefined ? 0 : this.#inbox.waiting;
  }

  recv(sub?: Sub, options?: WaitOptions): Promise<Uint8Array<ArrayBuffer> | null> {
    try {
      return this.#mailboxOf(sub).recv(options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  recvFrom(sub?: Sub, options?: WaitOptions): Promise<Message | null> {
    try {
      return this.#mailboxOf(sub).recvFrom(options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  readExactly(size: number, options?: WaitOptions): Promise<Uint8Array<ArrayBuffer> | null> {
    return this.#readBytes(() => exactly(size), options);
  }

  readUntil(
    delimiter: Uint8Array | string,
    max: number,
    options?: WaitOptions,
  ): Promise<Uint8Array<ArrayBuffer> | null> {
    return this.#readBytes(() => until(delimiter, max), options);
  }

  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    return this.loop(this.conf.reuseBuffers);
  }

  /** A loop over its messages; `lends` says whether their memory may be used again after its steps. */
  protected loop(lends: boolean): AsyncIterator<Message, undefined> {
    let inbox: Mailbox | undefined;
    let hand: Hand | undefined;
    let over = false;
    return {
      next: () => {
        if (over) return Promise.resolve({ done: true, value: undefined });
        if (inbox === undefined || hand === undefined) {
          this.noteReader();
          inbox = this.inbox;
          hand = inbox.hand(lends);
          this.loops++;
        }
        return inbox.next(hand);
      },
      return: () => {
        if (inbox !== undefined && hand !== undefined && !over) {
          this.loops--;
          inbox.leave(hand);
          if (this.loops === 0 && this.consumed) this.#forgetShared(inbox);
        }
        over = true;
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  /**
   * Takes out of the inbox what a filter matches, for a first consumer. What is left can still be read,
   * but holds the pipe up no more: now there is a consumer, and this is not for it. A loop that reads
   * the inbox gets everything all the same.
   */
  protected takeFromInbox(filter?: Filter): Envelope[] {
    if (this.#inbox === undefined || this.#inbox.size === 0) return [];
    if (this.loops > 0) return this.#share(this.#inbox, filter);
    return this.#inbox.extract((envelope) => {
      if (filter === undefined || this.#passes(filter, envelope)) return true;
      envelope.flow.excuse(envelope);
      return false;
    });
  }

  /** What a filter matches and nobody but the loops got yet, for one who gets it, too. */
  #share(inbox: Mailbox, filter?: Filter): Envelope[] {
    const given: Envelope[] = [];
    inbox.extract((envelope) => {
      if (envelope.shared || (filter !== undefined && !this.#passes(filter, envelope))) {
        return false;
      }
      envelope.shared = true;
      envelope.lent = false;
      given.push(envelop(envelope.data, envelope.from, envelope.flow, false, true));
      return false;
    });
    return given;
  }

  /** The last loop was left: the other consumers got what it left, or did not want it. */
  #forgetShared(inbox: Mailbox): void {
    inbox.extract((envelope) => {
      if (!envelope.shared) envelope.flow.excuse(envelope);
      return envelope.shared;
    });
  }

  /** No more will be received: readers get what is held, then null or the error. */
  protected endInput(error?: unknown): void {
    if (this.noMore !== undefined) return;
    this.noMore = { error };
    this.#inbox?.end(error);
    for (const sub of this.tied?.subs ?? []) sub.mailbox.end(error);
  }

  /** No more will be received, and what was is forgotten. */
  protected discardInput(error?: unknown): void {
    this.noMore ??= { error };
    this.#inbox?.discard(error);
    for (const sub of this.tied?.subs ?? []) sub.mailbox.discard(error);
  }

  /** A queue for messages of this pipe. */
  protected mailbox(): Mailbox {
    return new Mailbox(this.lossy, this.conf, this.role === "server", () => this.noteDropped());
  }

  #readBytes(goal: () => Goal, options?: WaitOptions): Promise<Uint8Array<ArrayBuffer> | null> {
    try {
      const read = new ByteRead(this, goal(), options);
      checkByteSource(this);
      this.noteReader();
      return read.start();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #mailboxOf(sub: Sub | undefined): Mailbox {
    const subs = this.tied?.subs;
    if ((subs !== undefined && subs.size > 0) || (sub !== undefined && sub !== SUB_ALL)) {
      const filter = compileFilter(sub, "sub");
      for (const found of subs?.equal(filter) ?? []) return found.mailbox;
      if (filter.key !== "") {
        throw new PipeStateError(
          `Cannot receive: nobody subscribed ${show(sub)}; call subscribe with it first`,
        );
      }
    }
    this.noteReader();
    return this.inbox;
  }

  #passes(filter: Filter, { data, from }: Envelope): boolean {
    try {
      return passes(filter, data, from);
    } catch (error) {
      this.report(error);
      return false;
    }
  }
}
