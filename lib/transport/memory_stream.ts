import { Ring } from "../pipe/ring.ts";
import type { NetAddr } from "../pipe/types.ts";
import { Breath } from "./breath.ts";
import { busyWith, closedHere, TransportError } from "./error.ts";
import type { SendReport, Sink, Transport } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

/** Bytes that one side may be ahead of the reader of the other: what a socket's buffers hold. */
const WINDOW = 64 * 1024;

/** One direction of a connection. */
class Channel {
  readonly #chunks = new Ring<Uint8Array>();
  #size = 0;
  #state: "open" | "ended" | "reset" | "refused" = "open";
  /** The reader waits for an arrival, or the writer for room; never both. */
  #wake: (() => void) | undefined;

  /** Resolves when everything is in the window. */
  async write(data: Uint8Array): Promise<void> {
    for (let rest = data; rest.length > 0;) {
      if (this.#state === "reset") throw closedHere();
      if (this.#state === "refused") throw reset("BrokenPipe", "nobody reads any more");
      const room = WINDOW - this.#size;
      if (room === 0) await this.#wait();
      else {
        // a copy, also of a Node Buffer
        const chunk = new Uint8Array(rest.subarray(0, room));
        this.#chunks.push(chunk);
        this.#size += chunk.length;
        rest = rest.subarray(chunk.length);
        this.wake();
      }
    }
  }

  /** The next chunk; null at the end, or when woken for another reason. */
  async read(): Promise<Uint8Array | null> {
    if (this.#chunks.length === 0 && this.#state === "open") await this.#wait();
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#size -= chunk.length;
      this.wake();
      return chunk;
    }
    if (this.#state === "reset") throw reset("ConnectionReset", "reset by the peer");
    return null;
  }

  /** The writer ends it, in good order or not: the reader gets what is there first. */
  end(how: "ended" | "reset"): void {
    if (this.#state === "open") this.#state = how;
    this.wake();
  }

  /** The reader is gone. */
  refuse(): void {
    this.#chunks.clear();
    if (this.#state === "open") this.#state = "refused";
    this.wake();
  }

  /** Lets whoever waits look again. */
  wake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }
}

function reset(kind: "BrokenPipe" | "ConnectionReset", message: string): TransportError {
  return new TransportError("reset", new Deno.errors[kind](message));
}

/** One end of a connection in memory. */
class MemoryStream implements Transport {
  readonly kind = "stream";
  readonly raw = undefined;
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr;
  readonly #in: Channel;
  readonly #out: Channel;
  readonly #writes: WriteQueue;
  readonly #breath = new Breath();
  #closed = false;
  #closing: Promise<void> | undefined;
  #outputEnd: Promise<void> | undefined;
  #pulling = false;
  #interrupted = false;
  /** What an interrupted pull has taken from the channel. */
  #kept: Uint8Array | undefined;
  #onPulled: (() => void) | undefined;

  constructor(localAddr: NetAddr, remoteAddr: NetAddr, input: Channel, output: Channel) {
    this.localAddr = localAddr;
    this.remoteAddr = remoteAddr;
    this.#in = input;
    this.#out = output;
    this.#writes = new WriteQueue((data) => output.write(data));
  }

  async pull(sink: Sink): Promise<"paused" | "end"> {
    if (this.#pulling) throw busyWith("read");
    this.#pulling = true;
    this.#interrupted = false;
    try {
      while (!this.#closed) {
        const chunk = this.#kept ?? await this.#in.read();
        const pause = this.#breath.take();
        if (pause !== undefined) await pause;
        if (this.#closed) break;
        this.#kept = undefined;
        if (this.#interrupted) {
          this.#kept = chunk ?? undefined;
          return "paused";
        }
        if (chunk === null) break;
        if (!sink(chunk, this.remoteAddr)) return "paused";
      }
      return "end";
    } finally {
      this.#pulling = false;
      this.#onPulled?.();
    }
  }

  interrupt(): void {
    if (!this.#pulling) return;
    this.#interrupted = true;
    this.#in.wake();
  }

  send(data: Uint8Array, _to?: NetAddr, report?: SendReport): Promise<number> {
    return this.#writes.send(data, undefined, report);
  }

  closeWrite(): Promise<void> {
    return this.#outputEnd ??= this.#endOutput();
  }

  close(): Promise<void> {
    return this.#closing ??= this.#finish();
  }

  abort(): void {
    this.#writes.fail(closedHere());
    this.#shut("reset");
  }

  async #endOutput(): Promise<void> {
    if (this.#closing !== undefined || this.#closed) throw closedHere();
    this.#writes.end();
    await this.#writes.drain();
    if (this.#writes.failure !== undefined) throw this.#writes.failure;
    this.#out.end("ended");
  }

  async #finish(): Promise<void> {
    this.#writes.end();
    await this.#writes.drain();
    this.#shut("ended");
    await this.#writes.drain();
    if (this.#pulling) await new Promise<void>((resolve) => this.#onPulled = resolve);
  }

  #shut(how: "ended" | "reset"): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#breath.stop();
    this.#out.end(how);
    this.#in.refuse();
  }
}

/** A connection in memory: what one end sends, the other receives. */
export function streamPair(a: NetAddr, b: NetAddr): [Transport, Transport] {
  const there = new Channel(), back = new Channel();
  return [new MemoryStream(a, b, back, there), new MemoryStream(b, a, there, back)];
}
