import { systemHost } from "../../net/ip.ts";
import { checkOptions, count } from "../../pipe/checks.ts";
import type { Pipe } from "../../pipe/pipe_types.ts";
import type { NetAddr } from "../../pipe/types.ts";
import { checkKind, checkPath } from "./check.ts";
import type { FaultyEnd } from "./datagram.ts";
import type { FaultOptions, PathCounts, PathFaults } from "./faults.ts";
import { type Direction, Lane, newCounts, Path } from "./lane.ts";

/** The keys of {@linkcode FaultOptions}. */
export const FAULT_OPTIONS = ["seed", "upstream", "downstream", "down"] as const;

/** What goes wrong on all paths of a network, and the ends that are open on it. */
export class FaultControl {
  /** Told when faults have changed: those who wait for an open. */
  readonly waiting = new Set<() => void>();
  readonly #seed: number;
  readonly #counts = { upstream: newCounts(), downstream: newCounts() };
  readonly #all: Path;
  readonly #paths = new Map<string, Path>();
  /** As the caller set them, by path. */
  readonly #faults = new Map<Path, PathFaults>();
  readonly #ends = new Set<FaultyEnd>();
  readonly #opened = new Map<string, number>();

  constructor(options: FaultOptions) {
    const { seed = 1, ...faults } = checkOptions(options, ...FAULT_OPTIONS);
    count(0)(seed, "seed");
    this.#seed = seed;
    this.#all = this.#newPath("");
    this.set(faults);
  }

  /** What was done so far. */
  get counts(): PathCounts {
    const { upstream, downstream } = this.#counts;
    return { upstream: { ...upstream }, downstream: { ...downstream } };
  }

  /** Replaces all faults, or those between two hosts. */
  set(faults: PathFaults, between?: readonly [a: string, b: string]): void {
    checkPath(checkOptions(faults, "upstream", "downstream", "down"));
    for (const { kind } of this.#ends) checkKind(faults, kind);
    const path = between === undefined ? this.#all : this.#between(...between);
    this.#faults.set(path, faults);
    path.set(faults);
    for (const look of this.waiting) look();
    for (const end of [...this.#ends]) {
      if (end.kind === "stream" && this.path(end.localAddr, end.remoteAddr).down) end.cut();
      else end.changed();
    }
  }

  /** Checks that what is to be opened can have the faults that there are. */
  check(kind: "stream" | "datagram"): void {
    for (const faults of this.#faults.values()) checkKind(faults, kind);
  }

  /** The path between two addresses. */
  path(a: NetAddr | undefined, b: NetAddr | undefined): Path {
    if (this.#paths.size === 0 || a === undefined || b === undefined) return this.#all;
    return this.#paths.get(keyOf(a.hostname, b.hostname)) ?? this.#all;
  }

  /** A name for the next connection of a kind, for its random numbers. */
  nameNext(kind: string): string {
    const number = this.#opened.get(kind) ?? 0;
    this.#opened.set(kind, number + 1);
    return `${kind} ${number}`;
  }

  /** An end is open. */
  add<E extends FaultyEnd>(end: E): E {
    this.#ends.add(end);
    return end;
  }

  /** An end is closed. */
  readonly remove = (end: FaultyEnd): void => void this.#ends.delete(end);

  /** Breaks what is open now, or the ends of one pipe. */
  cut(pipe?: Pipe): void {
    for (const end of [...this.#ends]) if (pipe === undefined || isOf(end, pipe)) end.cut();
  }

  #between(a: string, b: string): Path {
    const key = keyOf(a, b);
    let path = this.#paths.get(key);
    if (path === undefined) {
      path = this.#newPath(key);
      this.#paths.set(key, path);
    }
    return path;
  }

  #newPath(name: string): Path {
    const lane = (direction: Direction) =>
      new Lane(this.#counts[direction], this.#seed, name, direction);
    return new Path(lane("upstream"), lane("downstream"));
  }
}

/** Two hosts, in either order. */
function keyOf(a: string, b: string): string {
  return [systemHost(a), systemHost(b)].sort().join(" ");
}

/** Whether an end is a pipe's: the pipe shows the end's own address. */
function isOf(end: FaultyEnd, pipe: Pipe): boolean {
  return end.localAddr === pipe.localAddr && end.remoteAddr === pipe.remoteAddr;
}
