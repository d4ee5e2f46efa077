import { formatAddr } from "../net/address.ts";
import { show } from "../net/show.ts";
import { PipeStateError } from "../errors.ts";
import { checkFunction, checkOptions, flag } from "./checks.ts";
import type { NetConf } from "./conf.ts";
import { compileFilter, type Filter } from "./filter.ts";
import type { Envelope } from "./flow.ts";
import { type Handler, HandlerList } from "./handler_list.ts";
import { InboxPipe } from "./inbox_pipe.ts";
import { Link, type LinkEnd } from "./link.ts";
import { readableOf, writableOf } from "./streams.ts";
import { HandlerSubscription, QueueSubscription } from "./subscription.ts";
import { Tally } from "./tally.ts";
import { Ties } from "./ties.ts";
import type { TlsConf } from "./tls_conf.ts";
import type { Pipe } from "./pipe_types.ts";
import type {
  CloseInfo,
  Dest,
  EndCb,
  LinkOptions,
  Message,
  MsgCb,
  NetAddr,
  PipeStats,
  Proto,
  RequestOptions,
  Sub,
  Subscription,
  UpCb,
} from "./types.ts";
import type { TlsInfo } from "./tls_info.ts";

const NONE: readonly never[] = [];

/**
 * The consumers of a pipe that get its messages without a call for each: handlers, subscriptions and
 * links. The same for one connection, a datagram socket and a server with many connections. The first of
 * them takes over what the inbox holds.
 */
export abstract class PipeBase extends InboxPipe implements Pipe, LinkEnd {
  abstract readonly sock: unknown;
  abstract readonly localAddr: NetAddr;
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
  protected readonly settleClosed: (info: CloseInfo) => void;
  #ties: Ties | undefined;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;

  constructor(
    proto: Proto,
    route: Dest | undefined,
    conf: Readonly<NetConf>,
    tally: Tally = new Tally(),
  ) {
    super();
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
  /** Whether it has failed, and its owner has not ended it since. */
  abstract readonly isBroken: boolean;
  /** Puts a handler into effect, and hands it what is held. */
  abstract attach(handler: Handler): void;
  /** Takes a handler out of effect. */
  abstract detach(handler: Handler): void;
  /** Takes out what is held for a first consumer with this filter. */
  abstract takeHeld(filter?: Filter): Envelope[];
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
    if (this.noMore !== undefined) subscription.mailbox.end(this.noMore.error);
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
    checkPipe(pipe);
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
    const { noMore } = this;
    // A moment later, when the link back has been made too and tells that the end is to be passed on.
    if (noMore !== undefined) queueMicrotask(() => link.sourceEnded(noMore.error));
    return this;
  }

  delPipe(pipe: Pipe): this {
    checkPipe(pipe);
    for (const link of this.ties.links) if (link.target === pipe) link.cut();
    for (const link of this.ties.failedLinks) if (link.target === pipe) link.forget();
    return this;
  }

  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= readableOf(this.loop(false));
  }

  get writable(): WritableStream<Uint8Array> {
    return this.#writable ??= writableOf(this, this.kind);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What it is, to whoever shows objects by their class. */
  get [Symbol.toStringTag](): string {
    return "Pipe";
  }

  /** One line, without what is queued. */
  [Symbol.for("Deno.customInspect")](): string {
    const peer = this.remoteAddr === undefined ? "" : ` to ${formatAddr(this.remoteAddr)}`;
    const state = this.isOpen ? "open" : "closed";
    return `Pipe(${this.proto} ${this.role}, ${formatAddr(this.localAddr)}${peer}, ${state})`;
  }

  /** Gives an error that has no caller to `conf.onError`. */
  report(error: unknown): void {
    const failed = (failure: unknown) => console.error(failure);
    try {
      // An async function is one that gives nothing, too, as far as its type goes.
      const result: unknown = this.conf.onError(error, this);
      Promise.resolve(result).catch(failed);
    } catch (failure) {
      failed(failure);
    }
  }

  noteDropped(): void {
    this.tally.dropped();
  }

  /** Whether messages go anywhere but to the inbox. */
  get consumed(): boolean {
    return this.handlers.size > 0 || (this.#ties !== undefined && this.#ties.takers > 0);
  }

  /** Tells the links from here that no more will come: in good order, or by an error. */
  protected endLinks(error?: unknown): void {
    for (const link of this.#ties?.links ?? []) link.sourceEnded(error);
    for (const link of this.#ties?.failedLinks ?? []) link.forget();
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
}

/** Refuses what is no pipe of this library. */
export function checkPipe(pipe: unknown): asserts pipe is PipeBase {
  if (pipe instanceof PipeBase) return;
  throw new TypeError(`pipe: a pipe of this library is needed, got ${show(pipe)}`);
}

function checkLinkOptions(options: LinkOptions): LinkOptions {
  const { end } = checkOptions(options, "end");
  if (end !== undefined) flag(end, "options.end");
  return options;
}
