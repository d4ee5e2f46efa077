import { LARGE, Slab } from "../transport/buffers.ts";
import { closedHere, translate, TransportError } from "../transport/error.ts";
import { PushReader } from "../transport/push_reader.ts";
import type { SendReport, Sink, Transport } from "../transport/transport.ts";
import { WriteQueue } from "../transport/write_queue.ts";
import type { NetAddr } from "../pipe/types.ts";
import type { TlsInfo } from "../pipe/tls_info.ts";
import type { Connection, StreamRider } from "./connection.ts";
import { isConnectionLoss } from "./errors.ts";

/** Read buffers start small, so that idle streams are cheap, and grow when reads fill them. */
const FIRST_BUFFER = 2 * 1024, LAST_BUFFER = 64 * 1024, GROWTH = 4;

/** What goes to Deno at once: a write that has begun cannot be taken back. */
const LARGEST_WRITE = 64 * 1024;

/** What is read ahead for a peer that waits for it; more than may be under way (1.25 MB) is not. */
const MOST_AHEAD = 4 * 1024 * 1024;

/** A bidirectional stream of a QUIC connection as a transport. */
export class StreamTransport implements Transport, StreamRider {
  readonly kind = "stream";
  readonly id: bigint;
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr;
  readonly raw: Deno.QuicBidirectionalStream;
  readonly tls: TlsInfo;
  readonly #connection: Connection;
  readonly #input: ReadableStreamBYOBReader;
  readonly #output: WritableStreamDefaultWriter<Uint8Array>;
  readonly #writes: WriteQueue;
  /** Rejects a write that waits for the peer. */
  #stopWrite: ((error: TransportError) => void) | undefined;
  readonly #pulls = new PushReader();
  #buffer = new ArrayBuffer(FIRST_BUFFER);
  readonly #slab = new Slab();
  /** What was read and not asked for. */
  #ahead: Uint8Array[] = [];
  #aheadSize = 0;
  #readingAhead = false;
  #discarding = false;
  #reading: Promise<void> | undefined;
  #inputState: "open" | "ended" | "cancelled" | TransportError = "open";
  #outputState: "open" | "ended" | "lost" = "open";
  #outputEnd: Promise<void> | undefined;
  #state: "open" | "closing" | "closed" = "open";
  #closing: Promise<void> | undefined;

