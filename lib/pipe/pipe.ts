import { PipeClosedError, PipeStateError, PipeTimeoutError } from "../errors.ts";
import type { Endpoint } from "../net/address.ts";
import { LARGE } from "../transport/buffers.ts";
import { TransportError } from "../transport/error.ts";
import type { Transport } from "../transport/transport.ts";
import { PipeBase } from "./base.ts";
import { checkFunction } from "./checks.ts";
import type { NetConf } from "./conf.ts";
import { deliver, readerOf, type ReadingServer, type Source } from "./dispatch.ts";
import type { Filter } from "./filter.ts";
import { type Envelope, Flow, type FlowPipe } from "./flow.ts";
import { Gate } from "./gate.ts";
import type { Handler, HandlerList } from "./handler_list.ts";
import { HandlerRunner } from "./handlers.ts";
import { IdleWatch } from "./idle_watch.ts";
import type { Kind } from "./mailbox.ts";
import { Outbox, type Sender, type SendWatcher } from "./outbox.ts";
import { request } from "./request.ts";
import { RequestBook } from "./request_book.ts";
import { Tally } from "./tally.ts";
import type { TlsConf } from "./tls_conf.ts";
import { TlsStart, type TlsStarter } from "./tls_start.ts";
import type {
  CloseInfo,
  Dest,
  EndCb,
  Message,
  NetAddr,
  Proto,
  RequestOptions,
  UpCb,
} from "./types.ts";
import type { TlsInfo } from "./tls_info.ts";

/** What an accepted pipe needs of its server. */
export interface ServerSide extends ReadingServer {
  /** Whether anything on the server consumes its connections. */
  readonly watched: boolean;
  /** Takes out of the server's inbox what came by a connection. */
  giveBack(pipe: ConnPipe): Envelope[];
  /** A connection is closed. */
  gone(pipe: ConnPipe): void;
}

/** How a {@linkcode ConnPipe} came to be. */
export interface ConnPipeOptions {
  readonly proto: Proto;
  readonly role: "client" | "server" | "accepted";
  readonly route: Dest | undefined;
  /** The peer as the caller named it. */
  readonly dest?: Endpoint | undefined;
  readonly conf: Readonly<NetConf>;
  readonly server?: ServerSide;
}

const NO_TIES = { subs: { size: 0 }, links: { size: 0 } };

/** A pipe with a transport of its own: a client, an accepted connection, or a datagram socket. */
export class ConnPipe extends PipeBase implements Source, FlowPipe, Sender, TlsStarter {
  readonly role: "client" | "server" | "accepted";
  readonly kind: Kind;
  readonly lossy: boolean;
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr | undefined;
  readonly flow: Flow;
  readonly server: ServerSide | undefined;
  readonly runner: HandlerRunner;
  readonly lentFrom: number;
  #transport: Transport;
  /** While TLS is being started. */
  #tlsStart: TlsStart | undefined;
  /** Resolves when that is over, one way or the other. */
  #replaced: Promise<void> | undefined;
  /** The host that the caller wanted to reach, which TLS has to prove. */
  readonly #name: string | undefined;
  readonly #outbox: Outbox;
  /** What its messages have to pass, if there is anything to be checked. */
  readonly #gate: Gate | undefined;
  #requests: RequestBook | undefined;
  #idleWatch: IdleWatch | undefined;
  #state: "open" | "closing" | "closed" = "open";
  #inputEnded = false;
  #endsCalled = false;
  #stopped = false;
  #closing: Promise<void> | undefined;
  /** What ended it, if it did not end in good order. */
  #failure: unknown;
  /** Somebody has read by `recv`, a loop or a queue. */
  #pulled = false;
  /** When the input ended, handlers and links alone consumed it. */
  #pushed = false;
  /** `accept` gave it to somebody. */
  #claimed = false;

