import { show } from "../net/show.ts";
import type { NetAddr } from "../pipe/types.ts";
import type { StreamPair } from "../pipe/pipe_options.ts";
import { busyWith, closedHere, translate, TransportError } from "./error.ts";
import { inputQuiet } from "./linger.ts";
import type { SendReport, Sink, Transport } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array>;
type Result = ReadableStreamReadResult<Uint8Array>;

/** Nobody knows what is at the other end of a stream. */
const NOWHERE: NetAddr = Object.freeze({ transport: "tcp", hostname: "", port: 0 });

/** A pair of web streams as a transport. */
export class StreamsTransport implements Transport {
  readonly kind = "stream";
  readonly localAddr = NOWHERE;
  readonly remoteAddr = NOWHERE;
  readonly raw: StreamPair;
  readonly #reader: Reader;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #writes: WriteQueue;
  /** Rejects what waits for the streams, which may wait for ever. */
  readonly #onAbort = new Set<(error: TransportError) => void>();
  /** A read that no pull waits for any more; the next one gets what it brings. */
  #read: Promise<Result> | undefined;
  #interrupt: (() => void) | undefined;
  #pulling = false;
  #onPulled: (() => void) | undefined;
  #discarding = false;
  #inputEnded = false;
  #inputFailure: TransportError | undefined;
  #closed = false;
  #closing: Promise<void> | undefined;
  #outputEnd: Promise<void> | undefined;
  #reads = 0;
  #sent = 0;

  /** @param pair The streams, neither of them locked; owned from here on. */
  constructor(pair: StreamPair) {
    this.raw = pair;
    this.#reader = pair.readable.getReader();
    this.#writer = pair.writable.getWriter();
    this.#writes = new WriteQueue((data) => this.#write(data));
    // Reading and writing tell the same.
    for (const { closed } of [this.#reader, this.#writer]) closed.catch(() => {});
    this.#writer.ready.catch(() => {});
  }

  async pull(sink: Sink): Promise<"paused" | "end"> {
    if (this.#discarding) return "end";
    if (this.#pulling) throw busyWith("read");
    this.#pulling = true;
    try {
      return await this.#pull(sink);
    } finally {
      this.#pulling = false;
      this.#onPulled?.();
    }
  }

  interrupt(): void {
    this.#interrupt?.();
  }

  send(data: Uint8Array, _to?: NetAddr, report?: SendReport): Promise<number> {
    this.#sent += data.length;
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
    for (const reject of this.#onAbort) reject(closedHere());
    const why = reason ?? new Deno.errors.ConnectionAborted("The connection was aborted");
    this.#writer.abort(why).catch(() => {});
    this.#shut(why);
  }

  release(): StreamPair {
    this.#reader.releaseLock();
    this.#writer.releaseLock();
    return this.raw;
  }

  async #pull(sink: Sink): Promise<"paused" | "end"> {
    while (!this.#closed) {
      if (this.#inputFailure !== undefined) throw this.#inputFailure;
      const result = await this.#next();
      if (result === undefined) return this.#closed ? "end" : "paused";
      if (result.done) this.#inputEnded = true;
      if (result.done || this.#closed) break;
      this.#reads++;
      const data = this.#bytes(result.value);
      if (data.length > 0 && !sink(data, NOWHERE)) return "paused";
    }
    return "end";
  }

  /** The next chunk, or undefined when interrupted or closed. */
  async #next(): Promise<Result | undefined> {
    const read = this.#read ??= this.#reader.read();
    const interrupted = Promise.withResolvers<undefined>();
    this.#interrupt = () => interrupted.resolve(undefined);
    try {
      const result = await Promise.race([read, interrupted.promise]);
      if (result !== undefined) this.#read = undefined;
      return result;
    } catch (error) {
      if (this.#closed) return undefined;
      throw this.#inputFailure = translate(error);
    }
  }

  /** A chunk as it is to be handed up: no Node Buffer, whose `slice` does not copy. */
  #bytes(chunk: unknown): Uint8Array {
    if (chunk instanceof Uint8Array) {
      if (Object.getPrototypeOf(chunk) === Uint8Array.prototype) return chunk;
      return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
    }
    const message = `sock: its readable has to give Uint8Arrays, and gave ${show(chunk)}`;
    throw this.#inputFailure = new TransportError("failed", new TypeError(message));
  }

  /** Resolves when the stream has taken the chunk, which is a copy: streams keep what they are given. */
  #write(data: Uint8Array): Promise<void> {
    return this.#orAborted(this.#writer.write(new Uint8Array(data)));
  }

  async #endOutput(): Promise<void> {
    if (this.#closing !== undefined || this.#closed) throw closedHere();
    this.#writes.end();
    await this.#writes.drain();
    if (this.#writes.failure !== undefined) throw this.#writes.failure;
    await this.#orAborted(this.#writer.close());
  }

  async #finish(): Promise<void> {
    this.#writes.end();
    await this.#writes.drain();
    if (this.#writes.failure === undefined) {
      const ended = this.#outputEnd ?? this.#orAborted(this.#writer.close());
      await ended.catch(() => {});
    }
    await this.#emptyInput();
    this.#shut(new Deno.errors.BrokenPipe("The connection was closed"));
    if (this.#pulling) await new Promise<void>((resolve) => this.#onPulled = resolve);
  }

  /** What is left unread may make the connection under the streams lose what was sent. */
  async #emptyInput(): Promise<void> {
    const done = () => this.#sent === 0 || this.#closed || this.#inputEnded;
    await inputQuiet(this.#sent, () => {
      if (done() || this.#inputFailure !== undefined) return undefined;
      if (!this.#pulling) {
        this.pull(() => true).catch(() => {});
        this.#discarding = true;
      }
      return this.#reads;
    });
  }

  /** Wants nothing more of the input, which ends a read in progress. */
  #shut(why: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reader.cancel(why).catch(() => {});
  }

  /** What the writer does, or its end by an abort. */
  async #orAborted(work: Promise<void>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#onAbort.add(reject);
    work.then(resolve, (error) => reject(lost(error)));
    try {
      await promise;
    } finally {
      this.#onAbort.delete(reject);
    }
  }
}

/** What a failed write means: a stream that failed takes nothing any more, whatever the reason. */
function lost(error: unknown): TransportError {
  const failure = translate(error);
  return failure.fault === "failed" ? new TransportError("reset", failure.cause) : failure;
}