  /**
   * @param raw The stream, owned from here on.
   * @param connection What it rides on.
   */
  constructor(raw: Deno.QuicBidirectionalStream, connection: Connection) {
    this.id = raw.writable.id;
    this.localAddr = connection.localAddr;
    // An object of its own, by which a server knows whom to answer.
    this.remoteAddr = Object.freeze({ ...connection.remoteAddr });
    this.tls = connection.tls;
    this.raw = raw;
    this.#connection = connection;
    this.#input = raw.readable.getReader({ mode: "byob" });
    this.#output = raw.writable.getWriter();
    // Reading and writing tell the same.
    for (const { closed } of [this.#input, this.#output]) closed.catch(() => {});
    this.#output.ready.catch(() => {});
    this.#writes = new WriteQueue((data) => this.#write(data));
    connection.mountStream(this);
  }

  pull(sink: Sink): Promise<"paused" | "end"> {
    if (this.#discarding || this.#state === "closed") return Promise.resolve("end");
    const pulled = this.#pulls.start(sink);
    this.#read();
    return pulled;
  }

  interrupt(): void {
    this.#pulls.pause();
  }

  send(data: Uint8Array, _to?: NetAddr, report?: SendReport): Promise<number> {
    return this.#writes.send(data, undefined, report);
  }

  closeWrite(): Promise<void> {
    return this.#outputEnd ??= this.#state === "open"
      ? this.#endOutput()
      : Promise.reject(closedHere());
  }

  close(): Promise<void> {
    return this.#closing ??= this.#finish();
  }

  abort(): void {
    this.#writes.fail(closedHere());
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#stopWrite?.(closedHere());
    this.#cancelInput();
    if (this.#outputState === "open") this.#cutOutput();
    this.#connection.giveUp(this);
    this.#pulls.end();
  }

  /** Called by the connection: everything sent has to be taken out of its hands. */
  readAhead(): void {
    this.#readingAhead = true;
    this.#read();
  }

  /** Called by the connection. */
  cut(): void {
    const cause = new Deno.errors.ConnectionReset("the peer reset the stream");
    this.#failInput(new TransportError("reset", cause));
    this.#input.cancel().catch(() => {});
  }

  /** Called by the connection. */
  lost(failure: TransportError): void {
    this.#outputLost();
    this.#writes.fail(failure);
    this.#stopWrite?.(failure);
    this.#failInput(failure);
  }

  #read(): void {
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = undefined;
      // Somebody may have asked meanwhile.
      if (this.#pulls.reading) this.#read();
    });
  }

  /** Reads as long as somebody wants it. */
  async #readAll(): Promise<void> {
    while (true) {
      this.#handOver();
      if (this.#inputState !== "open") return this.#tellEnd();
      if (this.#state !== "open" && !this.#pulls.reading) this.#discarding = true;
      const ahead = this.#readingAhead && this.#aheadSize < MOST_AHEAD;
      if (!this.#pulls.reading && !ahead && !this.#discarding) return;
      await this.#readOnce();
    }
  }

  async #readOnce(): Promise<void> {
    let result: ReadableStreamReadResult<Uint8Array<ArrayBuffer>>;
    try {
      result = await this.#input.read(new Uint8Array(this.#buffer));
    } catch (error) {
      // Its connection knows better, and tells.
      if (isConnectionLoss(error)) await this.#connection.over;
      if (this.#state !== "open") return this.#endInput("cancelled");
      return this.#failInput(this.#connection.failure ?? translate(error));
    }
    if (this.#inputState !== "open") return;
    if (result.done) {
      this.#endInput("ended");
      return;
    }
    const data = this.#take(result.value);
    if (this.#discarding) return;
    this.#ahead.push(data);
    this.#aheadSize += data.length;
  }

  /** What was read, for keeps. */
  #take(read: Uint8Array<ArrayBuffer>): Uint8Array {
    const { buffer, length } = read, size = buffer.byteLength;
    const grown = length === size && size < LAST_BUFFER;
    if (length >= LARGE || grown) {
      this.#buffer = new ArrayBuffer(grown ? size * GROWTH : size);
      if (length >= LARGE) return read;
    } else this.#buffer = buffer;
    return this.#slab.keep(read);
  }

  #handOver(): void {
    while (this.#ahead.length > 0 && this.#pulls.reading) {
      const [data] = this.#ahead;
      this.#ahead.shift();
      if (data === undefined) return;
      this.#aheadSize -= data.length;
      this.#pulls.push(data, this.remoteAddr);
    }
  }

  /** There is no more than what was read ahead. */
  #tellEnd(): void {
    if (this.#ahead.length > 0 && this.#state !== "closed") return;
    const state = this.#inputState;
    if (state instanceof TransportError && this.#state !== "closed") this.#pulls.fail(state);
    else this.#pulls.end();
  }

  #failInput(failure: TransportError): void {
    this.#endInput(failure);
  }

  #endInput(how: "ended" | "cancelled" | TransportError): void {
    if (this.#inputState !== "open") return;
    this.#inputState = how;
    this.#connection.inputEnded(this.id);
    if (this.#reading === undefined) this.#tellEnd();
  }

  #cancelInput(): void {
    if (this.#inputState !== "open") return;
    this.#endInput("cancelled");
    this.#input.cancel().catch(() => {});
  }

  /** Takes as much as cannot be taken back. */
  async #write(data: Uint8Array): Promise<number> {
    if (this.#state === "closed") throw closedHere();
    const part = data.subarray(0, LARGEST_WRITE);
    this.#connection.sending(part.length);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#stopWrite = reject;
    this.#output.write(part).then(resolve, async (error) => {
      if (isConnectionLoss(error)) await this.#connection.over;
      this.#outputLost();
      reject(this.#connection.failure ?? translate(error));
    });
    try {
      await promise;
    } finally {
      this.#stopWrite = undefined;
    }
    return part.length;
  }

  /** The peer wants no more: nothing is left to end. */
  #outputLost(): void {
    if (this.#outputState !== "open") return;
    this.#outputState = "lost";
    this.#connection.outputEnded();
  }

  async #endOutput(): Promise<void> {
    this.#writes.end();
    await this.#writes.drain();
    if (this.#writes.failure !== undefined) throw this.#writes.failure;
    if (this.#outputState !== "open") return;
    this.#outputState = "ended";
    this.#connection.outputEnded();
    try {
      await this.#output.close();
    } catch (error) {
      throw this.#connection.failure ?? translate(error);
    }
  }

  #cutOutput(): void {
    this.#outputState = "lost";
    const drop = () => void this.#output.abort().catch(() => {});
    this.#connection.cutOutput(this, drop);
  }

  async #finish(): Promise<void> {
    if (this.#state === "open") {
      const ended = this.#outputEnd ?? this.#endOutput();
      this.#state = "closing";
      // What the peer goes on sending is read and forgotten, or it might never read to our end.
      this.#read();
      await ended.catch(() => {});
      await this.#connection.leave(this);
      this.#state = "closed";
      this.#cancelInput();
      this.#pulls.end();
    }
    await this.#reading;
    if (this.#connection.failure !== undefined) await this.#connection.over;
  }
}
