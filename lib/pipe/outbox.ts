import { PipeClosedError, PipeError, PipeStateError, PipeTimeoutError } from "../errors.ts";
import { framingOf } from "../framing/framed_transport.ts";
import { type Endpoint, formatAddr, parseDest } from "../net/address.ts";
import type { Lookup } from "../net/resolve.ts";
import { TransportError } from "../transport/error.ts";
import type { SendReport, Transport } from "../transport/transport.ts";
import { toBytes } from "./bytes.ts";
import type { NetConf } from "./conf.ts";
import { DestBook } from "./dest_book.ts";
import { isSame } from "./peer.ts";
import type { Tally } from "./tally.ts";
import type { Dest, NetAddr } from "./types.ts";

/** The biggest datagram: what a UDP length field leaves over IPv4 (RFC 768, RFC 791). */
const MAX_DATAGRAM = 65507;

/** What an outbox needs of its pipe. */
export interface Sender {
  readonly conf: Readonly<NetConf>;
  readonly tally: Tally;
  /** Why it cannot do something, if it is not open. */
  refusal(action: string): Error | undefined;
  /** A send found out that the connection is gone. */
  lost(error: TransportError): void;
}

/** Somebody who waits for the end of a send. */
export interface SendWatcher {
  /** Whether something waits for him: then the send's promise has to settle first. */
  readonly isAwaited: boolean;
  sendEnded(size: number): void;
  sendFailed(error: unknown, size: number): void;
}

/** The sending side of a connection or datagram socket. */
export class Outbox implements SendReport {
  #transport: Transport;
  /** While the transport is being replaced. */
  #pause: Promise<void> | undefined;
  readonly #pipe: Sender;
  /** What the caller called the peer when the pipe was opened. */
  readonly #name: Endpoint | undefined;
  readonly #dests: DestBook | undefined;
  /** Why the pipe's own peer may not be sent to. */
  readonly #peerRefusal: Error | undefined;
  #end: Promise<void> | undefined;
  /** Whether a send has found out that the peer takes nothing any more. */
  #broken = false;
  /** How many sends have not ended, and the last one, if none has ended since it began. */
  #underWay = 0;
  #last: Promise<number> | undefined;
  /** Who waits for its end, while it is the only one. */
  #watcher: SendWatcher | undefined;
  #watchedSize = 0;

  constructor(
    transport: Transport,
    pipe: Sender,
    name: Endpoint | undefined,
    lookup: Lookup | undefined,
  ) {
    this.#transport = transport;
    this.#pipe = pipe;
    this.#name = name;
    if (transport.kind === "stream") return;
    const single = transport.reliability !== undefined;
    this.#dests = new DestBook(transport.localAddr, pipe.conf, { single, lookup });
    if (transport.remoteAddr !== undefined) {
      this.#peerRefusal = this.#dests.refusal(transport.remoteAddr);
    }
  }

  /** Whether nothing more can be sent: `closeWrite` has ended it, or the peer is gone. */
  get ended(): boolean {
    return this.#end !== undefined || this.#broken;
  }

  /**
   * Holds back what is sent from now on until there is another transport to send it by, if there is one
   * in the end.
   */
  async replace(next: Promise<Transport>): Promise<void> {
    const paused = Promise.withResolvers<void>();
    this.#pause = paused.promise;
    try {
      this.#transport = await next;
    } finally {
      this.#pause = undefined;
      paused.resolve();
    }
  }

