import { closedHere, translate, type TransportError } from "../transport/error.ts";
import { PushReader } from "../transport/push_reader.ts";
import type { SendReport, Sink, Transport } from "../transport/transport.ts";
import { WriteQueue } from "../transport/write_queue.ts";
import type { NetAddr } from "../pipe/types.ts";
import type { TlsInfo } from "../pipe/tls_info.ts";
import type { Connection, Rider } from "./connection.ts";

/** The read of a connection that nobody waits for any more: its datagram is for the next one. */
const reads = new WeakMap<Connection, Promise<Uint8Array>>();

/**
 * The datagrams of a QUIC connection (RFC 9221) as a transport: each arrives once or never. What comes
 * while nobody reads waits in Deno, up to 1.25 MB, where it drops the oldest.
 */
export class DatagramsTransport implements Transport, Rider {
  readonly kind = "datagram";
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr;
  readonly tls: TlsInfo;
  readonly #connection: Connection;
  readonly #onClose: () => void;
  readonly #pulls = new PushReader();
  readonly #writes: WriteQueue;
  #unread: Uint8Array | undefined;
  #reading = false;
  /** How the connection has ended, if it has. */
  #ended: "end" | TransportError | undefined;
  #closed = false;
  #closing: Promise<void> | undefined;

  /**
   * @param connection What they go by.
   * @param onClose Told when somebody else can have them.
   */
  constructor(connection: Connection, onClose: () => void) {
    connection.mount(this);
    this.#connection = connection;
    this.#onClose = onClose;
    this.localAddr = connection.localAddr;
    this.remoteAddr = connection.remoteAddr;
    this.tls = connection.tls;
    this.#writes = new WriteQueue((data) => this.#write(data), "datagram");
  }

  get raw(): Deno.QuicConn | undefined {
    return this.#connection.raw;
  }

  /** Bytes of the biggest one, which grows as the network turns out to carry more. */
  get maxMessage(): number | undefined {
    return this.raw?.maxDatagramSize;
  }

  pull(sink: Sink): Promise<"paused" | "end"> {
    if (this.#closed || this.#ended === "end") return Promise.resolve("end");
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const pulled = this.#pulls.start(sink);
    if (!this.#reading) void this.#read();
    return pulled;
  }

  send(data: Uint8Array, _to?: NetAddr, report?: SendReport): Promise<number> {
    return this.#writes.send(data, undefined, report);
  }

  close(): Promise<void> {
    return this.#closing ??= this.#finish();
  }

  abort(): void {
    this.#writes.fail(closedHere());
    if (this.#closed) return;
    this.#shut();
    this.#connection.giveUp(this);
  }

  /** Called by the connection. */
  lost(failure: TransportError, inOrder: boolean): void {
    this.#writes.fail(failure);
    this.#ended = inOrder ? "end" : failure;
    if (inOrder) this.#pulls.end();
    else this.#pulls.fail(failure);
    this.#onClose();
  }

  get #conn(): Deno.QuicConn {
    const { raw } = this;
    if (raw === undefined) throw closedHere();
    return raw;
  }

  async #read(): Promise<void> {
    this.#reading = true;
    try {
      while (this.#pulls.reading) {
        const data = this.#unread ?? await this.#next();
        this.#unread = data;
        if (!this.#pulls.reading) break;
        this.#unread = undefined;
        this.#pulls.push(data, this.remoteAddr);
      }
    } catch {
      // The connection is gone, and tells.
    } finally {
      this.#reading = false;
    }
  }

  async #next(): Promise<Uint8Array> {
    const read = reads.get(this.#connection) ?? this.#conn.readDatagram();
    reads.set(this.#connection, read);
    const data = await read;
    // Of a transport that was closed meanwhile it is the next one's.
    if (!this.#closed) reads.delete(this.#connection);
    return data;
  }

  async #write(data: Uint8Array): Promise<void> {
    this.#connection.sending(data.length);
    try {
      // A copy is made at once.
      await this.#conn.sendDatagram(data);
    } catch (error) {
      throw this.#connection.failure ?? translate(error);
    }
  }

  async #finish(): Promise<void> {
    this.#writes.end();
    await this.#writes.drain();
    if (!this.#closed) {
      this.#shut();
      await this.#connection.leave(this);
    }
    if (this.#connection.failure !== undefined) await this.#connection.over;
  }

  #shut(): void {
    this.#closed = true;
    this.#onClose();
    this.#pulls.end();
  }
}
