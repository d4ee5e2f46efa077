import type { NetAddr } from "../../pipe/types.ts";
import { closedHere, translate, type TransportError } from "../../transport/error.ts";
import { PushReader } from "../../transport/push_reader.ts";
import { refused, reported } from "../../transport/send_report.ts";
import type { SendReport, Sink, Transport } from "../../transport/transport.ts";
import { DatagramWay } from "./datagram_way.ts";
import type { Lane } from "./lane.ts";

/** What goes wrong at one end. */
export interface EndLanes {
  /** What happens to what is sent to an address. */
  readonly out: (to: NetAddr) => Lane;
  /** What happens to what is received; undefined: nothing, the sender's end sees to it. */
  readonly in: Lane | undefined;
  /** Tells the end from others. */
  readonly connection: string;
  /** Called once, when it is closed. */
  readonly onClosed: (end: FaultyEnd) => void;
}

/** An end that has faults. */
export interface FaultyEnd extends Transport {
  /** The faults have changed. */
  changed(): void;
  /** Breaks the connection now; on a socket for datagrams, loses what is under way. */
  cut(): void;
}

/** A datagram is no bigger; the platform refuses it. */
const MAX_SIZE = 65_507;

/** A datagram socket with faults. */
export class FaultyDatagram implements FaultyEnd {
  readonly kind = "datagram";
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr | undefined;
  readonly raw: unknown;
  readonly maxMessage: number | undefined;
  readonly #under: Transport;
  readonly #lanes: EndLanes;
  readonly #out = new Map<Lane, DatagramWay<NetAddr | undefined>>();
  readonly #in: DatagramWay<NetAddr> | undefined;
  readonly #reader = new PushReader();
  #pumping = false;
  #closing: Promise<void> | undefined;
  #closed = false;

  /**
   * @param under The socket, owned from here on.
   * @param lanes What goes wrong.
   */
  constructor(under: Transport, lanes: EndLanes) {
    this.localAddr = under.localAddr;
    this.remoteAddr = under.remoteAddr;
    this.raw = under.raw;
    this.maxMessage = under.maxMessage;
    this.#under = under;
    this.#lanes = lanes;
    if (lanes.in === undefined) return;
    this.#in = new DatagramWay(lanes.in, lanes.connection, {
      ready: () => this.#reader.reading,
      deliver: (data, from) => void this.#reader.push(data, from),
    });
  }

  pull(sink: Sink): Promise<"paused" | "end"> {
    const way = this.#in;
    if (way === undefined) return this.#under.pull(sink);
    if (this.#closed) return Promise.resolve("end");
    const pulled = this.#reader.start(sink);
    // In a turn of its own, as everything that is received.
    queueMicrotask(() => {
      way.flush();
      void this.#pump(way);
    });
    return pulled;
  }

  send(data: Uint8Array, to?: NetAddr, report?: SendReport): Promise<number> {
    if (this.#closing !== undefined || this.#closed) return refused(closedHere(), to, report);
    const receiver = to ?? this.remoteAddr;
    // What cannot be sent at all is the platform's to refuse.
    const { maxMessage = MAX_SIZE } = this;
    if (receiver === undefined || data.length > maxMessage) {
      return this.#under.send(data, to, report);
    }
    const carried = this.#wayTo(receiver).carry(data, to, false) ?? Promise.resolve();
    return reported(carried, data.length, to, report);
  }

  close(): Promise<void> {
    return this.#closing ??= this.#finish();
  }

  abort(reason?: unknown): void {
    this.#shut();
    this.#under.abort(reason);
  }

  changed(): void {
    // What is under way stays as it was decided.
  }

  cut(): void {
    for (const way of this.#ways()) way.lose();
  }

  #wayTo(to: NetAddr): DatagramWay<NetAddr | undefined> {
    const lane = this.#lanes.out(to);
    let way = this.#out.get(lane);
    if (way === undefined) {
      way = new DatagramWay<NetAddr | undefined>(lane, this.#lanes.connection, {
        ready: () => true,
        deliver: (data, to) => this.#under.send(data, to),
      });
      this.#out.set(lane, way);
    }
    return way;
  }

  #ways(): readonly { clear(): void; lose(): void }[] {
    return this.#in === undefined ? [...this.#out.values()] : [...this.#out.values(), this.#in];
  }

  /** Reads as long as somebody does, or what was read is under way. */
  async #pump(way: DatagramWay<NetAddr>): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#reader.reading) {
        const how = await this.#under.pull((data, from) => {
          way.carry(data, from, true);
          return this.#reader.reading || way.flows;
        });
        if (how === "end") return this.#reader.end();
      }
    } catch (error) {
      this.#failed(translate(error));
    } finally {
      this.#pumping = false;
    }
  }

  #failed(error: TransportError): void {
    if (this.#closed) this.#reader.end();
    else this.#reader.fail(error);
  }

  async #finish(): Promise<void> {
    await Promise.all([...this.#out.values()].map((way) => way.drain()));
    await this.#under.close();
    this.#shut();
  }

  #shut(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const way of this.#ways()) way.clear();
    this.#reader.end();
    this.#lanes.onClosed(this);
  }
}
