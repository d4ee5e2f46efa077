import type { Filter } from "./filter.ts";

/** Somebody who waits for a message. */
export interface Seeker {
  /** The lower the longer it waits. */
  readonly order: number;
  readonly filter: Filter;
}

/** From so many on it is quicker to look for all texts at once than for one after the other. */
const MANY = 16;

/**
 * Those who wait for messages of one peer. Whose match is a text or bytes is found by it, however many
 * there are (Rabin-Karp: one pass over the message for each length); functions and regular expressions
 * are tried one after the other.
 */
export class Asked<A extends Seeker> {
  /** The one that waits longest first. */
  readonly #all = new Set<A>();
  /** Where there are many. */
  #index: Index<A> | undefined;

  /** How many there are. */
  get size(): number {
    return this.#all.size;
  }

  /** Adds one that waits shorter than those that are here; adding it twice has no effect. */
  add(seeker: A): void {
    if (this.#all.has(seeker)) return;
    this.#all.add(seeker);
    if (this.#index !== undefined) enter(this.#index, seeker);
    else if (this.#all.size > MANY) {
      this.#index = { known: new Map(), others: new Set() };
      for (const each of this.#all) enter(this.#index, each);
    }
  }

  /** Takes one out. */
  delete(seeker: A): void {
    this.#all.delete(seeker);
    if (this.#index !== undefined) leave(this.#index, seeker);
  }

  /**
   * The one that waits longest, of those that a message is for.
   *
   * @param data The message.
   * @param wanted Whether it is for somebody; `sure` if its content is known to match.
   */
  find(data: Uint8Array, wanted: (seeker: A, sure: boolean) => boolean): A | undefined {
    const index = this.#index;
    if (index === undefined) {
      for (const seeker of this.#all) if (wanted(seeker, false)) return seeker;
      return undefined;
    }
    let found: A | undefined;
    for (const [length, group] of index.known) {
      found = older(found, search(data, length, group, wanted));
    }
    for (const seeker of index.others) {
      if (found !== undefined && found.order < seeker.order) break;
      if (wanted(seeker, false)) return seeker;
    }
    return found;
  }
}

/** Those whose match is known by its bytes, by length and hash, and the others. */
interface Index<A> {
  readonly known: Map<number, Map<number, Set<A>>>;
  readonly others: Set<A>;
}

const NOTHING = new Uint8Array(0);

function enter<A extends Seeker>({ known, others }: Index<A>, seeker: A): void {
  const { bytes = NOTHING } = seeker.filter;
  if (bytes.length === 0) {
    others.add(seeker);
    return;
  }
  let group = known.get(bytes.length);
  if (group === undefined) known.set(bytes.length, group = new Map());
  const hash = hashOf(bytes, bytes.length), same = group.get(hash);
  if (same === undefined) group.set(hash, new Set([seeker]));
  else same.add(seeker);
}

function leave<A extends Seeker>({ known, others }: Index<A>, seeker: A): void {
  if (others.delete(seeker)) return;
  const { bytes = NOTHING } = seeker.filter;
  const group = known.get(bytes.length), hash = hashOf(bytes, bytes.length);
  const same = group?.get(hash);
  same?.delete(seeker);
  if (same?.size === 0) group?.delete(hash);
  if (group?.size === 0) known.delete(bytes.length);
}

function older<A extends Seeker>(a: A | undefined, b: A | undefined): A | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.order < b.order ? a : b;
}

/** Odd, so that no byte is ever shifted out of the hash. */
const BASE = 0x01000193;

/** A polynomial over the first bytes, modulo 2 ** 32. */
function hashOf(data: Uint8Array, length: number): number {
  let hash = 0;
  for (let i = 0; i < length; i++) hash = Math.imul(hash, BASE) + (data[i] ?? 0) | 0;
  return hash;
}

/** The one that waits longest, of those whose bytes, so many, are anywhere in the data. */
function search<A extends Seeker>(
  data: Uint8Array,
  length: number,
  group: ReadonlyMap<number, ReadonlySet<A>>,
  wanted: (seeker: A, sure: boolean) => boolean,
): A | undefined {
  if (data.length < length) return undefined;
  let top = 1; // BASE ** (length - 1), the weight of the byte that leaves
  for (let i = 1; i < length; i++) top = Math.imul(top, BASE);
  let found: A | undefined;
  let hash = hashOf(data, length);
  for (let at = 0;; at++) {
    for (const seeker of group.get(hash) ?? []) {
      if (found !== undefined && found.order <= seeker.order) break;
      if (isAt(seeker.filter.bytes ?? NOTHING, data, at) && wanted(seeker, true)) found = seeker;
    }
    const next = data[at + length];
    if (next === undefined) return found;
    hash = Math.imul(hash - Math.imul(data[at] ?? 0, top), BASE) + next | 0;
  }
}

function isAt(bytes: Uint8Array, data: Uint8Array, at: number): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== data[at + i]) return false;
  return true;
}
