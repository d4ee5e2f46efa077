import { Ring } from "../pipe/ring.ts";
import type { NetAddr } from "../pipe/types.ts";
import { closedHere, translate, type TransportError } from "./error.ts";
import { refused } from "./send_report.ts";
import type { SendReport } from "./transport.ts";

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

const NONE = new Uint8Array(0);

interface Entry {
  readonly data: Uint8Array;
  readonly to: NetAddr | undefined;
  readonly report: SendReport | undefined;
  readonly resolve: (size: number) => void;
  readonly reject: (error: unknown) => void;
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
  /** Made when needed: most sends end before the next one begins. */
  #queue: Ring<Entry> | undefined;
  #busy = false;
  /** Whether what is sent waits in the queue until `release`. */
  #held = false;
  /** What the write in progress was given: the system may take a part of it, or none. */
  #current: Uint8Array = NONE;
  #currentTo: NetAddr | undefined;
  #currentReport: SendReport | undefined;
  #ended = false;
  #failure: TransportError | undefined;
  #drained: (() => void)[] | undefined;

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
   * Resolves with its size when the data was written. On a stream empty data takes its turn, without a
   * write.
   *
   * @param data The bytes; not to be changed before that.
   * @param to The receiver of a datagram.
   * @param report Told of the end.
   */
  send(data: Uint8Array, to?: NetAddr, report?: SendReport): Promise<number> {
    if (this.#failure !== undefined) return refused(this.#failure, to, report);
    if (this.#ended) return refused(closedHere(), to, report);
    if (this.#busy || this.#held) {
      const queue = this.#queue ??= new Ring();
      return new Promise((resolve, reject) => queue.push({ data, to, report, resolve, reject }));
    }
    if (this.#stream && data.length === 0) {
      report?.sent(0);
      return Promise.resolve(0);
    }
    this.#busy = true;
    this.#current = data;
    this.#currentTo = to;
    this.#currentReport = report;
    return this.#write(data, to).then(this.#next, this.#broke);
  }

  /** From now on sends wait in the queue, until `release`. The write in progress goes on. */
  hold(): void {
    this.#held = this.#drained === undefined;
  }

  /** Ends a hold: what waits goes out, one after the other. */
  release(): void {
    this.#held = false;
    if (this.#busy || this.#queue === undefined) return;
    this.#busy = true;
    void this.#writeQueued(this.#queue);
  }

  /** Refuses later sends; what is queued still goes out. */
  end(): void {
    this.#ended = true;
  }

  /** Rejects what is queued and every later send. The write in progress is the platform's to end. */
  fail(error: TransportError): void {
    this.#failure ??= error;
    for (let entry; (entry = this.#queue?.shift()) !== undefined;) reject(entry, this.#failure);
  }

  /** Resolves when nothing is left to write, because it was written or has failed. Ends a hold. */
  drain(): Promise<void> {
    this.release();
    if (!this.#busy) return Promise.resolve();
    const drained = this.#drained ??= [];
    return new Promise((resolve) => drained.push(resolve));
  }

  /** The end of a write that did not have to queue: only now is there something more to do. */
  readonly #next = (done?: unknown): number | Promise<number> => {
    const { length } = this.#current;
    if (this.#stream && typeof done === "number" && done < length) {
      return this.#writeRest(this.#current, done)
        .then(() => this.#over(), (error) => this.#lost(error));
    }
    return this.#over();
  };

  #over(): number {
    const { length } = this.#current, report = this.#currentReport;
    this.#goOn();
    report?.sent(length); // last, since it may send again
    return length;
  }

  readonly #broke = (error: unknown): number | Promise<number> => {
    if (this.#retry === undefined) return this.#lost(error);
    return this.#retry(error, this.#current, this.#currentTo)
      .then(() => this.#over(), (error) => this.#lost(error));
  };

  #lost(error: unknown): never {
    const to = this.#currentTo, report = this.#currentReport;
    const failure = this.#failed(error);
    this.#goOn();
    throw report === undefined ? failure : report.failed(failure, to);
  }

  #goOn(): void {
    this.#current = NONE;
    this.#currentReport = undefined;
    if (this.#queue === undefined || this.#queue.length === 0 || this.#held) this.#rest();
    else void this.#writeQueued(this.#queue);
  }

  /** What a failed write means for those that wait behind it, and for its own caller. */
  #failed(error: unknown): TransportError {
    if (this.#stream) this.fail(translate(error));
    return this.#failure ?? translate(error);
  }

  async #writeQueued(queue: Ring<Entry>): Promise<void> {
    // Whoever's write has just ended is told first.
    await undefined;
    for (let first; !this.#held && (first = queue.shift()) !== undefined;) {
      const entries = this.#stream ? batch(queue, first) : [first];
      const data = entries.length === 1 ? first.data : join(entries);
      try {
        if (!this.#stream || data.length > 0) {
          const done = await this.#write(data, first.to);
          if (this.#stream && typeof done === "number") await this.#writeRest(data, done);
        }
      } catch (error) {
        const failure = await this.#afterAll(error, data, first.to);
        if (failure !== undefined) {
          for (const entry of entries) reject(entry, failure);
          continue;
        }
      }
      for (const { data, report, resolve } of entries) {
        report?.sent(data.length);
        resolve(data.length);
      }
    }
    this.#rest();
  }

  /** What it means that a write failed: nothing, if another try went well. */
  async #afterAll(error: unknown, data: Uint8Array, to: NetAddr | undefined) {
    if (this.#retry === undefined) return this.#failed(error);
    try {
      await this.#retry(error, data, to);
    } catch (again) {
      return this.#failed(again);
    }
    return undefined;
  }

  async #writeRest(data: Uint8Array, written: number): Promise<void> {
    for (let from = written; from < data.length;) {
      const done = await this.#write(data.subarray(from), undefined);
      from = typeof done === "number" ? from + done : data.length;
    }
  }

  #rest(): void {
    this.#busy = false;
    const drained = this.#drained;
    if (drained === undefined) return;
    this.#drained = undefined;
    for (const resolve of drained) resolve();
  }
}

function reject(entry: Entry, failure: TransportError): void {
  const { to, report } = entry;
  entry.reject(report === undefined ? failure : report.failed(failure, to));
}

/** The first entry and those after it that fit into one write. */
function batch(queue: Ring<Entry>, first: Entry): readonly Entry[] {
  const entries = [first];
  let size = first.data.length;
  for (let next; (next = queue.peek()) !== undefined;) {
    size += next.data.length;
    if (size > BATCH) break;
    queue.shift();
    entries.push(next);
  }
  return entries;
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
