import type { Dice } from "../dice.ts";
import type { Faults } from "./faults.ts";
import type { Lane } from "./lane.ts";
import { departure } from "./timing.ts";

/** What becomes of one datagram. */
export interface Fate {
  /** When it arrives, once for each copy; none if it is lost. Times of `performance.now()`. */
  readonly due: readonly number[];
  /** The bytes that arrive. */
  readonly data: Uint8Array;
  /** Whether the next one is to overtake it. */
  readonly held: boolean;
}

/** Bytes that wait for the bandwidth, unless somebody says otherwise. */
const QUEUE = 64 * 1024;

/**
 * Decides over the datagrams of one socket in one direction. Every fault in force draws for every
 * datagram, lost ones included, so that none depends on another.
 */
export class DatagramFate {
  readonly #lane: Lane;
  readonly #dice: (fault: keyof Faults) => Dice;
  #index = 0;
  /** When the bandwidth is free again. */
  #free = 0;
  /** Whether the last datagram was to come late: never two in a row. */
  #late = false;

  constructor(lane: Lane, connection: string) {
    this.#lane = lane;
    this.#dice = lane.dice(connection);
  }

  /**
   * What becomes of a datagram.
   *
   * @param data The bytes; copied where they are changed.
   * @param now The time of `performance.now()`.
   */
  of(data: Uint8Array, now: number): Fate {
    const { faults, counts, down } = this.#lane;
    const index = this.#index++;
    const lost = this.#isLost(data, index);
    const twice = this.#happens("duplication");
    const latency = this.#latency();
    const copyLatency = twice ? this.#latency() : 0;
    const late = this.#happens("reordering") && !this.#late;
    this.#late = late;
    const changed = this.#corrupted(data);
    if (lost || down) {
      counts.lost++;
      return { due: [], data, held: false };
    }
    const { bandwidth = Infinity, queue = QUEUE } = faults;
    const wait = Math.max(0, this.#free - now);
    if (wait > 0 && wait * bandwidth / 1000 + data.length > queue) {
      counts.overflowed++;
      return { due: [], data, held: false };
    }
    this.#free = departure(now, this.#free, data.length, bandwidth);
    const sent = Math.max(now, this.#free);
    if (twice) counts.duplicated++;
    if (late) counts.reordered++;
    if (changed !== data) counts.corrupted++;
    const due = twice ? [sent + latency, sent + copyLatency] : [sent + latency];
    return { due, data: changed, held: late };
  }

  #isLost(data: Uint8Array, index: number): boolean {
    const { loss } = this.#lane.faults;
    return typeof loss === "function" ? loss(data, index) : this.#happens("loss");
  }

  #happens(fault: "loss" | "duplication" | "reordering" | "corruption"): boolean {
    const probability = this.#lane.faults[fault];
    if (typeof probability !== "number" || probability === 0) return false;
    return this.#dice(fault).next() < probability;
  }

  #latency(): number {
    const { latency = 0, jitter = 0 } = this.#lane.faults;
    if (jitter === 0) return latency;
    return Math.max(0, latency + (2 * this.#dice("jitter").next() - 1) * jitter);
  }

  #corrupted(data: Uint8Array): Uint8Array {
    if (!this.#happens("corruption")) return data;
    const bit = this.#dice("corruption").below(data.length * 8);
    if (data.length === 0) return data;
    const copy = new Uint8Array(data);
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ 1 << (bit & 7);
    return copy;
  }
}
