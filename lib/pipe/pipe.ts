import { PipeClosedError, PipeError, PipeStateError } from "../errors.ts";
import { formatAddr, parseDest } from "../net/address.ts";
import { TransportError } from "../transport/error.ts";
import type { Transport } from "../transport/transport.ts";
import { PipeBase } from "./base.ts";
import { checkFunction, type NetConf } from "./conf.ts";
import { DestBook } from "./dest_book.ts";
import { Dispatcher, type ReadingServer } from "./dispatch.ts";
import type { Filter } from "./filter.ts";
import { type Envelope, Flow } from "./flow.ts";
import { type Handler, HandlerRunner } from "./handlers.ts";
import type { Kind } from "./mailbox.ts";
import { isSame } from "./peer.ts";
import { request, type Requests } from "./request.ts";
import { Tally } from "./tally.ts";
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

/** The biggest datagram: what a UDP length field leaves over IPv4 (RFC 768, RFC 791). */
export const MAX_DATAGRAM = 65507;

/** What an accepted pipe needs of its server. */
export interface ServerSide extends ReadingServer {
  /** Whether anything on the server consumes its connections. */
  readonly watched: boolean;
  /** A connection is closed. */
  gone(pipe: ConnPipe): void;
}

/** How a {@linkcode ConnPipe} came to be. */
export interface ConnPipeOptions {
  readonly proto: Proto;
  readonly role: "client" | "server" | "accepted";
  readonly route: Dest | undefined;
  readonly conf: Readonly<NetConf>;
  readonly server?: ServerSide;
}

const encoder = new TextEncoder();

/** A pipe with a transport of its own: a client, an accepted connection, or a datagram socket. */
export class ConnPipe extends PipeBase {
  readonly role: "client" | "server" | "accepted";
  readonly kind: Kind;
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr | undefined;
  readonly flow: Flow;
  /** `request` calls waiting for a reply. */
  readonly requests: Requests = new Set();
  readonly #transport: Transport;
  readonly #server: ServerSide | undefined;
  readonly #runner: HandlerRunner;
  readonly #dispatcher: Dispatcher;
  readonly #dests: DestBook | undefined;
  #state: "open" | "closing" | "closed" = "open";
  #inputEnded = false;
  #outputEnd: Promise<void> | undefined;
  #endsCalled = false;
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
    this.localAddr = transport.localAddr;
    this.remoteAddr = transport.remoteAddr;
    this.#transport = transport;
    this.#server = server;
    const bytes = this.kind === "stream" ? conf.readerLimit : Infinity;
    const messages = this.kind === "stream" ? conf.maxQsize : 0;
    this.flow = new Flow(this, this.tally, { bytes, messages }, () => this.#idle());
    this.#runner = new HandlerRunner(this);
    this.#dispatcher = new Dispatcher(this, server, this.#runner);
    if (this.kind === "datagram") this.#dests = new DestBook(this.localAddr, conf);
    if (server !== undefined) {
      this.handlers = server.handlers;
      for (const cb of server.ups) this.ups.add(cb);
      for (const cb of server.ends) this.ends.add(cb);
    }
  }

  /** For the handlers, which are called with it. */
  get pipe(): this {
    return this;
  }

  get sock(): unknown {
    return this.#transport.raw;
  }

  get hasOwner(): boolean {
    return this.#claimed || this.#pulled;
  }

  protected get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Calls the up handlers and starts to read. */
  start(): void {
    for (const cb of this.ups) this.#runner.before(() => cb(null, this.#peer, this));
    this.#read();
  }

  /** `accept` gives it away: it is its owner's to close. */
  claim(): void {
    this.#claimed = true;
  }

