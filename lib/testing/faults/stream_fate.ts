import type { Dice } from "../dice.ts";
import type { Cut, Faults } from "./faults.ts";
import type { Lane } from "./lane.ts";
import { departure } from "./timing.ts";

/** What becomes of the next bytes of a stream. */
export interface Piece {
  /** How many bytes of those that were given. */
  readonly size: number;
  /** The bytes that arrive. */
  readonly data: Uint8Array;
  /** When they arrive, by `performance.now()`. */
  readonly due: number;
}

/** Pieces that a limited bandwidth lets through in a second. */
const PIECES_PER_SECOND = 100;

/** Milliseconds by which a piece may be late, as timers are, and the bandwidth is used all the same. */
const CREDIT = 10;

/**
 * Decides over the bytes of one connection in one direction. Where they are cut and which of them are
 * changed depends on their place in the stream alone, not on how they come.
 */
export class StreamFate {
  #lane: Lane;
  readonly #connection: string;
  #dice: (fault: keyof Faults) => Dice;
  #passed = 0;
  #free = 0;
  /** When the last of what came before arrives. */
  #lastDue = 0;
  /** Bytes to the end of the slice; 0: a new one begins. */
  #slice = 0;
  /** Bytes to the next one that is changed, for this probability. */
  #intact = 0;
  #corruption = 0;

  constructor(lane: Lane, connection: string) {
    this.#lane = lane;
    this.#connection = connection;
    this.#dice = lane.dice(connection);
  }

  /** The direction. */
  get lane(): Lane {
    return this.#lane;
  }

  /** When the next bytes can go, by `performance.now()`. */
  get free(): number {
    return this.#free;
  }

  /** Goes on with other faults. */
  use(lane: Lane): void {
    this.#free = 0;
    if (lane === this.#lane) return;
    this.#lane = lane;
    this.#dice = lane.dice(this.#connection);
    this.#corruption = 0;
  }

  /** Whether nothing goes wrong. */
  get isPlain(): boolean {
    const {
      latency = 0,
      jitter = 0,
      bandwidth = Infinity,
      corruption = 0,
      slicing,
      slowEnd = 0,
      cut,
    } = this.#lane.faults;
    return latency === 0 && jitter === 0 && bandwidth === Infinity && corruption === 0 &&
      slicing === undefined && slowEnd === 0 && cut === undefined;
  }

  /** Whether what leaves is under way for a time. */
  get isLate(): boolean {
    const { latency = 0, jitter = 0 } = this.#lane.faults;
    return latency > 0 || jitter > 0;
  }

  /** The way in which the stream breaks at this byte, if it does. */
  get broken(): Cut["how"] | undefined {
    const { cut } = this.#lane.faults;
    return cut?.bytes === undefined || this.#passed < cut.bytes ? undefined : cut.how;
  }

  /** Lets bytes through as they are. */
  pass(size: number): void {
    this.#passed += size;
  }

  /**
   * What becomes of the first of these bytes.
   *
   * @param data Some bytes; copied where they are changed.
   * @param now The time of `performance.now()`.
   */
  take(data: Uint8Array, now: number): Piece {
    const { bandwidth = Infinity, slicing, cut } = this.#lane.faults;
    const size = Math.min(
      data.length,
      this.#sliceLeft(),
      Math.max(1, Math.floor(bandwidth / PIECES_PER_SECOND)),
      cut?.bytes === undefined ? Infinity : cut.bytes - this.#passed,
    );
    this.#passed += size;
    this.#free = departure(now - CREDIT, this.#free, size, bandwidth);
    const due = this.#arrival(now);
    if (slicing !== undefined) {
      this.#slice -= size;
      if (this.#slice === 0) this.#free = Math.max(now, this.#free) + (slicing.delay ?? 0);
    }
    return { size, data: this.#corrupted(data.subarray(0, size)), due };
  }

  /** When the end arrives of what ends now. */
  end(now: number): number {
    return this.#arrival(now) + (this.#lane.faults.slowEnd ?? 0);
  }

  #arrival(now: number): number {
    const { latency = 0, jitter = 0 } = this.#lane.faults;
    const shift = jitter === 0 ? 0 : (2 * this.#dice("jitter").next() - 1) * jitter;
    const due = Math.max(now, this.#free) + Math.max(0, latency + shift);
    return this.#lastDue = Math.max(this.#lastDue, due);
  }

  #sliceLeft(): number {
    const { slicing } = this.#lane.faults;
    if (slicing === undefined) return Infinity;
    if (this.#slice === 0) {
      const { size, variation = 0 } = slicing;
      this.#slice = size - variation + this.#dice("slicing").below(2 * variation + 1);
    }
    return this.#slice;
  }

  #corrupted(data: Uint8Array): Uint8Array {
    const { corruption = 0 } = this.#lane.faults;
    if (corruption === 0) return data;
    const dice = this.#dice("corruption");
    if (this.#corruption !== corruption) this.#intact = dice.failures(corruption);
    this.#corruption = corruption;
    let at = this.#intact;
    const copy = at < data.length ? new Uint8Array(data) : data;
    for (; at < data.length; at += 1 + dice.failures(corruption)) {
      copy[at] = (copy[at] ?? 0) ^ 1 << dice.below(8);
      this.#lane.counts.corrupted++;
    }
    this.#intact = at - data.length;
    return copy;
  }
}
