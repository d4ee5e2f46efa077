import { PipeClosedError, PipeTimeoutError } from "../errors.ts";
import { TransportError } from "../transport/error.ts";
import type { Transport } from "../transport/transport.ts";
import { PipeBase } from "./base.ts";
import { checkFunction } from "./checks.ts";
import type { Flow } from "./flow.ts";
import type { HandlerRunner } from "./handlers.ts";
import { IdleWatch } from "./idle_watch.ts";
import type { RequestBook } from "./request_book.ts";
import type { TlsStart } from "./tls_start.ts";
import type { CloseInfo, EndCb, NetAddr, UpCb } from "./types.ts";

/** The server of an accepted pipe, as far as the life of the pipe goes. */
export interface Keeper<P> {
  /** Whether anything on the server consumes its connections. */
  readonly watched: boolean;
  /** Whether `recv` or a loop on the server reads what its connections receive. */
  readonly reading: boolean;
  /** A connection is closed. */
  gone(pipe: P): void;
  /** Its end handlers are called. */
  ended(pipe: P): void;
}

const NO_TIES = { subs: { size: 0 }, links: { size: 0 } };

/**
 * The life of a pipe with a transport of its own: it comes up, its input ends, it fails, is closed or
 * closes itself, and whoever has to know is told. A base class and not an object of the pipe, since
 * every message asks whether the pipe is open.
 */
export abstract class MortalPipe extends PipeBase {
  abstract readonly flow: Flow;
  abstract readonly runner: HandlerRunner;
  /** `request` calls in progress, if there ever was one. */
  abstract readonly asking: RequestBook | undefined;
  /** The server that accepted it. */
  abstract readonly server: Keeper<this> | undefined;
  protected abstract readonly transport: Transport;
  /** Whether nothing more can be sent. */
  protected abstract readonly outputEnded: boolean;
  /** Somebody has read by `recv`, a loop or a queue. */
  protected abstract readonly pulled: boolean;
  /** `accept` gave it to somebody. */
  protected abstract readonly claimed: boolean;
  /** While TLS is being started. */
  protected tlsStart: TlsStart | undefined;
  /** Resolves when that is over, one way or the other. */
  protected replaced: Promise<void> | undefined;
  /** Gives up what does not know yet where it is to be sent. */
  protected abstract stopSending(): void;
  #idleWatch: IdleWatch | undefined;
  #state: "open" | "closing" | "closed" = "open";
  #inputEnded = false;
  /** While it calls the up handlers, each of which comes before the end handlers. */
  #comingUp = false;
  /** Whether the end handlers wait for that. */
  #endsDue = false;
  #endsCalled = false;
  #stopped = false;
  #closing: Promise<void> | undefined;
  /** What ended it, if it did not end in good order. */
  #failure: unknown;
  /** When the input ended, handlers and links alone consumed it. */
  #pushed = false;

  protected get isOpen(): boolean {
    return this.#state === "open";
  }

  /** A getter, since the compiler thinks that an await changes no field that was just compared. */
  protected get isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Whether no more will be received. */
  protected get inputEnded(): boolean {
    return this.#inputEnded;
  }

  /** Whether its end handlers are still to be called, after what was received is handled. */
  get awaitsEnds(): boolean {
    return !this.#endsCalled;
  }

  /** Whether this side has ended it: nothing is handled any more. */
  get stopped(): boolean {
    return this.#stopped;
  }

  get isBroken(): boolean {
    return this.#state === "closed" && !this.#stopped;
  }

