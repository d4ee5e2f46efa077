import { PipeClosedError, PipeError, PipeStateError, PipeTimeoutError } from "../errors.ts";
import { ByteBuffer } from "../framing/byte_buffer.ts";
import { framingOf } from "../framing/framed_transport.ts";
import { toBytes } from "./bytes.ts";
import { checkCount, checkWait, count } from "./checks.ts";
import type { NetConf } from "./conf.ts";
import { finder } from "./find_bytes.ts";
import { envelop, type Envelope } from "./flow.ts";
import type { Kind, Mailbox } from "./mailbox.ts";
import type { NetAddr, WaitOptions } from "./types.ts";
import type { Reader } from "./waiting.ts";

/** What reading bytes needs of its pipe. */
export interface ByteSource {
  readonly role: "client" | "server" | "accepted";
  readonly kind: Kind;
  readonly conf: Readonly<NetConf>;
  readonly remoteAddr: NetAddr | undefined;
  /** Whether messages go anywhere but to the inbox. */
  readonly consumed: boolean;
  readonly inbox: Mailbox;
  /** Bytes that were taken out of the inbox and may have to go back. */
  bytesInHand: number;
}

/** What is to be read. */
export interface Goal {
  /** How many bytes are likely to be the most. */
  readonly most: number;
  /** How many of the bytes are it; -1 when it is not there yet. Throws when it never will be. */
  reached(bytes: ByteBuffer): number;
  /** Of so many bytes, what is missing. */
  progress(bytes: number): string;
}

/** So many bytes. */
export function exactly(size: number): Goal {
  checkCount(size, "size");
  return {
    most: size,
    reached: (bytes) => bytes.size >= size ? size : -1,
    progress: (bytes) => `${bytes} of ${size} bytes`,
  };
}

/** Everything up to and including some bytes. */
export function until(delimiter: Uint8Array | string, max: number): Goal {
  // A copy: the caller may go on using the array.
  const mark = new Uint8Array(toBytes(delimiter, "delimiter"));
  if (mark.length === 0) throw new RangeError("delimiter: at least one byte is needed");
  count(mark.length)(max, "max");
  const find = finder(mark);
  let seen = 0;
  return {
    most: max,
    reached(bytes) {
      const at = find(bytes.view, Math.max(0, seen - mark.length + 1));
      seen = bytes.size;
      const end = at < 0 ? seen : at + mark.length;
      if (end > max || (at < 0 && end === max)) {
        throw new PipeError(`The delimiter is not within the first ${max} bytes`);
      }
      return at < 0 ? -1 : end;
    },
    progress: (bytes) => `${bytes} bytes and no delimiter`,
  };
}

/** Throws where there are no bytes to be read. */
export function checkByteSource({ role, kind, conf, consumed }: ByteSource): void {
  const cannot = (why: string) => new PipeStateError(`Cannot read bytes: ${why}`);
  if (kind !== "stream") throw cannot("a datagram pipe has messages; use recv");
  if (role === "server") throw cannot("a server has a stream for each client; use accept");
  if (framingOf(conf) !== undefined) {
    throw cannot("with conf.framing the pipe has whole messages; use recv");
  }
  if (consumed) throw cannot("handlers, subscriptions or links take what arrives");
}

/**
 * One `readExactly` or `readUntil`: takes from the inbox until it has enough, without leaving its place
 * in the line, and puts back what it does not need.
 */
export class ByteRead implements Reader<Envelope> {
  deadline = Infinity;
  listed = false;
  prev: Reader<Envelope> | null = null;
  next: Reader<Envelope> | null = null;
  readonly #source: ByteSource;
  readonly #goal: Goal;
  readonly #bytes: ByteBuffer;
  readonly #timeout: number;
  readonly #signal: AbortSignal | undefined;
  readonly #result = Promise.withResolvers<Uint8Array<ArrayBuffer> | null>();
  /** Where the last of the bytes came from. */
  #last: Envelope | undefined;

  constructor(source: ByteSource, goal: Goal, options: WaitOptions = {}) {
    const { timeout = source.conf.recvTimeout, signal } = checkWait(options);
    this.#source = source;
    this.#goal = goal;
    this.#bytes = new ByteBuffer(goal.most);
    this.#timeout = timeout;
    this.#signal = signal;
  }

  /** Reads what is there, and waits for the rest. */
  start(): Promise<Uint8Array<ArrayBuffer> | null> {
    this.#signal?.throwIfAborted();
    const { queue } = this.#source.inbox;
    if (this.#goal.most === 0) return Promise.resolve(new Uint8Array());
    for (let envelope; (envelope = queue.tryTake()) !== undefined;) {
      if (this.#add(envelope)) return this.#result.promise;
    }
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
    queue.readBy(this, this.#timeout);
    return this.#result.promise;
  }

  give(envelope: Envelope): void {
    if (!this.#add(envelope)) this.#source.inbox.queue.readOn(this);
  }

  end(error: unknown): void {
    const { size } = this.#bytes;
    if (error !== undefined) return this.#fail(error);
    if (size > 0) {
      const message = `The input ended after ${this.#goal.progress(size)}`;
      return this.#fail(new PipeClosedError(message, { addr: this.#source.remoteAddr }));
    }
    this.#settle();
    this.#result.resolve(null);
  }

  expire(): void {
    const got = this.#goal.progress(this.#bytes.size);
    this.#fail(new PipeTimeoutError(`Only ${got} arrived within ${this.#timeout} ms`));
  }

  readonly #onAbort = (): void => {
    this.#source.inbox.queue.quit(this);
    this.#fail(this.#signal?.reason);
  };

  /** Adds what came; whether this is the end of it. */
  #add(envelope: Envelope): boolean {
    this.#last = envelope;
    try {
      this.#push(envelope.data);
      const size = this.#goal.reached(this.#bytes);
      if (size < 0) return false;
      const taken = this.#bytes.take(size) as Uint8Array<ArrayBuffer>; // as its pieces are
      this.#source.bytesInHand -= size;
      this.#settle();
      this.#result.resolve(taken);
    } catch (error) {
      this.#fail(error);
    }
    return true;
  }

  #push(piece: Uint8Array): void {
    this.#source.bytesInHand += piece.length;
    try {
      this.#bytes.push(piece);
    } catch (error) {
      // What is there no more cannot go back; this can.
      this.#forget();
      this.#bytes.push(piece);
      throw error;
    }
  }

  #forget(): void {
    this.#source.bytesInHand -= this.#bytes.size;
    this.#bytes.clear();
  }

  #fail(error: unknown): void {
    this.#settle();
    this.#result.reject(error);
  }

  /** It is over: what is left goes back to where it came from, before anything else. */
  #settle(): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    if (this.#bytes.isLost) this.#forget();
    const { size, view } = this.#bytes;
    if (this.#last === undefined || size === 0) return;
    this.#source.bytesInHand -= size;
    const { from, flow } = this.#last;
    const rest = envelop(view as Uint8Array<ArrayBuffer>, from, flow);
    const { inbox, consumed } = this.#source;
    // Somebody else consumes the pipe by now, and nobody need ever read this.
    if (inbox.queue.unshift(rest) && consumed) flow.excuse(rest);
  }
}