  /** Sends all of the data. See `Pipe.send`. No async function: each costs a twentieth of an echo. */
  send(data: Uint8Array | string, dest?: Dest): Promise<number> {
    try {
      const bytes = toBytes(data);
      if (this.#dests !== undefined && bytes.length > this.#most) throw this.#tooBig(bytes.length);
      if (this.#pause !== undefined) return this.#pause.then(() => this.send(bytes, dest));
      const to = this.destination(dest);
      if (to instanceof Promise) {
        return to.then((addr) => this.#post(bytes, addr), (error) => {
          throw this.#pipe.refusal("send") ?? error;
        });
      }
      return this.#post(bytes, to);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The pipe has ended, or is about to: what waits for a name is not sent. */
  stop(): void {
    this.#dests?.stop();
  }

  #post(bytes: Uint8Array, to: NetAddr): Promise<number> {
    const refusal = this.#pipe.refusal("send");
    if (refusal !== undefined) throw refusal;
    if (this.#end !== undefined) {
      throw new PipeStateError("Cannot send: closeWrite has ended this side");
    }
    // From here on it is not known which one ends.
    this.#unwatch();
    const others = this.#underWay++;
    const sending = this.#transport.send(bytes, to, this);
    this.#last = this.#underWay > others ? sending : undefined;
    return sending;
  }

  sent(size: number): void {
    this.#underWay--;
    this.#pipe.tally.sent(size);
    const watcher = this.#watcher, last = this.#last;
    this.#watcher = this.#last = undefined;
    if (watcher === undefined) return;
    if (watcher.isAwaited) tellBy(last, watcher, this.#watchedSize);
    else watcher.sendEnded(this.#watchedSize);
  }

  failed(error: unknown, to: NetAddr | undefined): unknown {
    this.#underWay--;
    this.#unwatch();
    this.#last = undefined;
    return this.#meaning(error, to ?? this.#transport.remoteAddr);
  }

  /**
   * Has somebody told of the end of a send without a reaction of his own to its promise, which would
   * cost a twentieth of an echo.
   *
   * @param promise What may be the promise of a send.
   * @param size What he is told with it.
   * @returns Whether it is that of the only one under way. If not, he will not be told.
   */
  watch(promise: unknown, watcher: SendWatcher, size: number): boolean {
    if (promise !== this.#last || this.#underWay !== 1 || this.#watcher !== undefined) return false;
    this.#watcher = watcher;
    this.#watchedSize = size;
    return true;
  }

  /** Has whoever watches told by the promise after all. */
  #unwatch(): void {
    if (this.#watcher === undefined) return;
    tellBy(this.#last, this.#watcher, this.#watchedSize);
    this.#watcher = undefined;
  }

  /** Sends what a link brings, cut to the size of a datagram where it must be. */
  forward(data: Uint8Array): Promise<unknown> {
    if (this.#dests !== undefined) return this.#forwardDatagrams(data);
    // A stream without messages has no way to say nothing.
    const silent = data.length === 0 && framingOf(this.#pipe.conf) === undefined;
    return silent ? Promise.resolve() : this.send(data);
  }

  async #forwardDatagrams(data: Uint8Array): Promise<void> {
    let rest = data;
    for (; rest.length > this.#most; rest = rest.subarray(this.#most)) {
      await this.send(rest.subarray(0, this.#most));
    }
    await this.send(rest);
  }

  /** Ends a stream after what was sent. */
  async closeWrite(): Promise<void> {
    if (this.#transport.closeWrite === undefined) {
      throw new PipeStateError("Cannot close for writing: a datagram pipe has no end to send");
    }
    if (this.#pause !== undefined) await this.#pause;
    const refusal = this.#pipe.refusal("close for writing");
    if (refusal !== undefined) throw refusal;
    this.#end ??= this.#transport.closeWrite();
    try {
      await this.#end;
    } catch (error) {
      throw this.#meaning(error, this.#transport.remoteAddr);
    }
  }

  /** The checked address that a `dest` stands for. */
  destination(dest: Dest | undefined): NetAddr | Promise<NetAddr> {
    const peer = this.#transport.remoteAddr;
    if (dest === undefined || dest === peer) {
      if (this.#peerRefusal !== undefined) throw this.#peerRefusal;
      if (peer !== undefined) return peer;
      throw new PipeStateError("Cannot send: this pipe has no peer of its own; name one as dest");
    }
    if (this.#dests !== undefined) return this.#dests.find(dest);
    const to = parseDest(dest, "dest", { zeroPort: false });
    const { hostname, port } = to;
    const isName = hostname === this.#name?.hostname && port === this.#name.port;
    if (peer !== undefined && (isName || isSame(peer, { transport: "tcp", hostname, port }))) {
      return peer;
    }
    throw new PipeStateError(
      `Cannot send to ${formatAddr(to)}: this pipe is connected to ` +
        formatAddr(peer ?? this.#transport.localAddr),
    );
  }

  /** Bytes of the biggest message. */
  get #most(): number {
    return this.#transport.maxMessage ?? MAX_DATAGRAM;
  }

  #tooBig(size: number): RangeError {
    const what = this.#transport.reliability === undefined
      ? `a datagram holds at most ${this.#most} bytes, got ${size}`
      : `an acknowledged message has at most ${this.#most} bytes, got ${size}; QUIC carries more`;
    return new RangeError(`data: ${what}`);
  }

  /** What a failed send means to its caller. */
  #meaning(error: unknown, addr: NetAddr | undefined): unknown {
    if (!(error instanceof TransportError)) return error;
    const { fault, cause } = error;
    const gone = fault === "reset" || fault === "closed";
    if (gone && this.#dests === undefined) {
      this.#broken = true;
      // The failure may be part of the pipe's end, which comes first.
      queueMicrotask(() => this.#pipe.lost(error));
    }
    const where = addr === undefined ? "" : ` to ${formatAddr(addr)}`;
    const why = fault === "closed" ? "the pipe was closed" : error.message;
    if (fault === "unanswered") {
      return new PipeTimeoutError(`Cannot send${where}: ${why}`, { addr });
    }
    return new (gone ? PipeClosedError : PipeError)(`Cannot send${where}: ${why}`, { addr, cause });
  }
}

function tellBy(sending: Promise<number> | undefined, watcher: SendWatcher, size: number): void {
  sending?.then(() => watcher.sendEnded(size), (error) => watcher.sendFailed(error, size));
}
