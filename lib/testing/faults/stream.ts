import type { TlsInfo } from "../../pipe/tls_info.ts";
import type { NetAddr } from "../../pipe/types.ts";
import { closedHere, translate, type TransportError } from "../../transport/error.ts";
import { PushReader } from "../../transport/push_reader.ts";
import type { SendReport, Sink, Transport } from "../../transport/transport.ts";
import { WriteQueue } from "../../transport/write_queue.ts";
import type { EndLanes, FaultyEnd } from "./datagram.ts";
import type { Lane } from "./lane.ts";
import { StreamFate } from "./stream_fate.ts";
import { StreamWay } from "./stream_way.ts";

/** Milliseconds that a peer has to take what it was sent before a connection that broke by an end. */
const PATIENCE = 1000;

/** A connection with faults. */
export class FaultyStream implements FaultyEnd {
  readonly kind = "stream";
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr;
  readonly raw: unknown;
  declare readonly handshake?: () => Promise<void>;
  readonly #under: Transport;
  readonly #lanes: EndLanes;
  readonly #writes: WriteQueue;
  readonly #out: StreamWay;
  readonly #in: StreamWay | undefined;
  readonly #reader = new PushReader();
  #timers: ReturnType<typeof setTimeout>[] = [];
  #pumping = false;
  #inputEnded = false;
  #inputFailure: TransportError | undefined;
  #broken = false;
  /** The close under it, when it broke by an end. */
  #ending: Promise<void> | undefined;
  #outputEnd: Promise<void> | undefined;
  /** Its way to the peer. */
  #outputEnding: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #closed = false;

