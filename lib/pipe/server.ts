import { PipeClosedError, PipeOpenError, PipeStateError } from "../errors.ts";
import { framed } from "../framing/framed_transport.ts";
import { addrKey, formatAddr, parseDest } from "../net/address.ts";
import type { Acceptor, Transport } from "../transport/transport.ts";
import type { TlsContext } from "../transport/tls.ts";
import { PipeBase } from "./base.ts";
import { toBytes } from "./bytes.ts";
import { checkFunction, checkWait } from "./checks.ts";
import type { NetConf } from "./conf.ts";
import type { Filter } from "./filter.ts";
import type { Envelope } from "./flow.ts";
import type { Handler } from "./handler_list.ts";
import { Handshakes } from "./handshakes.ts";
import { systemError } from "./open_error.ts";
import { ConnPipe, type ServerSide } from "./pipe.ts";
import { MessageQueue } from "./queue.ts";
import { PeerRules } from "./peer_rules.ts";
import { handshake, needsHandshake, tlsError } from "./secure.ts";
import type {
  CloseInfo,
  Dest,
  EndCb,
  Message,
  NetAddr,
  Pipe,
  Proto,
  RequestOptions,
  ServerPipe,
  UpCb,
  WaitOptions,
} from "./types.ts";
import type { TlsInfo } from "./tls_info.ts";

/** How a {@linkcode ListenPipe} came to be. */
export interface ListenPipeOptions {
  readonly proto: Proto;
  readonly route: Dest | undefined;
  readonly conf: Readonly<NetConf>;
  /** Has its clients speak TLS. */
  readonly tls?: TlsContext | undefined;
}

/** A listening pipe: accepts connections and stands for all of them together. */
export class ListenPipe extends PipeBase implements ServerPipe, ServerSide {
  readonly role = "server";
  readonly kind = "stream";
  readonly lossy = false;
  readonly localAddr: NetAddr;
  readonly remoteAddr = undefined;
  readonly tls = undefined;
  readonly clients: ReadonlySet<ConnPipe>;
  readonly #clients = new Set<ConnPipe>();
  readonly #byAddr = new Map<string, ConnPipe>();
  /** By the very object that a message came from. */
  readonly #byFrom = new WeakMap<WeakKey, ConnPipe>();
  readonly #acceptor: Acceptor;
  readonly #rules: PeerRules;
  readonly #tls: TlsContext | undefined;
  readonly #handshakes: Handshakes;
  /** Connections that `accept` has not given to anybody, oldest first. */
  readonly #unclaimed = new Set<ConnPipe>();
  /** Serves those who wait in `accept`; nothing ever stays in it. */
  readonly #arrivals = new MessageQueue<ConnPipe>();
  #reading = false;
  /** The system had no files or memory for the last connection. */
  #short = false;
  #roomForMore: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #stopped: Promise<unknown> | undefined;

  constructor(
    acceptor: Acceptor,
    options: ListenPipeOptions,
  ) {
    super(options.proto, options.route, options.conf);
    this.#acceptor = acceptor;
    acceptor.onShortage = (error) => this.#onShortage(error);
    acceptor.onRefused = () => this.tally.refused();
    acceptor.onHandshakeFailed = (error, from) => this.#handshakeFailed(error, from);
    this.#rules = new PeerRules(options.conf);
    this.#tls = options.tls;
    this.#handshakes = new Handshakes({
      run: (transport, signal) =>
        handshake(transport, { context: this.#tls, timeout: this.conf.sslHandshake, signal }),
      done: (transport) => this.#welcome(transport),
      failed: (error, { remoteAddr }) => this.#handshakeFailed(error, remoteAddr),
    });
    this.localAddr = acceptor.localAddr;
    this.clients = this.#clients;
  }

  get sock(): unknown {
    return this.#acceptor.raw;
  }

  /** Starts to accept. */
  start(): void {
    this.#acceptAll();
  }

  get reading(): boolean {
    return this.#reading;
  }

  get watched(): boolean {
    return this.#reading || this.consumed || this.ups.length > 0 || this.ends.length > 0;
  }

  protected get isOpen(): boolean {
    return this.#closing === undefined;
  }

