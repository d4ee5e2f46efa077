import { formatAddr } from "../net/address.ts";
import { show } from "../net/show.ts";
import { PipeStateError } from "../errors.ts";
import { ByteRead, checkByteSource, exactly, type Goal, until } from "./byte_read.ts";
import { checkFunction } from "./checks.ts";
import type { NetConf } from "./conf.ts";
import { compileFilter, type Filter, passes, SUB_ALL } from "./filter.ts";
import type { Envelope } from "./flow.ts";
import { type Handler, HandlerList } from "./handler_list.ts";
import { Link, type LinkEnd } from "./link.ts";
import { type Hand, type Kind, Mailbox } from "./mailbox.ts";
import { readableOf, writableOf } from "./streams.ts";
import { HandlerSubscription, QueueSubscription } from "./subscription.ts";
import { Tally } from "./tally.ts";
import { Ties } from "./ties.ts";
import type { TlsConf } from "./tls_conf.ts";
import type {
  CloseInfo,
  Dest,
  EndCb,
  LinkOptions,
  Message,
  MsgCb,
  NetAddr,
  Pipe,
  PipeStats,
  Proto,
  RequestOptions,
  Sub,
  Subscription,
  UpCb,
  WaitOptions,
} from "./types.ts";
import type { TlsInfo } from "./tls_info.ts";

const NONE: readonly never[] = [];

/**
 * The consumers of a pipe: everything that is the same for one connection, a datagram socket and a
 * server with many connections.
 *
 * What arrives is kept in the inbox while there is no handler, subscription or link. The first of them
 * takes over what it holds, and then the inbox serves only those who are waiting on it.
 */
export abstract class PipeBase implements Pipe, LinkEnd {
  abstract readonly role: "client" | "server" | "accepted";
  abstract readonly kind: Kind;
  /** Whether what nobody reads in time is dropped: it came in datagrams that nobody sends again. */
  abstract readonly lossy: boolean;
  abstract readonly sock: unknown;
  abstract readonly localAddr: NetAddr;
  abstract readonly remoteAddr: NetAddr | undefined;
  abstract readonly tls: TlsInfo | undefined;
  readonly proto: Proto;
  readonly route: Dest | undefined;
  readonly conf: Readonly<NetConf>;
  readonly closed: Promise<CloseInfo>;
  readonly tally: Tally;
  /** The message handlers. */
  handlers = HandlerList.NONE;
  /** The up and end handlers. Never changed, so that the connections of a server share them. */
  ups: readonly UpCb[] = NONE;
  ends: readonly EndCb[] = NONE;
  /** Loops over the pipe: they get every message, whoever else does. */
  loops = 0;
  bytesInHand = 0;
  protected readonly settleClosed: (info: CloseInfo) => void;
  #ties: Ties | undefined;
  #inbox: Mailbox | undefined;
  #inputEnd: { readonly error: unknown } | undefined;
  #readable: ReadableStream<Uint8Array> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;

  constructor(
    proto: Proto,
    route: Dest | undefined,
    conf: Readonly<NetConf>,
    tally: Tally = new Tally(),
  ) {
    this.proto = proto;
    this.route = route;
    this.conf = conf;
    this.tally = tally;
    const { promise, resolve } = Promise.withResolvers<CloseInfo>();
    this.closed = promise;
    this.settleClosed = resolve;
  }

  abstract send(data: Uint8Array | string, dest?: Dest): Promise<number>;
  abstract request(data: Uint8Array | string, options?: RequestOptions): Promise<Message>;
  abstract forward(data: Uint8Array): Promise<unknown>;
  abstract addUpCb(cb: UpCb): this;
  abstract addEndCb(cb: EndCb): this;
  abstract startTls(tls?: true | TlsConf): Promise<TlsInfo>;
  abstract closeWrite(): Promise<void>;
  abstract close(): Promise<void>;
  abstract abort(reason?: unknown): void;
  /** Whether it has not begun to close. */
  protected abstract get isOpen(): boolean;
  /** Puts a handler into effect, and hands it what is held. */
  abstract attach(handler: Handler): void;
  /** Takes a handler out of effect. */
  abstract detach(handler: Handler): void;
  /** Takes out what is held for a first consumer with this filter. */
  abstract takeHeld(filter?: Filter): Envelope[];
  /** Somebody reads by `recv`, a loop or a queue. */
  protected abstract noteReader(): void;
  abstract unlinked(): void;
  /** There is a handler or link more. */
  protected abstract consumerAdded(): void;

  get stats(): PipeStats {
    return this.tally.snapshot();
  }

