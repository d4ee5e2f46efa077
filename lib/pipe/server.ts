import { PipeClosedError, PipeStateError } from "../errors.ts";
import { framed } from "../framing/framed_transport.ts";
import type { Acceptor, Transport } from "../transport/transport.ts";
import type { TlsContext } from "../transport/tls.ts";
import { Admission, type Admitting } from "./admission.ts";
import { PipeBase } from "./base.ts";
import { toBytes } from "./bytes.ts";
import { checkFunction, checkWait } from "./checks.ts";
import { ClientBook } from "./client_book.ts";
import type { NetConf } from "./conf.ts";
import type { Filter } from "./filter.ts";
import type { Envelope } from "./flow.ts";
import type { Handler } from "./handler_list.ts";
import { systemError } from "./open_error.ts";
import { ConnPipe, type ServerSide } from "./pipe.ts";
import { PullQueue } from "./pull_queue.ts";
import type { Pipe, ServerPipe } from "./pipe_types.ts";
import type {
  CloseInfo,
  Dest,
  EndCb,
  Message,
  NetAddr,
  Proto,
  RequestOptions,
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
export class ListenPipe extends PipeBase implements ServerPipe, ServerSide, Admitting {
  readonly role = "server";
  readonly kind = "stream";
  readonly lossy = false;
  readonly isBroken = false;
  readonly localAddr: NetAddr;
  readonly remoteAddr = undefined;
  readonly tls = undefined;
  readonly #book = new ClientBook(this);
  readonly clients: ReadonlySet<ConnPipe> = this.#book.all;
  readonly #acceptor: Acceptor;
  readonly #admission: Admission;
  /** Connections that `accept` has not given to anybody, oldest first. */
  readonly #unclaimed = new Set<ConnPipe>();
  /** Serves those who wait in `accept`; nothing ever stays in it. */
  readonly #arrivals = new PullQueue<ConnPipe>({});
  #reading = false;
  #closing: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(acceptor: Acceptor, options: ListenPipeOptions) {
    super(options.proto, options.route, options.conf);
    this.#acceptor = acceptor;
    this.localAddr = acceptor.localAddr;
    this.#admission = new Admission(this, acceptor, options.tls);
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

  get isOpen(): boolean {
    return this.#closing === undefined;
  }

  get hasRoom(): boolean {
    return this.watched || this.#unclaimed.size < this.conf.backlog;
  }

  send(data: Uint8Array | string, dest?: Dest): Promise<number> {
    try {
      const bytes = toBytes(data);
      return this.#book.find("send", dest).send(bytes);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async request(data: Uint8Array | string, options: RequestOptions = {}): Promise<Message> {
    const { dest, ...rest } = options;
    return await this.#book.find("request", dest).request(data, rest);
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
    // The connections of one that closes end with it.
    const left = this.isOpen ? this.#unclaimed : [];
    for (const pipe of left) return Promise.resolve(this.#claim(pipe));
    return this.#arrivals.pull<Pipe | null>((pipe) => this.#claim(pipe), null, timeout, signal);
  }

  async *connections(): AsyncGenerator<Pipe, void, void> {
    for (let pipe = await this.accept(); pipe !== null; pipe = await this.accept()) yield pipe;
  }

  addUpCb(cb: UpCb): this {
    checkFunction(cb, "upCb");
    if (!this.ups.includes(cb)) this.ups = [...this.ups, cb];
    for (const client of this.clients) client.addUpCb(cb);
    this.#admission.resume();
    return this;
  }

  override delUpCb(cb: UpCb): this {
    for (const client of this.clients) client.delUpCb(cb);
    return super.delUpCb(cb);
  }

  addEndCb(cb: EndCb): this {
    checkFunction(cb, "endCb");
    if (!this.ends.includes(cb)) this.ends = [...this.ends, cb];
    for (const client of this.clients) client.addEndCb(cb);
    this.#admission.resume();
    return this;
  }

  override delEndCb(cb: EndCb): this {
    for (const client of this.clients) client.delEndCb(cb);
    return super.delEndCb(cb);
  }

  attach(handler: Handler): void {
    const before = this.handlers;
    this.handlers = before.with(handler);
    for (const envelope of this.takeFromInbox(handler.filter)) {
      const { pipe } = envelope.flow;
      if (!(pipe instanceof ConnPipe)) continue;
      // One that was reset is no client any more.
      if (!this.#book.handles(pipe)) pipe.attach(handler);
      pipe.feed([envelope]);
    }
    for (const client of this.#book.handled) {
      // Connections without handlers of their own go on sharing the server's list.
      if (client.handlers === before) client.attach(handler, this.handlers);
      else client.attach(handler);
    }
    this.#admission.resume();
  }

  detach(handler: Handler): void {
    const before = this.handlers;
    this.handlers = before.without(handler);
    for (const client of this.#book.handled) {
      client.detach(handler, client.handlers === before ? this.handlers : undefined);
    }
  }

  takeHeld(filter?: Filter): Envelope[] {
    const held = this.takeFromInbox(filter);
    for (const client of this.clients) held.push(...client.takeHeld(filter));
    this.#admission.resume();
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
    this.#admission.resume();
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
    await (this.#stopped ??= this.#admission.close());
  }

  close(): Promise<void> {
    return this.#closing ??= this.#end({ by: "local" }, () => this.#free());
  }

  abort(reason?: unknown): void {
    const info: CloseInfo = reason === undefined ? { by: "local" } : { by: "local", error: reason };
    this.#closing ??= this.#end(info, () => this.#admission.close());
    // Last, since their end handlers may close the server.
    for (const pipe of this.#book.handled) pipe.abort(reason);
  }

  /** Ends it by an error that none of its calls has met. */
  lose(error: Error): void {
    this.#closing ??= this.#end({ by: "error", error }, () => this.#free());
  }

  welcome(transport: Transport): void {
    const { proto, route, conf } = this;
    const pipe = new ConnPipe(framed(transport, conf), {
      proto,
      role: "accepted",
      route,
      conf,
      server: this,
    });
    this.#book.add(pipe);
    this.#unclaimed.add(pipe);
    // Whoever accepts it sees it before its first message.
    if (this.#arrivals.waiting > 0) this.#arrivals.push(pipe);
    pipe.start();
  }

  unlinked(): void {}

  protected consumerAdded(): void {
    this.#admission.resume();
  }

  giveBack(pipe: ConnPipe): Envelope[] {
    return this.#reading ? this.inbox.extract((envelope) => envelope.flow === pipe.flow) : [];
  }

  gone(pipe: ConnPipe): void {
    this.#book.delete(pipe);
    this.#unclaimed.delete(pipe);
    this.#admission.resume();
  }

  ended(pipe: ConnPipe): void {
    this.#book.forget(pipe);
  }

  async #acceptAll(): Promise<void> {
    try {
      await this.#admission.run();
      // The owner of the platform's listener may have closed it.
      if (this.#stopped === undefined) await this.close();
    } catch (error) {
      const cause = systemError(error);
      this.report(cause);
      this.lose(cause);
    }
  }

  #claim(pipe: ConnPipe): Pipe {
    pipe.claim();
    this.#unclaimed.delete(pipe);
    this.#admission.resume();
    return pipe;
  }

  async #free(): Promise<void> {
    await this.#admission.close();
    await Promise.all(this.#book.handled.map((pipe) => pipe.close()));
  }

  async #end(info: CloseInfo, free: () => Promise<void>): Promise<void> {
    await Promise.resolve(); // so that `#closing` is set for everything that follows
    this.#admission.resume();
    const error = info.error === undefined
      ? undefined
      : new PipeClosedError("The server ended", { addr: this.localAddr, cause: info.error });
    this.discardInput(error);
    this.#arrivals.close(error);
    this.endLinks(error);
    await free();
    this.settleClosed(info);
  }
}
