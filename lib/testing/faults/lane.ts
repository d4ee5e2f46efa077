import { Dice } from "../dice.ts";
import type { FaultCounts, Faults, PathFaults } from "./faults.ts";

/** The two directions. */
export type Direction = "upstream" | "downstream";

/** One direction of a path: what goes wrong in it, now, and what it has done. */
export class Lane {
  /** What goes wrong; replaced when that changes. */
  faults: Faults = {};
  /** Whether nobody is there. */
  down = false;
  /** What was done. */
  readonly counts: { -readonly [K in keyof FaultCounts]: FaultCounts[K] };
  readonly #key: readonly (string | number)[];

  /**
   * @param counts Where to count.
   * @param key Tells its random numbers from those of other lanes.
   */
  constructor(counts: Lane["counts"], ...key: readonly (string | number)[]) {
    this.counts = counts;
    this.#key = key;
  }

  /** Whether nothing gets through from the first byte on. */
  get isStalled(): boolean {
    const { cut } = this.faults;
    return cut?.how === "stall" && (cut.bytes ?? cut.ms) === undefined;
  }

  /** The random numbers of one connection: a sequence for each fault. */
  dice(connection: string): (fault: keyof Faults) => Dice {
    const made = new Map<keyof Faults, Dice>();
    return (fault) => {
      let dice = made.get(fault);
      if (dice === undefined) {
        dice = new Dice(...this.#key, connection, fault);
        made.set(fault, dice);
      }
      return dice;
    };
  }
}

/** Counters at 0. */
export function newCounts(): Lane["counts"] {
  return {
    passed: 0,
    bytes: 0,
    lost: 0,
    overflowed: 0,
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
    cuts: 0,
  };
}

/** Both directions between clients and servers. */
export class Path {
  /** From clients to servers. */
  readonly upstream: Lane;
  /** From servers to clients. */
  readonly downstream: Lane;

  constructor(upstream: Lane, downstream: Lane) {
    this.upstream = upstream;
    this.downstream = downstream;
  }

  /** Whether nobody is there. */
  get down(): boolean {
    return this.upstream.down;
  }

  /** Replaces all that goes wrong. */
  set({ upstream = {}, downstream = {}, down = false }: PathFaults): void {
    // Copies: what the caller changes later is not checked.
    this.upstream.faults = { ...upstream };
    this.downstream.faults = { ...downstream };
    this.upstream.down = this.downstream.down = down;
  }
}
