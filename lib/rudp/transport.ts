/**
 * Acknowledged datagrams on top of any datagram transport.
 *
 * @module
 */
import type { NetConf } from "../pipe/conf.ts";
import { messageSize } from "../pipe/bounds.ts";
import { Ring } from "../pipe/ring.ts";
import type { NetAddr } from "../pipe/types.ts";
import { noReceiver } from "../transport/datagram.ts";
import { closedHere, translate, TransportError } from "../transport/error.ts";
import { PushReader } from "../transport/push_reader.ts";
import { refused, reported } from "../transport/send_report.ts";
import type { Reliability, SendReport, Sink, Transport } from "../transport/transport.ts";
import { Engine } from "./engine.ts";
import type { Outgoing } from "./outgoing.ts";
import { HEADER, MAX_DATAGRAM } from "./packet.ts";
import { TICK } from "./rtt.ts";

/** Bytes held for a reader that is not reading: what is beyond is not acknowledged. */
const HELD = 64 * 1024;

/** Acknowledgements that the system has not taken yet; the next ones are as good as lost. */
const MOST_ACKS = 1024;

/** How often, and how far apart in milliseconds, `close` repeats the last acknowledgements. */
const REPEATS = 3, REPEAT_AFTER = 30;

/** A message and its sender. */
type Held = readonly [message: Uint8Array, from: NetAddr];

/** See `README.md` in this folder. */
export class RudpTransport implements Transport {
  readonly kind = "datagram";
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr | undefined;
  readonly maxMessage: number;
  readonly reliability: Reliability = {};
  readonly #inner: Transport;
  readonly #engine: Engine;
  readonly #reader = new PushReader();
  readonly #held = new Ring<Held>();
  /** Resolves when nothing is read any more. */
  readonly #reading: Promise<void>;
  readonly #linger: number;
  #heldBytes = 0;
  #acks = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = Infinity;
  #state: "open" | "closing" | "closed" = "open";
  #failure: TransportError | undefined;
  #closing: Promise<void> | undefined;
  /** Something that `close` waits for has happened. */
  #wake: (() => void) | undefined;

