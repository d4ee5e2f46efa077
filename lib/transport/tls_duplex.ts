import type { Buffer } from "node:buffer";
import { nextTick } from "node:process";
import { Duplex } from "node:stream";
import { translate, type TransportError } from "./error.ts";
import type { Transport } from "./transport.ts";

/** Bytes inside TLS at which nothing more goes in. */
const ENOUGH = 64 * 1024;

/**
 * What is under TLS, in the form in which Node wants it: a transport as a stream. It never ends or
 * closes the transport: that is its owner's to do. And it carries the pressure, both ways: TLS on a
 * stream (Deno 2.9) reads on while nobody takes what it has read, and calls written what it has handed
 * over.
 */
export class TransportDuplex extends Duplex {
  /** Called when reading stops because there is enough inside. */
  onFull: (() => void) | undefined;
  /** Called at once when it is destroyed. */
  onDestroy: (() => void) | undefined;
  readonly #under: Transport;
  #first: Uint8Array | undefined;
  #wanted = false;
  #pulling = false;
  #stopped = false;
  /** Bytes that went into TLS and did not come out of it yet, the overhead of its records included. */
  #inside = 0;
  #unsent = 0;
  #onSent: (() => void)[] = [];
  #lost: TransportError | undefined;
  #onEnd: ((error?: unknown) => void) | undefined;
  #end: { readonly error: unknown } | undefined;

  /**
   * @param under A stream that nobody else reads from now on.
   * @param first What has been read from it already.
   */
  constructor(under: Transport, first?: Uint8Array) {
    super({ allowHalfOpen: true });
    this.#under = under;
    this.#first = first;
  }

  /**
   * Whom to tell, in place of whoever was told before, that nothing more will come: the input ended, or
   * failed with the error. At once, if it has.
   */
  set onInputEnd(tell: ((error?: unknown) => void) | undefined) {
    this.#onEnd = tell;
    if (this.#end !== undefined) tell?.(this.#end.error);
  }

  /** Stops reading, and leaves what has not been read to the next reader of the transport. */
  stop(): void {
    this.#stopped = true;
    this.#under.interrupt?.();
  }

  /** Whether it has stopped reading because there is enough inside. */
  get full(): boolean {
    return this.#inside >= ENOUGH;
  }

  /** So many bytes came out of TLS and were taken. Goes on reading, if there is room now. */
  taken(bytes: number): void {
    this.left(Math.max(0, this.#inside - bytes));
  }

  /** So many are left, which came out of TLS and were not taken yet. */
  left(bytes: number): void {
    const { full } = this;
    this.#inside = bytes;
    if (full && this.#wanted && !this.#pulling) void this.#pull();
  }

  /** What made a send fail. */
  get lost(): TransportError | undefined {
    return this.#lost;
  }

  /** Resolves when everything written so far was sent; rejects when any of it ever could not be. */
  async sent(): Promise<void> {
    if (this.#unsent > 0) await new Promise<void>((resolve) => this.#onSent.push(resolve));
    if (this.#lost !== undefined) throw this.#lost;
  }

  override _read(): void {
    this.#wanted = true;
    if (!this.#pulling) void this.#pull();
  }

  override _write(chunk: Buffer, _: string, done: (error?: Error | null) => void): void {
    this.#send([chunk], done);
  }

  override _writev(
    chunks: readonly { readonly chunk: Buffer }[],
    done: (error?: Error | null) => void,
  ): void {
    // All at once: the transport keeps their order and joins them.
    this.#send(chunks.map(({ chunk }) => chunk), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.onDestroy?.();
    done(error);
  }

  async #send(chunks: readonly Uint8Array[], done: (error?: Error | null) => void): Promise<void> {
    this.#unsent++;
    try {
      await Promise.all(chunks.map((chunk) => this.#under.send(chunk)));
      done();
    } catch (error) {
      done(this.#lost = translate(error));
    } finally {
      if (--this.#unsent === 0) this.#allSent();
    }
  }

  #allSent(): void {
    const waiting = this.#onSent;
    this.#onSent = [];
    for (const resolve of waiting) resolve();
  }

  async #pull(): Promise<void> {
    this.#pulling = true;
    try {
      while (this.#wanted && !this.full && !this.#stopped) {
        if (this.#first !== undefined) await this.#pushFirst(this.#first);
        const how = await this.#under.pull((chunk) => this.#pushOne(chunk));
        // No `push(null)`: the end of the transport is not the end that TLS promises.
        if (how === "end") return this.#ended();
        if (this.full) this.onFull?.();
      }
    } catch (error) {
      this.#ended(error);
    } finally {
      this.#pulling = false;
    }
  }

  /** Hands a chunk to TLS, which says whether it takes another one. */
  #pushOne(chunk: Uint8Array): boolean {
    this.#inside += chunk.length;
    this.#wanted = false;
    this.#wanted = this.push(chunk) || this.#wanted;
    return this.#wanted && !this.full;
  }

  async #pushFirst(chunk: Uint8Array): Promise<void> {
    this.#first = undefined;
    // A TLSSocket is not ready for it in the turn in which it was made.
    await new Promise<void>((resolve) => nextTick(resolve));
    if (!this.#stopped) this.#pushOne(chunk);
  }

  #ended(error?: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#end = { error };
    this.#onEnd?.(error);
  }
}
