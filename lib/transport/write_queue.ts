import { Ring } from "../pipe/ring.ts";
import type { NetAddr } from "../pipe/types.ts";
import { closedHere, translate, type TransportError } from "./error.ts";

/**
 * One write of the platform: resolves when the system took the data, on a stream with how many bytes if
 * that may be a part.
 */
export type Write = (data: Uint8Array, to: NetAddr | undefined) => Promise<unknown>;

/** Another try of a datagram that the system refused; rejects like {@linkcode Write}. */
export type Retry = (
  error: unknown,
  data: Uint8Array,
  to: NetAddr | undefined,
) => Promise<unknown>;

/** Queued chunks of a stream go out together up to this size. */
const BATCH = 64 * 1024;

interface Entry {
  readonly data: Uint8Array;
  readonly to: NetAddr | undefined;
  readonly resolve: () => void;
  readonly reject: (error: TransportError) => void;
}

/**
 * Makes overlapping sends whole and ordered: one write at a time, in the order of the calls. (Deno
 * carries out writes that overlap in reverse.)
 *
 * On a stream the chunks that queue up behind a write go out as one, and a write that fails ends the
 * queue. Datagrams stay one write each, and fail one by one.
 */
export class WriteQueue {
  readonly #write: Write;
  readonly #stream: boolean;
  readonly #retry: Retry | undefined;
  readonly #queue = new Ring<Entry>();
  #busy = false;
  /** What the write in progress was given: the system may take a part of it, or none. */
  #current: Uint8Array | undefined;
  #currentTo: NetAddr | undefined;
  #ended = false;
  #failure: TransportError | undefined;
  #drained: (() => void)[] = [];

  constructor(write: Write, kind: "stream" | "datagram" = "stream", retry?: Retry) {
    this.#write = write;
    this.#stream = kind === "stream";
    this.#retry = retry;
  }

  /** What made every send fail, if anything did. */
  get failure(): TransportError | undefined {
    return this.#failure;
  }

  /**
   * Resolves when the data was written. On a stream empty data takes its turn, without a write.
   *
   * @param data The bytes; not to be changed before that.
   * @param to The receiver of a datagram.
   */
  send(data: Uint8Array, to?: NetAddr): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#ended) return Promise.reject(closedHere());
    if (this.#busy) {
      return new Promise((resolve, reject) => this.#queue.push({ data, to, resolve, reject }));
    }
    if (this.#stream && data.length === 0) return Promise.resolve();
    this.#busy = true;
    this.#current = data;
    this.#currentTo = to;
    return this.#write(data, to).then(this.#next, this.#broke);
  }

  /** Refuses later sends; what is queued still goes out. */
  end(): void {
    this.#ended = true;
  }

  /** Rejects what is queued and every later send. The write in progress is the platform's to end. */
  fail(error: TransportError): void {
    this.#failure ??= error;
    for (let entry; (entry = this.#queue.shift()) !== undefined;) entry.reject(this.#failure);
  }

  /** Resolves when nothing is left to write, because it was written or has failed. */
  drain(): Promise<void> {
    if (!this.#busy) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  /** The end of a write that did not have to queue: only now is there something more to do. */
  readonly #next = (done?: unknown): void | Promise<void> => {
    const data = this.#current;
    this.#current = undefined;
    if (this.#stream && data !== undefined && typeof done === "number" && done < data.length) {
      return this.#writeRest(data, done).then(this.#next, this.#broke);
    }
    if (this.#queue.length > 0) void this.#writeQueued();
    else this.#rest();
  };

  readonly #broke = (error: unknown): void | Promise<void> => {
    const data = this.#current, to = this.#currentTo;
    this.#current = undefined;
    if (this.#retry !== undefined && data !== undefined) {
      return this.#retry(error, data, to).then(this.#next, this.#broke);
    }
    const failure = this.#failed(error);
    void this.#next();
    throw failure;
  };

  /** What a failed write means for those that wait behind it, and for its own caller. */
  #failed(error: unknown): TransportError {
    if (this.#stream) this.fail(translate(error));
    return this.#failure ?? translate(error);
  }

  async #writeQueued(): Promise<void> {
    // Whoever's write has just ended is told first.
    await undefined;
    for (let first; (first = this.#queue.shift()) !== undefined;) {
      if (this.#stream && first.data.length === 0) {
        first.resolve();
        continue;
      }
      const entries = this.#stream ? this.#batch(first) : [first];
      try {
        const data = entries.length === 1 ? first.data : join(entries);
        await this.#writeAll(data, first.to);
        for (const { resolve } of entries) resolve();
      } catch (error) {
        const failure = this.#failed(error);
        for (const { reject } of entries) reject(failure);
      }
    }
    this.#rest();
  }

  async #writeAll(data: Uint8Array, to: NetAddr | undefined): Promise<void> {
    try {
      const done = await this.#write(data, to);
      if (this.#stream && typeof done === "number") await this.#writeRest(data, done);
    } catch (error) {
      if (this.#retry === undefined) throw error;
      await this.#retry(error, data, to);
    }
  }

  async #writeRest(data: Uint8Array, written: number): Promise<void> {
    for (let from = written; from < data.length;) {
      const done = await this.#write(data.subarray(from), undefined);
      from = typeof done === "number" ? from + done : data.length;
    }
  }

  /** The first entry and those after it that fit into one write. */
  #batch(first: Entry): readonly Entry[] {
    const entries = [first];
    let size = first.data.length;
    for (let next; (next = this.#queue.peek()) !== undefined;) {
      size += next.data.length;
      if (size > BATCH) break;
      this.#queue.shift();
      entries.push(next);
    }
    return entries;
  }

  #rest(): void {
    this.#busy = false;
    const drained = this.#drained;
    if (drained.length === 0) return;
    this.#drained = [];
    for (const resolve of drained) resolve();
  }
}

function join(entries: readonly Entry[]): Uint8Array {
  const joined = new Uint8Array(entries.reduce((size, { data }) => size + data.length, 0));
  let at = 0;
  for (const { data } of entries) {
    joined.set(data, at);
    at += data.length;
  }
  return joined;
}
