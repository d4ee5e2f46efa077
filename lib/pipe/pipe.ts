import { PipeClosedError, PipeStateError } from "../errors.ts";
import type { Endpoint } from "../net/address.ts";
import type { Lookup } from "../net/resolve.ts";
import { LARGE } from "../transport/buffers.ts";
import type { Transport } from "../transport/transport.ts";
import type { NetConf } from "./conf.ts";
import { deliver, readerOf, type ReadingServer, type Source } from "./dispatch.ts";
import type { Filter } from "./filter.ts";
import { type Envelope, Flow, type FlowPipe } from "./flow.ts";
import { Gate } from "./gate.ts";
import type { Handler, HandlerList } from "./handler_list.ts";
import { HandlerRunner } from "./handlers.ts";
import type { Kind } from "./mailbox.ts";
import { type Keeper, MortalPipe } from "./mortal_pipe.ts";
import { Outbox, type Sender, type SendWatcher } from "./outbox.ts";
import { request } from "./request.ts";
import { RequestBook } from "./request_book.ts";
import { Tally } from "./tally.ts";
import type { TlsConf } from "./tls_conf.ts";
import { TlsStart, type TlsStarter } from "./tls_start.ts";
import type { Dest, Message, NetAddr, Proto, RequestOptions } from "./types.ts";
import type { TlsInfo } from "./tls_info.ts";

/** What an accepted pipe needs of its server. */
export interface ServerSide extends ReadingServer, Keeper<ConnPipe> {
  /** Takes out of the server's inbox what came by a connection. */
  giveBack(pipe: ConnPipe): Envelope[];
}

/** How a {@linkcode ConnPipe} came to be. */
export interface ConnPipeOptions {
  readonly proto: Proto;
  readonly role: "client" | "server" | "accepted";
  readonly route: Dest | undefined;
  /** The peer as the caller named it. */
  readonly dest?: Endpoint | undefined;
  readonly conf: Readonly<NetConf>;
  /** Looks up the names that datagrams are sent to, unless `conf.lookup` does. @default {the system's} */
  readonly lookup?: Lookup | undefined;
  readonly server?: ServerSide;
}

/**
 * A pipe with a transport of its own: a client, an accepted connection, or a datagram socket. Here is
 * what goes through it; how it comes up and ends is in `MortalPipe`.
 */
export class ConnPipe extends MortalPipe implements Source, FlowPipe, Sender, TlsStarter {
  readonly role: "client" | "server" | "accepted";
  readonly kind: Kind;
  readonly lossy: boolean;
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr | undefined;
  readonly flow: Flow;
  readonly server: ServerSide | undefined;
  readonly runner: HandlerRunner;
  lentFrom: number;
  protected transport: Transport;
  /** The host that the caller wanted to reach, which TLS has to prove. */
  readonly #name: string | undefined;
  readonly #outbox: Outbox;
  protected pulled = false;
  protected claimed = false;
  /** What its messages have to pass, if there is anything to be checked. */
  readonly #gate: Gate | undefined;
  #requests: RequestBook | undefined;

  constructor(transport: Transport, options: ConnPipeOptions) {
    const { conf, server } = options;
    super(options.proto, options.route, conf, new Tally(server?.tally));
    this.role = options.role;
    this.kind = transport.kind;
    const { reliability } = transport;
    this.lossy = this.kind === "datagram" && reliability === undefined;
    this.localAddr = transport.localAddr;
    this.remoteAddr = transport.remoteAddr;
    this.transport = transport;
    this.server = server;
    this.lentFrom = lentFrom(conf, transport);
    const bytes = this.lossy ? Infinity : conf.readerLimit;
    const messages = this.lossy ? 0 : conf.maxQsize;
    this.flow = new Flow(this, { bytes, messages });
    this.runner = new HandlerRunner(this);
    const gate = this.#gate = Gate.for(this);
    if (reliability !== undefined) {
      reliability.admits = (from) => gate === undefined || gate.admits(from);
      reliability.onDuplicate = () => this.tally.duplicate();
    }
    this.#outbox = new Outbox(transport, this, options.dest, options.lookup);
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
    return this.transport.raw;
  }

  get tls(): TlsInfo | undefined {
    return this.transport.tls;
  }

  get hasOwner(): boolean {
    return this.claimed || this.pulled;
  }

