import type { NetAddr } from "../pipe/types.ts";
import type { TlsInfo } from "../pipe/tls_info.ts";
import { denoAddr } from "./addr.ts";
import { closedHere, translate, type TransportError } from "./error.ts";
import { inputQuiet } from "./linger.ts";
import { PushReader } from "./push_reader.ts";
import { ReadBuffer } from "./read_buffer.ts";
import type { SendReport, Sink, Transport } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

/** A connection of Deno's as a transport. */
export class ConnTransport implements Transport {
  readonly kind = "stream";
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr;
  readonly raw: Deno.Conn;
  /** Only of a `Deno.TlsConn`, which somebody else has opened. */
  declare readonly handshake?: () => Promise<void>;
  #tls: TlsInfo | undefined;
  readonly #buffer = new ReadBuffer();
  readonly #writes: WriteQueue;
  #state: "open" | "closing" | "closed" = "open";
  #closing: Promise<void> | undefined;
  #outputEnd: Promise<void> | undefined;
  #inputEnded = false;
  #inputFailure: TransportError | undefined;
  readonly #reader = new PushReader();
  /** Whether the loop that reads is running: it may still wait for a read that nobody wants any more. */
  #reading = false;
  /** What such a read left in the buffer, for the next pull; null: the end. */
  #unread: number | null | undefined;
  #discarding = false;
  #onRead: (() => void) | undefined;
  #reads = 0;
  /** Bytes handed over for sending. */
  #sent = 0;

  /**
   * @param conn The connection, owned from here on.
   * @param zone The zone of its link-local addresses.
   */
  constructor(conn: Deno.Conn, zone = "") {
    this.localAddr = denoAddr(conn.localAddr, zone);
    this.remoteAddr = denoAddr(conn.remoteAddr, zone);
    this.raw = conn;
    this.#writes = new WriteQueue((data) => conn.write(data));
    if (isTls(conn)) this.handshake = () => this.#shake(conn);
  }

  get tls(): TlsInfo | undefined {
    return this.#tls;
  }

  pull(sink: Sink): Promise<"paused" | "end"> {
    if (this.#discarding) return Promise.resolve("end");
    const pulled = this.#reader.start(sink);
    if (!this.#reading) void this.#read();
    return pulled;
  }

  interrupt(): void {
    this.#reader.pause();
  }

  send(data: Uint8Array, _to?: NetAddr, report?: SendReport): Promise<number> {
    this.#sent += data.length;
    return this.#writes.send(data, undefined, report);
  }

  recycle(data: Uint8Array, relayed: boolean): void {
    this.#buffer.recycle(data, relayed);
  }

  closeWrite(): Promise<void> {
    return this.#outputEnd ??= this.#endOutput();
  }

  close(): Promise<void> {
    return this.#closing ??= this.#finish();
  }

  abort(): void {
    this.#writes.fail(closedHere());
    this.#shut();
  }

  /** The hot path: everything that a message costs is in here. */
  async #read(): Promise<void> {
    const conn = this.raw,
      from = this.remoteAddr,
      reader = this.#reader,
      buffer = this.#buffer;
    this.#reading = true;
    try {
      while (reader.reading) {
        if (this.#inputFailure !== undefined) throw this.#inputFailure;
        const count = this.#unread === undefined ? await conn.read(buffer.bytes) : this.#unread;
        if (this.#isClosed()) break;
        this.#unread = undefined;
        if (!reader.reading) {
          this.#unread = count;
          break;
        }
        if (count === null) {
          this.#readEnded();
          break;
        }
        this.#reads++;
        reader.push(buffer.take(count), from);
      }
      if (this.#isClosed() || this.#inputEnded) reader.end();
    } catch (error) {
      this.#readFailed(translate(error));
    } finally {
      this.#reading = false;
      this.#onRead?.();
    }
  }

  #readFailed(error: TransportError): void {
    // "closed" without a close of ours is an error: the owner of the raw connection closed it.
    if (this.#isClosed()) return this.#reader.end();
    this.#inputFailure = error;
    this.#reader.fail(error);
  }

  /** A reset is reported once, and where a write got it, reads see an end in good order. */
  #readEnded(): void {
    const lost = this.#writes.failure;
    if (!this.#isClosed() && isReset(lost)) throw lost;
    this.#inputEnded = true;
  }

  async #shake(conn: Deno.TlsConn): Promise<void> {
    try {
      const { alpnProtocol } = await conn.handshake();
      this.#tls = Object.freeze({
        protocol: undefined,
        alpnProtocol,
        serverName: undefined,
        authorized: false,
        peerCertificate: undefined,
      });
    } catch (error) {
      throw translate(error);
    }
  }

  async #endOutput(): Promise<void> {
    if (this.#state !== "open") throw closedHere();
    this.#writes.end();
    await this.#writes.drain();
    if (this.#writes.failure !== undefined) throw this.#writes.failure;
    try {
      await this.raw.closeWrite();
    } catch (error) {
      throw translate(error);
    }
  }

  async #finish(): Promise<void> {
    if (this.#state === "open") this.#state = "closing";
    this.#writes.end();
    await this.#writes.drain();
    await this.#emptyInput();
    this.#shut();
    await this.#writes.drain();
    // The system frees the socket when the last call on it has returned.
    if (this.#reading) await new Promise<void>((resolve) => this.#onRead = resolve);
  }

  /** Only what was sent can be lost by a reset. */
  async #emptyInput(): Promise<void> {
    if (this.#inputDone()) return;
    // At once, so that the peer need not wait for the end of what we sent.
    await this.raw.closeWrite().catch(() => {});
    await inputQuiet(this.#sent, () => {
      if (this.#inputDone()) return undefined;
      if (!this.#reader.reading) {
        this.pull(() => true).catch(() => {});
        this.#discarding = true;
      }
      return this.#reads;
    });
  }

  #inputDone(): boolean {
    return this.#sent === 0 || this.#isClosed() || this.#inputEnded ||
      this.#inputFailure !== undefined ||
      this.#writes.failure !== undefined;
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }

  #shut(): void {
    if (this.#isClosed()) return;
    this.#state = "closed";
    try {
      this.raw.close();
    } catch {
      // The owner of the raw connection closed it.
    }
  }
}

function isReset(error: TransportError | undefined): error is TransportError {
  return error?.cause instanceof Deno.errors.ConnectionReset;
}

function isTls(conn: Deno.Conn): conn is Deno.TlsConn {
  return "handshake" in conn && typeof conn.handshake === "function";
}