  /** Its links and subscriptions, made when needed. */
  get ties(): Ties {
    return this.#ties ??= new Ties();
  }

  /** Those that there are, without making any. */
  get tied(): Ties | undefined {
    return this.#ties;
  }

  /** The implicit queue. */
  get inbox(): Mailbox {
    if (this.#inbox === undefined) {
      this.#inbox = this.mailbox();
      if (this.#inputEnd !== undefined) this.#inbox.end(this.#inputEnd.error);
    }
    return this.#inbox;
  }

  /** Readers waiting on the inbox, without making one. */
  get inboxWaiting(): number {
    return this.#inbox === undefined ? 0 : this.#inbox.waiting;
  }

  recv(sub?: Sub, options?: WaitOptions): Promise<Uint8Array | null> {
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

  readExactly(size: number, options?: WaitOptions): Promise<Uint8Array | null> {
    return this.#readBytes(() => exactly(size), options);
  }

  readUntil(
    delimiter: Uint8Array | string,
    max: number,
    options?: WaitOptions,
  ): Promise<Uint8Array | null> {
    return this.#readBytes(() => until(delimiter, max), options);
  }

  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    let inbox: Mailbox | undefined;
    let hand: Hand | undefined;
    let over = false;
    return {
      next: () => {
        if (over) return Promise.resolve({ done: true, value: undefined });
        if (inbox === undefined || hand === undefined) {
          this.noteReader();
          inbox = this.inbox;
          hand = inbox.hand();
          this.loops++;
        }
        return inbox.next(hand);
      },
      return: () => {
        if (inbox !== undefined && hand !== undefined && !over) {
          this.loops--;
          inbox.leave(hand);
          // What is left was given to the other consumers as well.
          if (this.loops === 0 && this.consumed) inbox.extract();
        }
        over = true;
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  subscribe(sub?: Sub, handler?: MsgCb): Subscription {
    const filter = compileFilter(sub, "sub");
    if (filter.test !== undefined && this.kind === "stream" && this.conf.framing === null) {
      throw new PipeStateError(
        "Cannot subscribe to a pattern: a byte stream has no message boundaries, so a pattern could " +
          'be cut in two; set conf.framing to lines() or another framing, or to "raw" to match ' +
          "whatever one read gives",
      );
    }
    if (handler !== undefined) return this.#subscribeHandler(filter, handler);
    this.noteReader();
    const subscription = new QueueSubscription(
      filter,
      this.mailbox(),
      () => this.ties.subs.delete(subscription),
    );
    for (const envelope of this.takeHeld(filter)) subscription.mailbox.push(envelope);
    this.ties.subs.add(subscription);
    if (this.#inputEnd !== undefined) subscription.mailbox.end(this.#inputEnd.error);
    return subscription;
  }

  unsubscribe(sub: Sub | Subscription): this {
    if (sub instanceof QueueSubscription || sub instanceof HandlerSubscription) {
      sub.close();
      return this;
    }
    const filter = compileFilter(sub, "sub");
    const { subs, handlerSubs } = this.ties;
    for (const s of subs.equal(filter)) s.close();
    for (const s of handlerSubs.equal(filter)) s.close();
    return this;
  }

  addMsgCb(cb: MsgCb): this {
    checkFunction(cb, "msgCb");
    if (this.#handlerOf(cb) === undefined) this.attach({ cb, filter: undefined });
    return this;
  }

  delMsgCb(cb: MsgCb): this {
    const handler = this.#handlerOf(cb);
    if (handler !== undefined) this.detach(handler);
    return this;
  }

  delUpCb(cb: UpCb): this {
    this.ups = this.ups.filter((up) => up !== cb);
    return this;
  }

  delEndCb(cb: EndCb): this {
    this.ends = this.ends.filter((end) => end !== cb);
    return this;
  }

  addPipe(pipe: Pipe, options: LinkOptions = {}): this {
    if (!(pipe instanceof PipeBase)) {
      throw new TypeError(`pipe: a pipe of this library is needed, got ${show(pipe)}`);
    }
    if (pipe === this) throw new PipeStateError("Cannot link: a pipe cannot feed itself");
    const { end } = checkLinkOptions(options);
    for (const link of this.ties.links) if (link.target === pipe) return this;
    if (!this.isOpen || !pipe.isOpen) {
      throw new PipeStateError(`Cannot link: the ${this.isOpen ? "target" : "pipe"} is closed`);
    }
    if (pipe.remoteAddr === undefined) {
      throw new PipeStateError(
        `Cannot link: the target ${formatAddr(pipe.localAddr)} has no peer to send to; link to a ` +
          "client or an accepted pipe, or answer each sender from a handler",
      );
    }
    const held = this.takeHeld();
    const link = Link.between(this, pipe, end);
    for (const envelope of held) link.offer(envelope);
    this.consumerAdded();
    const inputEnd = this.#inputEnd;
    // A moment later, when the link back has been made too and tells that the end is to be passed on.
    if (inputEnd !== undefined) queueMicrotask(() => link.sourceEnded(inputEnd.error));
    return this;
  }

  delPipe(pipe: Pipe): this {
    if (!(pipe instanceof PipeBase)) return this;
    for (const link of this.ties.links) if (link.target === pipe) link.cut();
    for (const link of this.ties.failedLinks) if (link.target === pipe) link.forget();
    return this;
  }

  get readable(): ReadableStream<Uint8Array> {
    return this.#readable ??= readableOf(this);
  }

  get writable(): WritableStream<Uint8Array> {
    return this.#writable ??= writableOf(this, this.kind);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** One line, without what is queued. */
  [Symbol.for("Deno.customInspect")](): string {
    const peer = this.remoteAddr === undefined ? "" : ` to ${formatAddr(this.remoteAddr)}`;
    const state = this.isOpen ? "open" : "closed";
    return `Pipe(${this.proto} ${this.role}, ${formatAddr(this.localAddr)}${peer}, ${state})`;
  }

  /** Gives an error that has no caller to `conf.onError`. */
  report(error: unknown): void {
    try {
      this.conf.onError(error, this);
    } catch (failure) {
      console.error(failure);
    }
  }

  noteDropped(): void {
    this.tally.dropped();
  }

  /** Whether messages go anywhere but to the inbox. */
  get consumed(): boolean {
    return this.handlers.size > 0 || (this.#ties !== undefined && this.#ties.takers > 0);
  }

  /**
   * Takes out of the inbox what a filter matches; nothing while a loop reads it. What is left can still
   * be read, but holds the pipe up no more: now there is a consumer, and this is not for it.
   */
  protected takeFromInbox(filter?: Filter): Envelope[] {
    if (this.#inbox === undefined || this.#inbox.size === 0 || this.loops > 0) return [];
    return this.#inbox.extract((envelope) => {
      if (filter === undefined || this.#passes(filter, envelope)) return true;
      envelope.flow.excuse(envelope);
      return false;
    });
  }

  /** No more will be received: readers get what is held, then null or the error. */
  protected endInput(error?: unknown): void {
    if (this.#inputEnd !== undefined) return;
    this.#inputEnd = { error };
    this.#inbox?.end(error);
    for (const sub of this.#ties?.subs ?? []) sub.mailbox.end(error);
  }

  /** Tells the links from here that no more will come: in good order, or by an error. */
  protected endLinks(error?: unknown): void {
    for (const link of this.#ties?.links ?? []) link.sourceEnded(error);
    for (const link of this.#ties?.failedLinks ?? []) link.forget();
  }

  /** No more will be received, and what was is forgotten. */
  protected discardInput(error?: unknown): void {
    this.#inputEnd ??= { error };
    this.#inbox?.discard(error);
    for (const sub of this.#ties?.subs ?? []) sub.mailbox.discard(error);
  }

  /** A queue for messages of this pipe. */
  protected mailbox(): Mailbox {
    return new Mailbox(this.lossy, this.conf, this.role === "server", () => this.noteDropped());
  }

  #subscribeHandler(filter: Filter, cb: MsgCb): Subscription {
    checkFunction(cb, "handler");
    const handler: Handler = { cb, filter };
    const subscription = new HandlerSubscription(filter, () => {
      this.ties.handlerSubs.delete(subscription);
      this.detach(handler);
    });
    this.ties.handlerSubs.add(subscription);
    this.attach(handler);
    return subscription;
  }

  #handlerOf(cb: MsgCb): Handler | undefined {
    return this.handlers.all.find((h) => h.cb === cb && h.filter === undefined);
  }

  #readBytes(goal: () => Goal, options?: WaitOptions): Promise<Uint8Array | null> {
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
    const subs = this.#ties?.subs;
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

function checkLinkOptions(options: unknown): LinkOptions {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`options: { end? } is needed, got ${show(options)}`);
  }
  const { end }: { end?: unknown } = options;
  if (end !== undefined && typeof end !== "boolean") {
    throw new TypeError(`options.end: true or false is needed, got ${show(end)}`);
  }
  return options;
}