  constructor(transport: Transport, options: ConnPipeOptions) {
    const { conf, server } = options;
    super(options.proto, options.route, conf, new Tally(server?.tally));
    this.role = options.role;
    this.kind = transport.kind;
    const { reliability } = transport;
    this.lossy = this.kind === "datagram" && reliability === undefined;
    this.localAddr = transport.localAddr;
    this.remoteAddr = transport.remoteAddr;
    this.#transport = transport;
    this.server = server;
    this.lentFrom = conf.reuseBuffers && this.kind === "stream" ? LARGE : Infinity;
    const bytes = this.lossy ? Infinity : conf.readerLimit;
    const messages = this.lossy ? 0 : conf.maxQsize;
    this.flow = new Flow(this, { bytes, messages });
    this.runner = new HandlerRunner(this);
    const gate = this.#gate = Gate.for(this);
    if (reliability !== undefined) {
      reliability.admits = (from) => gate === undefined || gate.admits(from);
      reliability.onDuplicate = () => this.tally.duplicate();
    }
    this.#outbox = new Outbox(transport, this, options.dest);
    this.#name = options.dest?.path === undefined ? options.dest?.hostname : undefined;
    if (server !== undefined) {
      this.handlers = server.handlers;
      this.ups = server.ups;
      this.ends = server.ends;
    }
  }

  /** For the handlers, which are called with it. */
  get pipe(): this {
    return this;
  }

  get sock(): unknown {
    return this.#transport.raw;
  }

  get tls(): TlsInfo | undefined {
    return this.#transport.tls;
  }

  get hasOwner(): boolean {
    return this.#claimed || this.#pulled;
  }

  protected get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Whether either side of the stream has ended. */
  get halfEnded(): boolean {
    return this.#inputEnded || this.#outbox.ended;
  }

  /** Whether messages go anywhere but to an inbox, on the server included. */
  override get consumed(): boolean {
    const shared = this.server?.tied;
    return super.consumed || (shared !== undefined && shared.takers > 0);
  }

  /** `request` calls in progress; made when needed. */
  get requests(): RequestBook {
    return this.#requests ??= new RequestBook();
  }

  get asking(): RequestBook | undefined {
    return this.#requests;
  }

