import type { NetConf } from "../pipe/conf.ts";
import type { TlsInfo } from "../pipe/tls_info.ts";
import type { NetAddr } from "../pipe/types.ts";
import { busyWith, TransportError } from "../transport/error.ts";
import { reported } from "../transport/send_report.ts";
import type { SendReport, Sink, Transport } from "../transport/transport.ts";
import { checkLength } from "./errors.ts";
import { FrameReader } from "./frame_reader.ts";
import { type Framing, MAX_FRAME, UNNAMED } from "./framing.ts";

/** The framing of a conf, if it has one. */
export function framingOf({ framing }: Pick<NetConf, "framing">): Framing | undefined {
  return framing === null || framing === "raw" ? undefined : framing;
}

/** A connection with the framing of a conf on top, where there is one. */
export function framed(under: Transport, conf: Pick<NetConf, "framing">): Transport {
  const framing = framingOf(conf);
  return framing === undefined ? under : new FramedTransport(under, framing);
}

/**
 * A stream whose pieces are whole messages, the empty one included, on top of any stream. What the
 * framing cannot make a frame of is refused by `send` with the framing's own error, and nothing has
 * happened; what it cannot make a message of fails `pull`, with the framing's error as the cause, and
 * nothing can be read any more.
 */
export class FramedTransport implements Transport {
  readonly kind = "stream";
  /** The stream of bytes. */
  readonly under: Transport;
  /** Where the stream can be interrupted. */
  declare readonly interrupt?: () => void;
  readonly #framing: Framing;
  readonly #reader: FrameReader;
  #pulling = false;
  #onPulled: (() => void) | undefined;
  #interrupted = false;
  #closing: Promise<void> | undefined;
  /** Nothing is handed up any more. */
  #shut = false;
  #failure: TransportError | undefined;

  /**
   * @param under The stream, owned from here on.
   * @param framing What a message is.
   */
  constructor(under: Transport, framing: Framing) {
    this.under = under;
    this.#framing = framing;
    this.#reader = new FrameReader(framing);
    if (under.interrupt !== undefined) this.interrupt = () => this.#interrupt();
  }

  get localAddr(): NetAddr {
    return this.under.localAddr;
  }

  get remoteAddr(): NetAddr | undefined {
    return this.under.remoteAddr;
  }

  get raw(): unknown {
    return this.under.raw;
  }

  get tls(): TlsInfo | undefined {
    return this.under.tls;
  }

  /** Bytes that came and that no pull has handed up. */
  get unread(): number {
    return this.#reader.size;
  }

  async pull(sink: Sink): Promise<"paused" | "end"> {
    if (this.#pulling) throw busyWith("read");
    this.#pulling = true;
    this.#interrupted = false;
    try {
      return await this.#pull(sink);
    } finally {
      this.#pulling = false;
      this.#onPulled?.();
    }
  }

  send(data: Uint8Array, to?: NetAddr, report?: SendReport): Promise<number> {
    return reported(this.#send(data), data.length, to, report);
  }

  #send(data: Uint8Array): Promise<unknown> {
    try {
      const frame = this.#framing.encode(data);
      const { maxFrame = MAX_FRAME, name = UNNAMED } = this.#framing;
      if (!(frame instanceof Uint8Array)) {
        throw new TypeError(`${name}.encode: a Uint8Array is needed, got ${typeof frame}`);
      }
      checkLength(frame.length, maxFrame, name);
      return this.under.send(frame);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async closeWrite(): Promise<void> {
    await this.under.closeWrite?.();
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  abort(reason?: unknown): void {
    this.#forget();
    this.under.abort(reason);
  }

  async #close(): Promise<void> {
    await this.under.close();
    this.#forget();
    if (this.#pulling) await new Promise<void>((resolve) => this.#onPulled = resolve);
  }

  async #pull(sink: Sink): Promise<"paused" | "end"> {
    if (this.#failure !== undefined && !this.#shut) throw this.#failure;
    if (!this.#handUp(sink)) return "paused";
    const how = await this.under.pull((piece) => {
      if (this.#shut) return true;
      this.#decode(() => void this.#reader.push(piece));
      return this.#handUp(sink);
    });
    if (how === "paused") return "paused";
    // This side's own end cuts nothing off.
    const last = this.#closing === undefined ? this.#decode(() => this.#reader.last()) : undefined;
    if (last !== undefined && !this.#sink(sink, last)) return "paused";
    return "end";
  }

  /** Hands up the whole messages that there are; false if the pull is to end with "paused". */
  #handUp(sink: Sink): boolean {
    for (;;) {
      const message = this.#decode(() => this.#reader.next());
      if (message === undefined) return true;
      if (!this.#sink(sink, message)) return false;
    }
  }

  #sink(sink: Sink, message: Uint8Array): boolean {
    return sink(message, this.under.remoteAddr ?? this.under.localAddr) && !this.#interrupted;
  }

  #decode(read: () => Uint8Array | undefined): Uint8Array | undefined {
    try {
      return read();
    } catch (error) {
      this.#reader.clear();
      this.#failure = new TransportError("failed", error);
      if (this.#closing === undefined) throw this.#failure;
      // What comes while it is closed is of no interest, whatever is wrong with it.
      this.#shut = true;
      return undefined;
    }
  }

  #interrupt(): void {
    if (!this.#pulling) return;
    this.#interrupted = true;
    this.under.interrupt?.();
  }

  #forget(): void {
    this.#shut = true;
    this.#reader.clear();
  }
}
