import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { NetAddr } from "../pipe/types.ts";
import { netAddr } from "./addr.ts";
import { Slab } from "./buffers.ts";
import { closedHere, translate, type TransportError } from "./error.ts";
import { inputQuiet } from "./linger.ts";
import { PushReader } from "./push_reader.ts";
import type { Sink, Transport } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

/** A socket of node:net as a transport. It has to be connected, paused, and allowed to be half open. */
export class SocketTransport implements Transport {
  readonly kind = "stream";
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr;
  readonly raw: Socket;
  readonly #writes: WriteQueue;
  readonly #slab = new Slab();
  /** Resolves when the system has freed the socket. */
  readonly #gone: Promise<void>;
  readonly #reader = new PushReader();
  #inputEnded = false;
  #failure: TransportError | undefined;
  #closed = false;
  #closing: Promise<void> | undefined;
  #outputEnd: Promise<void> | undefined;
  #reads = 0;
  /** Bytes handed over for sending. */
  #sent = 0;

  /**
   * @param socket The socket, owned from here on.
   * @param zone The zone of its link-local addresses.
   */
  constructor(socket: Socket, zone = "") {
    const { localAddress = "", localPort = 0, remoteAddress = "", remotePort = 0 } = socket;
    this.localAddr = netAddr("tcp", localAddress, localPort, zone);
    this.remoteAddr = netAddr("tcp", remoteAddress, remotePort, zone);
    this.raw = socket;
    this.#writes = new WriteQueue((data) => this.#write(data));
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("end", () => this.#onEnd());
    socket.on("error", (error: Error) => this.#onError(error));
    this.#gone = new Promise((resolve) => {
      socket.on("close", () => {
        this.#onClose();
        resolve();
      });
    });
  }

  pull(sink: Sink): Promise<"paused" | "end"> {
    if (this.#closed) return Promise.resolve("end");
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#inputEnded) return Promise.resolve("end");
    const pulled = this.#reader.start(sink);
    this.raw.resume();
    return pulled;
  }

  send(data: Uint8Array): Promise<void> {
    this.#sent += data.length;
    return this.#writes.send(data);
  }

  closeWrite(): Promise<void> {
    return this.#outputEnd ??= this.#endOutput();
  }

  close(): Promise<void> {
    return this.#closing ??= this.#finish();
  }

  abort(): void {
    this.#writes.fail(closedHere());
    if (this.#closed) return;
    this.#shut();
    this.raw.resetAndDestroy();
  }

  #onData(chunk: Buffer): void {
    this.#reads++;
    // Nobody reads: the last bytes before a close.
    if (!this.#reader.reading) return;
    if (!this.#reader.push(this.#own(chunk), this.remoteAddr)) this.raw.pause();
  }

  #onEnd(): void {
    this.#inputEnded = true;
    this.#reader.end();
  }

  #onError(error: Error): void {
    if (this.#closed) return;
    this.#failure ??= translate(error);
    this.#writes.fail(this.#failure);
    this.#reader.fail(this.#failure);
  }

  /** Closed by us, after an error, after both ends, or by the owner of the raw socket. */
  #onClose(): void {
    this.#closed = true;
    this.#writes.end();
    this.#reader.end();
  }

  #write(data: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.raw.write(data, (error) => error ? reject(error) : resolve());
    });
  }

  async #endOutput(): Promise<void> {
    if (this.#closing !== undefined || this.#closed) throw closedHere();
    this.#writes.end();
    await this.#writes.drain();
    if (this.#writes.failure !== undefined) throw this.#writes.failure;
    await this.#sendEnd();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when the system has taken the end, or there is no connection to end any more. */
  #sendEnd(): Promise<void> {
    return new Promise((resolve) => {
      this.raw.end(() => resolve());
      void this.#gone.then(resolve);
    });
  }

  async #finish(): Promise<void> {
    this.#writes.end();
    await this.#writes.drain();
    await this.#emptyInput();
    this.#shut();
    this.raw.destroy();
    await this.#gone;
    await this.#writes.drain();
  }

  /** Only what was sent can be lost by a reset. */
  async #emptyInput(): Promise<void> {
    if (this.#inputDone()) return;
    // At once, so that the peer need not wait for the end of what we sent.
    await this.#sendEnd();
    await inputQuiet(this.#sent, () => {
      if (this.#inputDone()) return undefined;
      this.raw.resume();
      return this.#reads;
    });
  }

  #inputDone(): boolean {
    return this.#sent === 0 || this.#closed || this.#inputEnded || this.#failure !== undefined;
  }

  #shut(): void {
    this.#closed = true;
    this.#reader.end();
  }

  /** The bytes of a chunk without the methods of a Node Buffer, whose `slice` does not copy. */
  #own(chunk: Buffer): Uint8Array {
    const { buffer, byteOffset, length } = chunk;
    // Memory that it does not share is handed over as it is.
    if (buffer.byteLength === length) return new Uint8Array(buffer, byteOffset, length);
    return this.#slab.keep(chunk);
  }
}