  /** Calls the up handlers, and from now on closes it when nothing comes or goes for too long. */
  protected comeUp(): void {
    this.#comingUp = true;
    for (const cb of this.ups) this.#callUp(cb);
    this.#comingUp = false;
    if (this.#endsDue) this.#callEnds(); // since one of them ended it
    if (this.isClosed) return;
    const { idleTimeout } = this.conf;
    if (idleTimeout > 0 && idleTimeout < Infinity) {
      const idle = () =>
        this.#break("idle", new PipeTimeoutError(`No message came or went for ${idleTimeout} ms`));
      this.#idleWatch = new IdleWatch(idleTimeout, () => this.tally.activity, idle);
    }
  }

  addUpCb(cb: UpCb): this {
    checkFunction(cb, "upCb");
    if (this.ups.includes(cb)) return this;
    this.ups = [...this.ups, cb];
    if (this.#state === "open") this.#callUp(cb);
    return this;
  }

  addEndCb(cb: EndCb): this {
    checkFunction(cb, "endCb");
    if (this.ends.includes(cb)) return this;
    this.ends = [...this.ends, cb];
    if (this.#endsCalled) queueMicrotask(() => this.#callEnd(cb));
    return this;
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  abort(reason?: unknown): void {
    if (this.isBroken) this.#stop();
    if (this.#state === "closed") return;
    this.#state = "closed"; // first, because links come back here
    this.#failure = reason;
    const error = new PipeClosedError("The pipe was aborted", { cause: reason });
    this.#stop(error);
    this.transport.abort(reason);
    this.#finish(reason === undefined ? { by: "local" } : { by: "local", error: reason });
  }

  /** Ends it by an error that came neither from reading nor from sending. */
  lose(error: unknown): void {
    this.#break("error", error);
  }

  protected consumerAdded(): void {
    if (this.#inputEnded) this.#pushed = true;
    this.flowIdle();
  }

  unlinked(): void {
    this.flowIdle();
  }

  refusal(action: string): Error | undefined {
    return this.#state === "open" ? undefined : this.closedError(action);
  }

  /** A stream whose input has ended, and that cannot be sent to any more, is over. */
  lost(error: TransportError): void {
    if (this.#inputEnded) this.fail(error);
  }

  /** Why it cannot do something, now that it is not open. */
  protected closedError(action: string): PipeClosedError {
    const why = this.#failure === undefined ? "" : `: ${messageOf(this.#failure)}`;
    return new PipeClosedError(`Cannot ${action}: the pipe is closed${why}`, {
      addr: this.remoteAddr,
      cause: this.#failure,
    });
  }

  /** The peer has ended its side in good order, or a datagram socket was closed underneath. */
  protected endOfInput(): void {
    this.#inputEnded = true;
    const { subs, links } = this.tied ?? NO_TIES;
    const readers = this.inboxWaiting + this.loops + subs.size;
    this.#pushed = readers === 0 && this.handlers.size + links.size > 0;
    this.endInput();
    this.asking?.fail(new PipeClosedError("The pipe ended before the reply came"));
    this.endLinks();
    this.runner.whenIdle(() => this.#callEnds());
  }

  /** Reading or sending has failed. */
  protected fail(error: unknown): void {
    if (this.isClosed) return;
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
    this.asking?.fail(closed);
    this.stopSending();
    this.endLinks(closed);
    this.runner.whenIdle(() => this.#callEnds());
    this.transport.abort(cause);
    this.#finish({ by, error: cause });
  }

  async #close(): Promise<void> {
    if (this.#state === "closed") {
      if (this.isBroken) this.#stop();
      return await this.transport.close(); // the system may not have freed the port yet
    }
    const lingering = this.#linger();
    // What was sent while TLS is started goes out first, if it can.
    if (this.tlsStart !== undefined) await this.replaced;
    if (this.isClosed) return clearTimeout(lingering);
    this.#state = "closing";
    const by = this.#inputEnded ? "remote" : "local";
    this.#stop();
    if (this.conf.linger === 0) this.transport.abort();
    await this.transport.close();
    clearTimeout(lingering);
    if (this.isClosed) return; // aborted meanwhile
    this.#state = "closed";
    this.#finish({ by });
  }

  /** Ends the waiting of a close, for TLS or for what was sent, when `conf.linger` is over. */
  #linger(): ReturnType<typeof setTimeout> | undefined {
    const { linger } = this.conf;
    if (linger === null || linger > 0x7fffffff) return undefined;
    const giveUp = () => this.tlsStart === undefined ? this.transport.abort() : this.abort();
    return setTimeout(giveUp, linger);
  }

  /** This side ends the input: forgets what is unread and calls the end handlers. */
  #stop(error?: unknown): void {
    this.#stopped = true;
    this.discardInput(error);
    this.asking?.fail(error ?? this.closedError("wait for a reply"));
    this.stopSending();
    this.runner.drain();
    this.endLinks(error);
    this.#callEnds();
    this.flow.wake();
  }

  /** Tells everybody, once. */
  #finish(info: CloseInfo): void {
    this.#idleWatch?.stop();
    this.tlsStart?.stop();
    this.flow.wake();
    for (const link of this.tied?.incoming ?? []) link.targetClosed(info);
    this.server?.gone(this);
    this.settleClosed(info);
  }

  #callUp(cb: UpCb): void {
    this.runner.before(() => cb(null, this.#peer, this));
  }

  #callEnds(): void {
    if (this.#endsCalled) return;
    if (this.#comingUp) {
      this.#endsDue = true;
      return;
    }
    this.#endsCalled = true;
    for (const cb of this.ends) this.#callEnd(cb);
    this.server?.ended(this);
    this.flowIdle();
  }

  #callEnd(cb: EndCb): void {
    if (this.ends.includes(cb)) this.runner.before(() => cb(null, this.#peer, this));
  }

  /** Who is named to up and end handlers. */
  get #peer(): NetAddr {
    return this.remoteAddr ?? this.localAddr;
  }

  /** Looks, a moment later, whether anybody will still need this pipe. */
  flowIdle(): void {
    if (this.#inputEnded && this.#state === "open") queueMicrotask(() => this.#closeIfDone());
  }

  #closeIfDone(): void {
    if (this.#state !== "open" || !this.#endsCalled || !this.flow.idle) return;
    if (this.outputEnded || this.#closesItself) void this.close();
  }

  /** Whether nobody but the pipe itself is there to close it. */
  get #closesItself(): boolean {
    for (const link of this.tied?.incoming ?? []) if (link.holdsTarget) return false;
    if (this.server === undefined || this.claimed) return this.#pushed;
    // Whoever asks has a conversation with it, unless what else comes is for the server's reader.
    const read = this.pulled || (this.asking !== undefined && !this.server.reading);
    return this.server.watched && (this.#pushed || !read);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