  /**
   * @param under The connection, owned from here on.
   * @param lanes What goes wrong.
   */
  constructor(under: Transport, lanes: EndLanes) {
    this.localAddr = under.localAddr;
    this.remoteAddr = under.remoteAddr ?? under.localAddr;
    this.raw = under.raw;
    this.#under = under;
    const { handshake } = under;
    if (handshake !== undefined) this.handshake = () => handshake.call(under);
    this.#lanes = lanes;
    this.#out = new StreamWay(new StreamFate(this.#outLane, lanes.connection), {
      ready: () => true,
      deliver: (data) => under.send(data),
      broken: (how) => this.#break(how, this.#outLane),
    });
    this.#writes = new WriteQueue((data) => this.#write(data));
    if (lanes.in !== undefined) {
      this.#in = new StreamWay(new StreamFate(lanes.in, lanes.connection), {
        ready: () => this.#reader.reading,
        deliver: (data) => void this.#reader.push(data, this.remoteAddr),
        broken: (how) => this.#break(how, lanes.in),
      });
    }
    this.#arm();
  }

  get tls(): TlsInfo | undefined {
    return this.#under.tls;
  }

  pull(sink: Sink): Promise<"paused" | "end"> {
    if (this.#closed || this.#inputEnded) return Promise.resolve("end");
    if (this.#inputFailure !== undefined) return Promise.reject(this.#inputFailure);
    const way = this.#in;
    if (way === undefined) return this.#pullUnder(sink);
    const pulled = this.#reader.start(sink);
    // In a turn of its own, as everything that is received.
    queueMicrotask(() => {
      void way.flush();
      void this.#pump(way);
    });
    return pulled;
  }

  interrupt(): void {
    if (this.#in === undefined) this.#under.interrupt?.();
    else this.#reader.pause();
  }

  send(data: Uint8Array, _to?: NetAddr, report?: SendReport): Promise<number> {
    return this.#writes.send(data, undefined, report);
  }

  closeWrite(): Promise<void> {
    return this.#outputEnd ??= this.#endOutput();
  }

  close(): Promise<void> {
    return this.#closing ??= this.#finish();
  }

  abort(reason?: unknown): void {
    this.#writes.fail(closedHere());
    this.#shut();
    const ending = this.#ending;
    if (ending === undefined) return this.#under.abort(reason);
    // The far side is to see an end, whatever happens here; but it may not look.
    const timer = setTimeout(() => this.#under.abort(reason), PATIENCE);
    void ending.then(() => clearTimeout(timer));
  }

  changed(): void {
    this.#out.resume(this.#outLane);
    if (this.#lanes.in !== undefined) this.#in?.resume(this.#lanes.in);
    this.#arm();
  }

  cut(): void {
    this.#break("reset");
  }

  get #outLane(): Lane {
    return this.#lanes.out(this.remoteAddr);
  }

  #write(data: Uint8Array): Promise<unknown> {
    if (!this.#out.isClear) return this.#out.carry(data, false);
    this.#out.pass(data.length);
    return this.#under.send(data);
  }

  /** The breaks that come by time. */
  #arm(): void {
    this.#disarm();
    for (const [way, lane] of [[this.#out, this.#outLane], [this.#in, this.#lanes.in]] as const) {
      const { cut } = lane?.faults ?? {};
      if (way === undefined || cut === undefined) continue;
      const breaks = () => cut.how === "stall" ? way.stall() : this.#break(cut.how, lane);
      if (cut.bytes === 0 || (cut.bytes ?? cut.ms) === undefined) breaks();
      else if (cut.ms !== undefined) this.#timers.push(setTimeout(breaks, cut.ms));
    }
  }

  #disarm(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
  }

  /** As under it, but for a break. */
  async #pullUnder(sink: Sink): Promise<"paused" | "end"> {
    const how = await this.#under.pull(sink);
    if (this.#inputFailure !== undefined && !this.#closed) throw this.#inputFailure;
    return how;
  }

  /** Reads as long as somebody does, or what was read is under way. */
  async #pump(way: StreamWay): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#reader.reading || (way.flows && !way.isClear)) {
        const late: Uint8Array[] = [];
        const how = await this.#under.pull((data) => {
          if (!way.isClear || !this.#reader.reading) {
            late.push(data);
            return false;
          }
          way.pass(data.length);
          return this.#reader.push(data, this.remoteAddr);
        });
        for (const data of late) await way.carry(data, true);
        if (how !== "end") continue;
        await way.end();
        if (this.#inputFailure === undefined) this.#inputEnded = true;
        return this.#reader.end();
      }
    } catch (error) {
      await this.#failed(way, translate(error));
    } finally {
      this.#pumping = false;
    }
  }

  /** Whoever sent it comes after what it had sent before. */
  async #failed(way: StreamWay, error: TransportError): Promise<void> {
    await way.end();
    if (this.#closed) return this.#reader.end();
    this.#inputFailure ??= error;
    this.#reader.fail(this.#inputFailure);
  }

  /** The connection breaks, as if the peer had done it, and for the peer as if this side had. */
  #break(how: "reset" | "end", lane = this.#outLane): void {
    if (this.#closed || this.#broken) return;
    this.#broken = true;
    lane.counts.cuts++;
    this.#disarm();
    const error = how === "reset"
      ? new Deno.errors.ConnectionReset("reset on the way")
      : new Deno.errors.BrokenPipe("the peer has closed");
    const failure = translate(error);
    this.#writes.fail(failure);
    this.#out.fail(failure);
    if (how === "reset") {
      this.#inputFailure ??= failure;
      this.#reader.fail(failure);
    } else {
      this.#inputEnded = true;
      this.#reader.end();
    }
    this.#in?.fail(failure);
    if (how === "reset") this.#under.abort(failure);
    else this.#ending = this.#under.close();
  }

  async #endOutput(): Promise<void> {
    if (this.#closing !== undefined || this.#closed) throw closedHere();
    this.#writes.end();
    await this.#writes.drain();
    if (this.#writes.failure !== undefined) throw this.#writes.failure;
    this.#outputEnding = this.#sendEnd();
    this.#outputEnding.catch(() => {});
    // What is under way for a time is the network's, the end as well as what was sent.
    if (!this.#out.isLate) await this.#outputEnding;
  }

  async #sendEnd(): Promise<void> {
    await this.#out.end();
    if (this.#writes.failure !== undefined) throw this.#writes.failure;
    await this.#under.closeWrite?.();
  }

  async #finish(): Promise<void> {
    this.#writes.end();
    await this.#writes.drain();
    await this.#outputEnd?.catch(() => {});
    if (this.#outputEnding !== undefined) await this.#outputEnding.catch(() => {});
    else if (!this.#closed) await this.#out.end();
    await this.#under.close();
    this.#shut();
  }

  #shut(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#disarm();
    const error = closedHere();
    this.#out.fail(error);
    this.#in?.fail(error);
    this.#reader.end();
    this.#lanes.onClosed(this);
  }
}