  protected get outputEnded(): boolean {
    return this.#outbox.ended;
  }

  /** Whether either side of the stream has ended. */
  get halfEnded(): boolean {
    return this.inputEnded || this.outputEnded;
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

  /** Calls the up handlers and starts to read. */
  start(): void {
    this.comeUp();
    this.#read();
  }

  /** `accept` gives it away: it is its owner's to close. */
  claim(): void {
    this.#own();
    this.claimed = true;
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

  protected stopSending(): void {
    this.#outbox.stop();
  }

  destination(dest: Dest | undefined): NetAddr | Promise<NetAddr> {
    return this.#outbox.destination(dest);
  }

  request(data: Uint8Array | string, options: RequestOptions = {}): Promise<Message> {
    if (this.inputEnded) {
      const ended = "Cannot request: the peer has ended, no reply can come";
      return Promise.reject(this.refusal("request") ?? new PipeClosedError(ended));
    }
    return request(this, data, options);
  }

  attach(handler: Handler, shared?: HandlerList): void {
    if (this.handlers.has(handler)) return;
    this.handlers = shared ?? this.handlers.with(handler);
    this.runner.feed(this.takeHeld(handler.filter));
    this.consumerAdded();
  }

  detach(handler: Handler, shared?: HandlerList): void {
    this.handlers = shared ?? this.handlers.without(handler);
    if (this.handlers.size > 0) return;
    const left = this.runner.drain();
    if (this.consumed) return;
    // What no handler has begun with is for the next consumer, unless another one has had it.
    readerOf(this).inbox.restore(left.filter(({ shared }) => !shared));
  }

  /** Hands over messages that waited elsewhere to the handlers. */
  feed(envelopes: readonly Envelope[]): void {
    this.runner.feed(envelopes);
  }

  takeHeld(filter?: Filter): Envelope[] {
    return this.takeFromInbox(filter);
  }

  protected noteReader(): void {
    if (!this.pulled) this.#own();
    this.pulled = true;
  }

  /** From now on it is read for itself, with what its server's reader has not taken yet. */
  #own(): void {
    this.inbox.restore(this.server?.giveBack(this) ?? []);
  }

  async closeWrite(): Promise<void> {
    await this.#outbox.closeWrite();
    this.flowIdle();
  }

  async startTls(tls: true | TlsConf = true): Promise<TlsInfo> {
    if (this.tlsStart !== undefined) {
      throw new PipeStateError("Cannot start TLS: it is being started");
    }
    const start = this.tlsStart = new TlsStart(this, this.transport, tls, this.#name);
    this.replaced = this.#outbox.replace(start.secured).catch(() => {});
    try {
      const secured = await start.secured;
      if (this.isOpen) {
        this.transport = secured;
        this.lentFrom = lentFrom(this.conf, secured);
      } else secured.abort();
    } catch (error) {
      if (this.isOpen) {
        this.lose(error);
        throw error;
      }
    } finally {
      this.tlsStart = undefined;
    }
    const info = this.tls;
    if (info === undefined) throw this.closedError("start TLS");
    return info;
  }

  async #read(): Promise<void> {
    try {
      while (!this.isClosed) {
        if (this.tlsStart !== undefined) await this.replaced;
        if (await this.transport.pull(this.#sink) === "end") break;
        await this.flow.room();
      }
    } catch (error) {
      this.fail(error);
      return;
    }
    if (this.isOpen) this.endOfInput();
  }

  readonly #sink = (received: Uint8Array, sender: NetAddr): boolean => {
    // Closing: read on and forget, or a peer that waits for us to read would never let us finish.
    if (!this.isOpen) return true;
    // No transport reads into shared memory, and most of the platform's functions take none.
    const data = received as Uint8Array<ArrayBuffer>;
    const gate = this.#gate;
    let from: NetAddr | undefined = sender;
    if (gate === undefined) this.tally.received(data.length);
    else from = gate.enter(data, sender);
    if (from !== undefined) deliver(this, data, from);
    return this.flow.open;
  };

  recycle(data: Uint8Array, relayed: boolean): void {
    this.transport.recycle?.(data, relayed);
  }
}

/** See `Source.lentFrom`. */
function lentFrom({ reuseBuffers }: Readonly<NetConf>, { recycle }: Transport): number {
  return reuseBuffers && recycle !== undefined ? LARGE : Infinity;
}