  /** Whether this side has ended it: nothing is handled any more. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Calls the up handlers and starts to read. */
  start(): void {
    for (const cb of this.ups) this.runner.before(() => cb(null, this.#peer, this));
    const { idleTimeout } = this.conf;
    if (idleTimeout > 0 && idleTimeout < Infinity) {
      const idle = () =>
        this.#break("idle", new PipeTimeoutError(`No message came or went for ${idleTimeout} ms`));
      this.#idleWatch = new IdleWatch(idleTimeout, () => this.tally.activity, idle);
    }
    this.#read();
  }

  /** `accept` gives it away: it is its owner's to close. */
  claim(): void {
    this.#own();
    this.#claimed = true;
  }

  send(data: Uint8Array | string, dest?: Dest): Promise<number> {
    return this.#outbox.send(data, dest);
  }

  forward(data: Uint8Array): Promise<unknown> {
    return this.#outbox.forward(data);
  }

  watchSend(promise: unknown, watcher: SendWatcher, size: number): boolean {
    return this.#outbox.watch(promise, watcher, size);
  }

  destination(dest: Dest | undefined): NetAddr | Promise<NetAddr> {
    return this.#outbox.destination(dest);
  }

  request(data: Uint8Array | string, options: RequestOptions = {}): Promise<Message> {
    if (this.#inputEnded) {
      return Promise.reject(
        this.#state === "open"
          ? new PipeClosedError("Cannot request: the peer has ended, no reply can come")
          : this.#closedError("request"),
      );
    }
    this.#pulled = true;
    return request(this, data, options);
  }

  addUpCb(cb: UpCb): this {
    checkFunction(cb, "upCb");
    if (this.ups.includes(cb)) return this;
    this.ups = [...this.ups, cb];
    if (this.#state === "open") this.runner.before(() => cb(null, this.#peer, this));
    return this;
  }

  addEndCb(cb: EndCb): this {
    checkFunction(cb, "endCb");
    if (this.ends.includes(cb)) return this;
    this.ends = [...this.ends, cb];
    if (this.#endsCalled) queueMicrotask(() => this.#callEnd(cb));
    return this;
  }

  attach(handler: Handler, shared?: HandlerList): void {
    if (this.handlers.has(handler)) return;
    this.handlers = shared ?? this.handlers.with(handler);
    this.runner.feed(this.takeHeld(handler.filter));
    this.consumerAdded();
  }

  protected consumerAdded(): void {
    if (this.#inputEnded) this.#pushed = true;
    this.flowIdle();
  }

  detach(handler: Handler, shared?: HandlerList): void {
    this.handlers = shared ?? this.handlers.without(handler);
    if (this.handlers.size > 0) return;
    // What no handler has begun with is for the next consumer, unless another one has had it.
    const left = this.runner.drain();
    const reader = readerOf(this);
    if (this.consumed || reader.loops > 0) return;
    for (const envelope of left) reader.inbox.restore(envelope);
  }

  /** Hands over messages that waited elsewhere to the handlers. */
  feed(envelopes: readonly Envelope[]): void {
    this.runner.feed(envelopes);
  }

  takeHeld(filter?: Filter): Envelope[] {
    return this.takeFromInbox(filter);
  }

  protected noteReader(): void {
    if (!this.#pulled) this.#own();
    this.#pulled = true;
  }

  /** From now on it is read for itself, with what its server's reader has not taken yet. */
  #own(): void {
    for (const envelope of this.server?.giveBack(this) ?? []) this.inbox.restore(envelope);
  }

  async closeWrite(): Promise<void> {
    await this.#outbox.closeWrite();
    this.flowIdle();
  }

  async startTls(tls: true | TlsConf = true): Promise<TlsInfo> {
    if (this.#tlsStart !== undefined) {
      throw new PipeStateError("Cannot start TLS: it is being started");
    }
    const start = this.#tlsStart = new TlsStart(this, this.#transport, tls, this.#name);
    this.#replaced = this.#outbox.replace(start.secured).catch(() => {});
    try {
      const secured = await start.secured;
      if (this.isOpen) this.#transport = secured;
      else secured.abort();
    } catch (error) {
      if (this.isOpen) {
        this.#break("error", error);
        throw error;
      }
    } finally {
      this.#tlsStart = undefined;
    }
    const info = this.tls;
    if (info === undefined) throw this.#closedError("start TLS");
    return info;
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  abort(reason?: unknown): void {
    if (this.#state === "closed") return this.#callEnds(); // a handler may have kept them waiting
    this.#state = "closed"; // first, because links come back here
    this.#failure = reason;
    const error = new PipeClosedError("The pipe was aborted", { cause: reason });
    this.#stop(error);
    this.#transport.abort(reason);
    this.#finish(reason === undefined ? { by: "local" } : { by: "local", error: reason });
  }

  /** Ends it by an error that none of its calls has met. */
  lose(error: Error): void {
    this.#break("error", error);
  }

  unlinked(): void {
    this.flowIdle();
  }

  get #peer(): NetAddr {
    return this.remoteAddr ?? this.localAddr;
  }

  async #read(): Promise<void> {
    try {
      while (this.#state !== "closed") {
        if (this.#tlsStart !== undefined) await this.#replaced;
        if (await this.#transport.pull(this.#sink) === "end") break;
        await this.flow.room();
      }
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (this.#state === "open") this.#endOfInput();
  }

  readonly #sink = (data: Uint8Array, sender: NetAddr): boolean => {
    // Closing: read on and forget, or a peer that waits for us to read would never let us finish.
    if (this.#state !== "open") return true;
    const gate = this.#gate;
    let from: NetAddr | undefined = sender;
    if (gate === undefined) this.tally.received(data.length);
    else from = gate.enter(data, sender);
    if (from !== undefined) deliver(this, data, from);
    return this.flow.open;
  };

  refusal(action: string): Error | undefined {
    return this.#state === "open" ? undefined : this.#closedError(action);
  }

  /** A stream whose input has ended, and that cannot be sent to any more, is over. */
  lost(error: TransportError): void {
    if (this.#inputEnded) this.#fail(error);
  }

  #closedError(action: string): PipeClosedError {
    const why = this.#failure === undefined ? "" : `: ${messageOf(this.#failure)}`;
    return new PipeClosedError(`Cannot ${action}: the pipe is closed${why}`, {
      addr: this.remoteAddr,
      cause: this.#failure,
    });
  }

  /** The peer has ended its side in good order, or a datagram socket was closed underneath. */
  #endOfInput(): void {
    this.#inputEnded = true;
    const { subs, links } = this.tied ?? NO_TIES;
    const readers = this.inboxWaiting + this.loops + subs.size;
    this.#pushed = readers === 0 && this.handlers.size + links.size > 0;
    this.endInput();
    this.#requests?.fail(new PipeClosedError("The pipe ended before the reply came"));
    this.endLinks();
    this.runner.whenIdle(() => this.#callEnds());
  }

  #fail(error: unknown): void {
    const fault = error instanceof TransportError ? error : new TransportError("failed", error);
    // The owner of the platform's object closed it.
    if (fault.fault === "closed") return void this.close();
    this.#break(fault.fault === "reset" ? "reset" : "error", fault.cause);
  }

  /** Ends it by an error: what was received can still be read. */
  #break(by: "reset" | "idle" | "error", cause: unknown): void {
    if (this.#state === "closed") return;
    this.#state = "closed"; // first, because links come back here
    const why = by === "reset"
      ? "The peer reset the connection"
      : `The pipe failed: ${messageOf(cause)}`;
    const closed = new PipeClosedError(why, { addr: this.remoteAddr, cause });
    this.#inputEnded = true;
    this.#failure = cause;
    this.endInput(closed);
    this.#requests?.fail(closed);
    this.endLinks(closed);
    this.runner.whenIdle(() => this.#callEnds());
    this.#transport.abort(cause);
    this.#finish({ by, error: cause });
  }

  async #close(): Promise<void> {
    if (this.#state === "closed") {
      this.#callEnds();
      return await this.#transport.close(); // the system may not have freed the port yet
    }
    // What was sent meanwhile goes out first, if it can.
    if (this.#tlsStart !== undefined) await this.#replaced;
    if (this.#isClosed) return;
    this.#state = "closing";
    const by = this.#inputEnded ? "remote" : "local";
    this.#stop();
    await this.#flush();
    if (this.#isClosed) return; // aborted meanwhile
    this.#state = "closed";
    this.#finish({ by });
  }

  /** Closes the transport, waiting for what was sent as long as `conf.linger` says. */
  async #flush(): Promise<void> {
    const { linger } = this.conf;
    if (linger === 0) this.#transport.abort();
    const timer = linger === null || linger > 0x7fffffff
      ? undefined
      : setTimeout(() => this.#transport.abort(), linger);
    await this.#transport.close();
    clearTimeout(timer);
  }

  /** This side ends the input: forgets what is unread and calls the end handlers. */
  #stop(error?: unknown): void {
    this.#stopped = true;
    this.discardInput(error);
    this.#requests?.fail(error ?? this.#closedError("wait for a reply"));
    this.runner.drain();
    this.endLinks(error);
    this.#callEnds();
    this.flow.wake();
  }

  /** Tells everybody, once. */
  #finish(info: CloseInfo): void {
    this.#idleWatch?.stop();
    this.#tlsStart?.stop();
    this.flow.wake();
    for (const link of this.tied?.incoming ?? []) link.targetClosed(info);
    this.server?.gone(this);
    this.settleClosed(info);
  }

  /** For where the compiler thinks that an await changes nothing. */
  get #isClosed(): boolean {
    return this.#state === "closed";
  }

  #callEnds(): void {
    if (this.#endsCalled) return;
    this.#endsCalled = true;
    for (const cb of this.ends) this.#callEnd(cb);
    this.flowIdle();
  }

  #callEnd(cb: EndCb): void {
    if (this.ends.includes(cb)) this.runner.before(() => cb(null, this.#peer, this));
  }

  /** Looks, a moment later, whether anybody will still need this pipe. */
  flowIdle(): void {
    if (this.#inputEnded && this.#state === "open") queueMicrotask(() => this.#closeIfDone());
  }

  recycle(data: Uint8Array, forwarded: boolean): void {
    this.#transport.recycle?.(data, forwarded);
  }

  #closeIfDone(): void {
    if (this.#state !== "open" || !this.#endsCalled || !this.flow.idle) return;
    if (this.#outbox.ended || this.#closesItself) void this.close();
  }

  /** Whether nobody but the pipe itself is there to close it. */
  get #closesItself(): boolean {
    for (const link of this.tied?.incoming ?? []) if (link.carriesEnd) return false; // that one will
    if (this.server === undefined || this.#claimed) return this.#pushed;
    return this.server.watched && (this.#pushed || !this.#pulled);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