  async send(data: Uint8Array | string, dest?: Dest): Promise<number> {
    const bytes = toBytes(data);
    if (this.#dests !== undefined && bytes.length > MAX_DATAGRAM) {
      throw new RangeError(
        `data: a datagram holds at most ${MAX_DATAGRAM} bytes, got ${bytes.length}`,
      );
    }
    const known = this.destination(dest);
    const to = known instanceof Promise ? await known : known;
    if (this.#state !== "open") throw this.#closedError("send");
    if (this.#outputEnd !== undefined) {
      throw new PipeStateError("Cannot send: closeWrite has ended this side");
    }
    try {
      await this.#transport.send(bytes, to);
    } catch (error) {
      throw this.#sendFailed(error, to);
    }
    this.tally.sent(bytes.length);
    return bytes.length;
  }

  async forward(data: Uint8Array): Promise<void> {
    if (this.kind === "stream") {
      if (data.length > 0) await this.send(data);
      return;
    }
    let rest = data;
    for (; rest.length > MAX_DATAGRAM; rest = rest.subarray(MAX_DATAGRAM)) {
      await this.send(rest.subarray(0, MAX_DATAGRAM));
    }
    await this.send(rest);
  }

  request(data: Uint8Array | string, options: RequestOptions = {}): Promise<Message> {
    this.#pulled = true;
    return request(this, data, options);
  }

  addUpCb(cb: UpCb): this {
    checkFunction(cb, "upCb");
    if (this.ups.has(cb)) return this;
    this.ups.add(cb);
    if (this.#state === "open") this.#runner.before(() => cb(null, this.#peer, this));
    return this;
  }

  addEndCb(cb: EndCb): this {
    checkFunction(cb, "endCb");
    if (this.ends.has(cb)) return this;
    this.ends.add(cb);
    if (this.#endsCalled) queueMicrotask(() => this.#callEnd(cb));
    return this;
  }

  attach(handler: Handler, shared?: readonly Handler[]): void {
    this.handlers = shared ?? [...this.handlers, handler];
    this.#runner.feed(this.takeHeld(handler.filter));
  }

  detach(handler: Handler): void {
    this.handlers = this.handlers.filter((h) => h !== handler);
    if (this.handlers.length > 0) return;
    // What no handler has begun with is for the next consumer, unless another one has had it.
    const left = this.#runner.drain();
    if (!this.#dispatcher.consumed) {
      for (const envelope of left) this.#dispatcher.reader.inbox.push(envelope);
    }
  }

  /** Hands over messages that waited elsewhere to the handlers. */
  feed(envelopes: readonly Envelope[]): void {
    this.#runner.feed(envelopes);
  }

  takeHeld(filter?: Filter): Envelope[] {
    return this.takeFromInbox(filter);
  }

  protected noteReader(): void {
    this.#pulled = true;
  }

  async closeWrite(): Promise<void> {
    if (this.kind === "datagram" || this.#transport.closeWrite === undefined) {
      throw new PipeStateError("Cannot close for writing: a datagram pipe has no end to send");
    }
    if (this.#state !== "open") throw this.#closedError("close for writing");
    this.#outputEnd ??= this.#transport.closeWrite();
    try {
      await this.#outputEnd;
    } catch (error) {
      throw this.#sendFailed(error, this.remoteAddr);
    }
    this.#idle();
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  abort(reason?: unknown): void {
    if (this.#state === "closed") return;
    this.#state = "closed"; // first, because links come back here
    this.#failure = reason;
    const error = new PipeClosedError("The pipe was aborted", { cause: reason });
    this.#stop(error);
    this.#transport.abort(reason);
    this.#finish(reason === undefined ? { by: "local" } : { by: "local", error: reason });
  }

  unlinked(): void {
    this.#idle();
  }

  get #peer(): NetAddr {
    return this.remoteAddr ?? this.localAddr;
  }

  async #read(): Promise<void> {
    try {
      while (this.#state !== "closed") {
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
    let from = sender;
    if (this.#dests !== undefined && this.remoteAddr !== undefined) {
      if (isSame(this.remoteAddr, sender)) from = this.remoteAddr;
      else if (!this.conf.anyPeer) {
        this.tally.stranger();
        return true;
      }
    }
    this.tally.received(data.length);
    this.#dispatcher.deliver(data, from);
    return this.flow.open;
  };

  /** The checked address that a `dest` stands for. */
  destination(dest: Dest | undefined): NetAddr | Promise<NetAddr> {
    if (dest === undefined || dest === this.remoteAddr) {
      if (this.remoteAddr !== undefined) return this.remoteAddr;
      throw new PipeStateError("Cannot send: this pipe has no peer of its own; name one as dest");
    }
    if (this.#dests !== undefined) return this.#dests.find(dest);
    const { hostname, port } = parseDest(dest, "dest", { zeroPort: false });
    const to = { transport: "tcp" as const, hostname, port };
    if (this.remoteAddr === undefined || !isSame(this.remoteAddr, to)) {
      throw new PipeStateError(
        `Cannot send to ${formatAddr(to)}: this pipe is connected to ${formatAddr(this.#peer)}`,
      );
    }
    return this.remoteAddr;
  }

  #closedError(action: string): PipeClosedError {
    const why = this.#failure === undefined ? "" : `: ${messageOf(this.#failure)}`;
    return new PipeClosedError(`Cannot ${action}: the pipe is closed${why}`, {
      addr: this.remoteAddr,
      cause: this.#failure,
    });
  }

  /** What a failed send means to its caller; a stream whose input has ended too is over. */
  #sendFailed(error: unknown, addr: NetAddr | undefined): unknown {
    if (!(error instanceof TransportError)) return error;
    const { fault, cause } = error;
    const gone = fault === "reset" || fault === "closed";
    if (gone && this.kind === "stream" && this.#inputEnded) this.#fail(error);
    const where = addr === undefined ? "" : ` to ${formatAddr(addr)}`;
    const why = fault === "closed" ? "the pipe was closed" : error.message;
    return new (gone ? PipeClosedError : PipeError)(`Cannot send${where}: ${why}`, { addr, cause });
  }

  /** The peer has ended its side in good order, or a datagram socket was closed underneath. */
  #endOfInput(): void {
    this.#inputEnded = true;
    const readers = this.inboxWaiting + this.loops + this.subs.size;
    this.#pushed = readers === 0 && this.handlers.length + this.links.size > 0;
    this.endInput();
    this.#failRequests(new PipeClosedError("The pipe ended before the reply came"));
    for (const link of this.links) link.sourceEnded();
    this.#runner.whenIdle(() => this.#callEnds());
  }

  /** The connection failed: what was received can still be read. */
  #fail(error: unknown): void {
    if (this.#state === "closed") return;
    this.#state = "closed"; // first, because links come back here
    const fault = error instanceof TransportError ? error : new TransportError("failed", error);
    const closed = new PipeClosedError(
      fault.fault === "reset"
        ? "The peer reset the connection"
        : `The pipe failed: ${fault.message}`,
      { addr: this.remoteAddr, cause: fault.cause },
    );
    this.#inputEnded = true;
    this.#failure = fault.cause;
    this.endInput(closed);
    this.#failRequests(closed);
    for (const link of this.links) link.sourceEnded(closed);
    this.#runner.whenIdle(() => this.#callEnds());
    this.#transport.abort(fault.cause);
    this.#finish({ by: fault.fault === "reset" ? "reset" : "error", error: fault.cause });
  }

  async #close(): Promise<void> {
    if (this.#state === "closed") return;
    this.#state = "closing";
    const by = this.#inputEnded ? "remote" : "local";
    this.#stop();
    await this.#transport.close();
    if (this.#isClosed) return; // aborted meanwhile
    this.#state = "closed";
    this.#finish({ by });
  }

  /** This side ends the input: forgets what is unread and calls the end handlers. */
  #stop(error?: unknown): void {
    this.discardInput(error);
    this.#failRequests(error ?? this.#closedError("wait for a reply"));
    this.#runner.drain();
    for (const link of this.links) link.sourceEnded(error);
    this.#callEnds();
    this.flow.wake();
  }

  /** Tells everybody, once. */
  #finish(info: CloseInfo): void {
    this.flow.wake();
    for (const link of this.incoming) link.targetClosed(info);
    this.#server?.gone(this);
    this.settleClosed(info);
  }

  /** For where the compiler thinks that an await changes nothing. */
  get #isClosed(): boolean {
    return this.#state === "closed";
  }

  #failRequests(error: unknown): void {
    for (const { reply } of this.requests) reply.close(error);
  }

  #callEnds(): void {
    if (this.#endsCalled) return;
    this.#endsCalled = true;
    for (const cb of this.ends) this.#callEnd(cb);
    this.#idle();
  }

  #callEnd(cb: EndCb): void {
    if (this.ends.has(cb)) this.#runner.before(() => cb(null, this.#peer, this));
  }

  /** Looks, a moment later, whether anybody will still need this pipe. */
  #idle(): void {
    if (this.#inputEnded && this.#state === "open") queueMicrotask(() => this.#closeIfDone());
  }

  #closeIfDone(): void {
    if (this.#state !== "open" || !this.#endsCalled || !this.flow.idle) return;
    if (this.#outputEnd !== undefined || this.#closesItself) void this.close();
  }

  /** Whether nobody but the pipe itself is there to close it. */
  get #closesItself(): boolean {
    for (const link of this.incoming) if (link.carriesEnd) return false; // that one will
    if (this.#server === undefined || this.#claimed) return this.#pushed;
    return this.#server.watched && (this.#pushed || !this.#pulled);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What `send` was given, as bytes. */
export function toBytes(data: unknown): Uint8Array {
  if (typeof data === "string") return encoder.encode(data);
  if (data instanceof Uint8Array) return data;
  // Not the value: it may be a payload.
  throw new TypeError(`data: a Uint8Array or a string is needed, got ${typeof data}`);
}