  /**
   * @param inner What carries the packets, owned from here on.
   * @param conf The pipe's options.
   */
  constructor(inner: Transport, { ackTimeout, linger }: Pick<NetConf, "ackTimeout" | "linger">) {
    this.#inner = inner;
    this.localAddr = inner.localAddr;
    this.remoteAddr = inner.remoteAddr;
    this.maxMessage = (inner.maxMessage ?? MAX_DATAGRAM) - HEADER;
    this.#linger = linger ?? Infinity;
    this.#engine = new Engine({
      ackTimeout,
      own: inner.remoteAddr,
      transmit: (packet, to, message) => this.#transmit(packet, to, message),
      take: (message, from) => this.#take(message, from),
      onDuplicate: () => this.reliability.onDuplicate?.(),
    });
    this.#reading = this.#read();
  }

  get raw(): unknown {
    return this.#inner.raw;
  }

  pull(sink: Sink): Promise<"paused" | "end"> {
    const pulled = this.#reader.start(sink);
    while (this.#reader.reading) {
      const held = this.#held.shift();
      if (held === undefined) break;
      this.#heldBytes -= messageSize(held[0]);
      this.#reader.push(...held);
    }
    if (this.#failure !== undefined) this.#reader.fail(this.#failure);
    else if (this.#state !== "open") this.#reader.end();
    return pulled;
  }

  send(
    data: Uint8Array,
    to: NetAddr | undefined = this.remoteAddr,
    report?: SendReport,
  ): Promise<number> {
    if (this.#failure !== undefined) return refused(this.#failure, to, report);
    if (this.#state !== "open") return refused(closedHere(), to, report);
    if (to === undefined) return refused(noReceiver(), to, report);
    if (data.length > this.maxMessage) {
      const why = `a message has at most ${this.maxMessage} bytes, got ${data.length}`;
      return refused(new TransportError("failed", new RangeError(why)), to, report);
    }
    const sending = new Promise<void>((resolve, reject) => {
      this.#engine.send(data, to, performance.now(), (error) => {
        if (error === undefined) resolve();
        else reject(error);
        if (this.#state === "closing") this.#wake?.();
      });
      this.#arm();
    });
    return reported(sending, data.length, to, report);
  }

  close(): Promise<void> {
    return this.#closing ??= this.#finish();
  }

  abort(reason?: unknown): void {
    this.#shut(closedHere());
    this.#inner.abort(reason);
  }

  async #finish(): Promise<void> {
    if (this.#state === "open") {
      this.#state = "closing";
      this.#held.clear();
      this.#reader.end();
      while (!this.#engine.idle) await this.#woken();
      await this.#repeatAcks();
      this.#shut(closedHere());
    }
    await this.#inner.close();
    await this.#reading;
  }

  /** Something that can be waited for, once; `#shut` ends the wait too. */
  #woken(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }

  /**
   * The peer may still wait for an acknowledgement that was lost. What it repeats meanwhile is answered,
   * and in case it repeats nothing so soon it is told again.
   */
  async #repeatAcks(): Promise<void> {
    const until = performance.now() + this.#linger;
    for (let i = 0; i < REPEATS && this.#state === "closing"; i++) {
      const now = performance.now();
      // A timer may fire a part of a millisecond early.
      if (until - now < 1 || (i === 0 && !this.#engine.hasRecentAcks(now))) return;
      const timer = setTimeout(() => this.#wake?.(), Math.min(REPEAT_AFTER, until - now));
      await this.#woken();
      clearTimeout(timer);
      if (this.#state === "closing") this.#engine.repeatAcks(performance.now());
    }
  }

  async #read(): Promise<void> {
    const sink: Sink = (packet, from) => {
      if (this.#state === "closed") return false;
      this.#engine.receive(packet, from, performance.now());
      this.#arm();
      return true;
    };
    try {
      while (await this.#inner.pull(sink) === "paused");
      this.#shut(closedHere());
    } catch (error) {
      if (this.#state !== "closed") this.#failure = translate(error);
      this.#shut(translate(error));
    }
  }

  /** Takes a new message: hands it to the reader, or holds it. */
  #take(message: Uint8Array, from: NetAddr): boolean {
    if (this.#state !== "open" || this.reliability.admits?.(from) === false) return false;
    if (this.#reader.reading) {
      this.#reader.push(message, from);
      return true;
    }
    const size = messageSize(message);
    if (this.#heldBytes > 0 && this.#heldBytes + size > HELD) return false;
    this.#held.push([message, from]);
    this.#heldBytes += size;
    return true;
  }

  #transmit(packet: Uint8Array<ArrayBuffer>, to: NetAddr, message: Outgoing | undefined): void {
    if (message !== undefined) {
      this.#inner.send(packet, to).catch((error) => {
        this.#engine.refused(message, translate(error), performance.now());
      });
      return;
    }
    if (this.#acks >= MOST_ACKS) return;
    this.#acks++;
    // One that cannot be sent is one that was lost.
    const done = () => void this.#acks--;
    this.#inner.send(packet, to).then(done, done);
  }

  /** One timer for everything; left running when what it was for is done in time. */
  #arm(): void {
    const { due } = this.#engine;
    if (due >= this.#due || this.#state === "closed") return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(this.#tick, Math.max(TICK, due - performance.now()));
  }

  readonly #tick = (): void => {
    this.#due = Infinity;
    this.#engine.tick(performance.now());
    this.#arm();
  };

  #shut(error: TransportError): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearTimeout(this.#timer);
    this.#engine.fail(error);
    if (this.#failure === undefined) {
      this.#held.clear();
      this.#reader.end();
    } else this.#reader.fail(this.#failure);
    this.#wake?.();
  }
}
