import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { NetAddr } from "../pipe/types.ts";
import type { TlsInfo } from "../pipe/tls_info.ts";
import { netAddr } from "./addr.ts";
import { Slab } from "./buffers.ts";
import { closedHere, translate, type TransportError } from "./error.ts";
import { inputQuiet } from "./linger.ts";
import { PushReader } from "./push_reader.ts";
import type { SendReport, Sink, Transport } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

/** The two ends of a connection. */
export interface Ends {
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr;
}

/** A stream of Node's as a transport: everything but how to reset it and how to close what is beneath. */
export abstract class NodeTransport implements Transport {
  readonly kind = "stream";
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr;
  readonly raw: Socket;
  readonly tls: TlsInfo | undefined;
  readonly #writes: WriteQueue;
  readonly #slab = new Slab();
  /** Resolves when the system has freed the socket. */
  readonly #gone = Promise.withResolvers<void>();
  readonly #reader = new PushReader();
  #inputEnded = false;
  #failure: TransportError | undefined;
  #closed = false;
  #shutHere = false;
  #closing: Promise<void> | undefined;
  #outputEnd: Promise<void> | undefined;
  /** How often something was read. */
  protected reads = 0;
  /** Bytes handed over for sending. */
  protected sent = 0;

  /**
   * @param socket Connected, paused and allowed to be half open; owned from here on.
   * @param ends Its addresses.
   * @param tls What was agreed on, if it speaks TLS.
   */
  constructor(socket: Socket, ends: Ends, tls?: TlsInfo) {
    this.localAddr = ends.localAddr;
    this.remoteAddr = ends.remoteAddr;
    this.raw = socket;
    this.tls = tls;
    this.#writes = new WriteQueue((data) => this.write(data));
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
  }

  /** Ends the connection at once, by a reset where there is a way. */
  protected abstract reset(): void;

  /** Frees everything once the output was written; what was sent is not to be lost by it. */
  protected abstract free(): Promise<void>;

  pull(sink: Sink): Promise<"paused" | "end"> {
    if (this.#failure !== undefined && !this.#shutHere) return Promise.reject(this.#failure);
    if (this.#closed || this.#inputEnded) return Promise.resolve("end");
    const pulled = this.#reader.start(sink);
    this.flow();
    return pulled;
  }

  interrupt(): void {
    this.#reader.pause();
    this.hold();
  }

  release(): Socket {
    this.raw.off("data", this.#onData);
    this.raw.off("end", this.#onEnd);
    this.raw.off("error", this.#onError);
    this.raw.off("close", this.#onClose);
    return this.raw;
  }

  send(data: Uint8Array, _to?: NetAddr, report?: SendReport): Promise<number> {
    this.sent += data.length;
    return this.#writes.send(data, undefined, report);
  }

  closeWrite(): Promise<void> {
    return this.#outputEnd ??= this.#endOutput();
  }

  close(): Promise<void> {
    return this.#closing ??= this.#finish();
  }

  abort(): void {
    this.#writes.fail(closedHere());
    if (this.#shutHere) return;
    this.#shut();
    this.reset();
  }

  /** Whether nothing more will be read, or nothing that was sent could be lost. */
  protected get inputDone(): boolean {
    return this.sent === 0 || this.#closed || this.#inputEnded || this.#failure !== undefined;
  }

  /** Whether the input ended, by the peer or by a close from this side. */
  protected get inputEnded(): boolean {
    return this.#inputEnded || this.#closed;
  }

  /** Lets what is received come. */
  protected flow(): void {
    this.raw.resume();
  }

  /** Lets nothing more come. */
  protected hold(): void {
    this.raw.pause();
  }

  /** Something was received. */
  protected onData(chunk: Buffer): void {
    this.reads++;
    // Nobody reads: the last bytes before a close.
    if (!this.#reader.reading) return;
    if (!this.#reader.push(this.own(chunk), this.remoteAddr)) this.hold();
  }

  /** Whether a pull is in progress. */
  protected get reading(): boolean {
    return this.#reader.reading;
  }

  /** Whether this side has closed it. */
  protected get shut(): boolean {
    return this.#shutHere;
  }

  /** Resolves when the system took all of the data. */
  protected write(data: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.raw.write(data, (error) => {
        // A write that fails destroys the socket; only the events that follow tell why.
        if (error) void this.#gone.promise.then(() => reject(error));
        else resolve();
      });
    });
  }

  /** The connection is lost. */
  protected fail(error: TransportError): void {
    if (this.#shutHere) return;
    this.#failure ??= error;
    this.#writes.fail(this.#failure);
    this.#reader.fail(this.#failure);
  }

  /** Resolves when the end was written, or there is no connection to end any more. */
  protected sendEnd(): Promise<void> {
    return new Promise((resolve) => {
      this.raw.end(() => resolve());
      void this.#gone.promise.then(resolve);
    });
  }

  readonly #onData = (chunk: Buffer): void => this.onData(chunk);

  readonly #onEnd = (): void => {
    this.#inputEnded = true;
    this.#reader.end();
  };

  readonly #onError = (error: Error): void => this.fail(translate(error));

  /** Closed by us, after an error, after both ends, or by the owner of the raw socket. */
  readonly #onClose = (): void => {
    this.#closed = true;
    this.#writes.end();
    this.#reader.end();
    this.#gone.resolve();
  };

  async #endOutput(): Promise<void> {
    if (this.#failure !== undefined && !this.#shutHere) throw this.#failure;
    if (this.#closing !== undefined || this.#closed) throw closedHere();
    this.#writes.end();
    await this.#writes.drain();
    if (this.#writes.failure !== undefined) throw this.#writes.failure;
    await this.sendEnd();
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #finish(): Promise<void> {
    this.#writes.end();
    await this.#writes.drain();
    await this.free();
    this.#shut();
    this.raw.destroy();
    await this.#gone.promise;
    await this.#writes.drain();
  }

  #shut(): void {
    this.#shutHere = this.#closed = true;
    this.#reader.end();
  }

  /** The bytes of a chunk without the methods of a Node Buffer, whose `slice` does not copy. */
  protected own(chunk: Buffer): Uint8Array {
    const { buffer, byteOffset, length } = chunk;
    // Memory that it does not share is handed over as it is.
    if (buffer.byteLength === length) return new Uint8Array(buffer, byteOffset, length);
    return this.#slab.keep(chunk);
  }
}

/** A socket of node:net as a transport. */
export class SocketTransport extends NodeTransport {
  /**
   * @param socket The socket, owned from here on.
   * @param zone The zone of its link-local addresses.
   * @param tls What was agreed on, if it speaks TLS.
   */
  constructor(socket: Socket, zone = "", tls?: TlsInfo) {
    const { localAddress = "", localPort = 0, remoteAddress = "", remotePort = 0 } = socket;
    super(socket, {
      localAddr: netAddr("tcp", localAddress, localPort, zone),
      remoteAddr: netAddr("tcp", remoteAddress, remotePort, zone),
    }, tls);
  }

  protected reset(): void {
    this.raw.resetAndDestroy();
  }

  /** Only what was sent can be lost by a reset. */
  protected async free(): Promise<void> {
    if (this.inputDone) return;
    // At once, so that the peer need not wait for the end of what we sent.
    await this.sendEnd();
    await inputQuiet(this.sent, () => {
      if (this.inputDone) return undefined;
      this.raw.resume();
      return this.reads;
    });
  }
}