  send(data: Uint8Array | string, dest?: Dest): Promise<number> {
    try {
      const bytes = toBytes(data);
      return this.#client("send", dest).send(bytes);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async request(data: Uint8Array | string, options: RequestOptions = {}): Promise<Message> {
    const { dest, ...rest } = options;
    return await this.#client("request", dest).request(data, rest);
  }

  forward(): Promise<void> {
    return Promise.reject(new PipeStateError("Cannot forward: a server has no peer of its own"));
  }

  accept(options: WaitOptions = {}): Promise<Pipe | null> {
    let timeout: number, signal: AbortSignal | undefined;
    try {
      ({ timeout = Infinity, signal } = checkWait(options));
      signal?.throwIfAborted();
    } catch (error) {
      return Promise.reject(error);
    }
    for (const pipe of this.#unclaimed) return Promise.resolve(this.#claim(pipe));
    return this.#arrivals.pull<Pipe | null>((pipe) => this.#claim(pipe), null, timeout, signal);
  }

  async *connections(): AsyncGenerator<Pipe, void, void> {
    for (let pipe = await this.accept(); pipe !== null; pipe = await this.accept()) yield pipe;
  }

  addUpCb(cb: UpCb): this {
    checkFunction(cb, "upCb");
    if (!this.ups.includes(cb)) this.ups = [...this.ups, cb];
    for (const client of this.#clients) client.addUpCb(cb);
    this.#watch();
    return this;
  }

  override delUpCb(cb: UpCb): this {
    for (const client of this.#clients) client.delUpCb(cb);
    return super.delUpCb(cb);
  }

  addEndCb(cb: EndCb): this {
    checkFunction(cb, "endCb");
    if (!this.ends.includes(cb)) this.ends = [...this.ends, cb];
    for (const client of this.#clients) client.addEndCb(cb);
    this.#watch();
    return this;
  }

  override delEndCb(cb: EndCb): this {
    for (const client of this.#clients) client.delEndCb(cb);
    return super.delEndCb(cb);
  }

  attach(handler: Handler): void {
    const before = this.handlers;
    this.handlers = before.with(handler);
    for (const envelope of this.takeFromInbox(handler.filter)) {
      if (envelope.flow.pipe instanceof ConnPipe) envelope.flow.pipe.feed([envelope]);
    }
    for (const client of this.#clients) {
      // Connections without handlers of their own go on sharing the server's list.
      if (client.handlers === before) client.attach(handler, this.handlers);
      else client.attach(handler);
    }
    this.#watch();
  }

  detach(handler: Handler): void {
    const before = this.handlers;
    this.handlers = before.without(handler);
    for (const client of this.#clients) {
      client.detach(handler, client.handlers === before ? this.handlers : undefined);
    }
  }

  takeHeld(filter?: Filter): Envelope[] {
    const held = this.takeFromInbox(filter);
    for (const client of this.#clients) held.push(...client.takeHeld(filter));
    this.#watch();
    return held;
  }

  protected noteReader(): void {
    if (this.#reading) return;
    this.#reading = true;
    if (this.consumed) return;
    for (const client of this.#unclaimed) {
      if (client.hasOwner) continue;
      for (const envelope of client.takeHeld()) this.inbox.push(envelope);
    }
    this.#watch();
  }

  closeWrite(): Promise<void> {
    return Promise.reject(
      new PipeStateError("Cannot close for writing: a server has no output of its own"),
    );
  }

  startTls(): Promise<TlsInfo> {
    return Promise.reject(
      new PipeStateError("Cannot start TLS: a server has no connection of its own"),
    );
  }

  /** Accepts no more and frees the port; the connections that there are go on. */
  async stopAccepting(): Promise<void> {
    await (this.#stopped ??= Promise.all([this.#acceptor.close(), this.#handshakes.close()]));
  }

  close(): Promise<void> {
    return this.#closing ??= this.#end({ by: "local" }, () => this.#free());
  }

  abort(reason?: unknown): void {
    for (const client of this.#clients) client.abort(reason);
    const info: CloseInfo = reason === undefined ? { by: "local" } : { by: "local", error: reason };
    this.#closing ??= this.#end(info, async () => {
      await Promise.all([this.#acceptor.close(), this.#handshakes.close()]);
    });
  }

  /** Ends it by an error that none of its calls has met. */
  lose(error: Error): void {
    this.#closing ??= this.#end({ by: "error", error }, () => this.#free());
  }

  unlinked(): void {}

  protected consumerAdded(): void {
    this.#watch();
  }

  giveBack(pipe: ConnPipe): Envelope[] {
    return this.#reading ? this.inbox.extract((envelope) => envelope.flow === pipe.flow) : [];
  }

  gone(pipe: ConnPipe): void {
    this.#clients.delete(pipe);
    this.#unclaimed.delete(pipe);
    const key = keyOf(pipe);
    if (this.#byAddr.get(key) === pipe) this.#byAddr.delete(key);
    this.#watch();
  }

  async #acceptAll(): Promise<void> {
    try {
      while (this.#closing === undefined) {
        await this.#room();
        const transport = await this.#acceptor.accept();
        if (transport === null) break;
        if (this.#closing === undefined) this.#admit(transport);
        else transport.abort();
      }
      // The owner of the platform's listener may have closed it.
      if (this.#stopped === undefined) await this.close();
    } catch (error) {
      const cause = systemError(error);
      this.report(cause);
      this.lose(cause);
    }
  }

  /** A full file table is no reason to stop, and told once each time it begins. */
  #onShortage(error: unknown): void {
    this.tally.acceptError();
    if (!this.#short) this.report(error);
    this.#short = true;
  }

  #handshakeFailed(error: unknown, from = this.localAddr): void {
    this.tally.tlsFailed();
    this.report(error instanceof PipeOpenError ? error : tlsError(from, error));
  }

  #admit(transport: Transport): void {
    this.#short = false;
    const { maxClients, backlog } = this.conf;
    const room = maxClients > 0 ? maxClients - this.#clients.size : Infinity;
    if (room <= 0 || !this.#rules.admits(transport.remoteAddr)) {
      this.tally.refused();
      transport.abort();
    } else if (needsHandshake(transport, this.#tls)) {
      this.#handshakes.add(transport, Math.min(room, backlog));
    } else this.#welcome(transport);
  }

  #welcome(transport: Transport): void {
    const { proto, route, conf } = this;
    const pipe = new ConnPipe(framed(transport, conf), {
      proto,
      role: "accepted",
      route,
      conf,
      server: this,
    });
    this.#clients.add(pipe);
    // Two connections can have one peer address, if this server has several of its own.
    // And the clients of a Unix socket have none at all, which is port 0.
    const key = keyOf(pipe);
    if (!this.#byAddr.has(key) && pipe.remoteAddr?.port !== 0) this.#byAddr.set(key, pipe);
    if (pipe.remoteAddr !== undefined) this.#byFrom.set(pipe.remoteAddr, pipe);
    this.#unclaimed.add(pipe);
    // Whoever accepts it sees it before its first message.
    if (this.#arrivals.waiting > 0) this.#arrivals.push(pipe);
    pipe.start();
  }

  #claim(pipe: ConnPipe): Pipe {
    pipe.claim();
    this.#unclaimed.delete(pipe);
    this.#watch();
    return pipe;
  }

  /** Waits while connections pile up that nobody has use for; the system's backlog holds the rest. */
  #room(): Promise<void> {
    if (this.#hasRoom) return Promise.resolve();
    return new Promise((resolve) => this.#roomForMore = resolve);
  }

  get #hasRoom(): boolean {
    return this.watched || this.#unclaimed.size < this.conf.backlog ||
      this.#closing !== undefined;
  }

  /** Lets the accept loop go on if it can. */
  #watch(): void {
    if (this.#roomForMore === undefined || !this.#hasRoom) return;
    this.#roomForMore();
    this.#roomForMore = undefined;
  }

  async #free(): Promise<void> {
    await Promise.all([this.#acceptor.close(), this.#handshakes.close()]);
    await Promise.all([...this.#clients].map((client) => client.close()));
  }

  async #end(info: CloseInfo, free: () => Promise<void>): Promise<void> {
    await Promise.resolve(); // so that `#closing` is set for everything that follows
    this.#watch();
    const error = info.error === undefined
      ? undefined
      : new PipeClosedError("The server ended", { addr: this.localAddr, cause: info.error });
    this.discardInput(error);
    this.#arrivals.close(error);
    this.endLinks(error);
    await free();
    this.settleClosed(info);
  }

  #client(action: string, dest: Dest | undefined): ConnPipe {
    if (dest === undefined) {
      throw new PipeStateError(
        `Cannot ${action}: a server has no peer of its own; name a client as dest, as in ` +
          "send(msg, from)",
      );
    }
    // What a message came from needs no parsing; anything else may be spelt in another way.
    const known = typeof dest === "object" && dest !== null ? this.#byFrom.get(dest) : undefined;
    if (known !== undefined) return known;
    const exact = parseDest(dest, "dest", { literal: true, zeroPort: false });
    const client = this.#byAddr.get(addrKey(exact.hostname, exact.port));
    if (client !== undefined) return client;
    const why = this.isOpen
      ? `${formatAddr(exact)} is not connected (any more)`
      : "the server is closed";
    throw new PipeClosedError(`Cannot ${action}: ${why}`);
  }
}

function keyOf(pipe: ConnPipe): string {
  const { hostname, port } = pipe.remoteAddr ?? pipe.localAddr;
  return addrKey(hostname, port);
}
