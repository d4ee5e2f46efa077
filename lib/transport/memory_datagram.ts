import type { NetAddr } from "../pipe/types.ts";
import { Breath } from "./breath.ts";
import { noReceiver } from "./datagram.ts";
import { closedHere, TransportError } from "./error.ts";
import { Inbox } from "./inbox.ts";
import { PushReader } from "./push_reader.ts";
import { refused } from "./send_report.ts";
import type { SendReport, Sink, Transport } from "./transport.ts";

/** As on IPv4: 65,535 bytes without the IP and UDP headers. */
const MAX_SIZE = 65_507;

/** What a datagram socket in memory needs of the network it is on. */
export interface Post {
  /** Brings a datagram to whoever is bound to the address, if anybody is. */
  deliver(data: Uint8Array, to: NetAddr, from: MemoryDatagram): void;
  /** Frees the address. */
  leave(socket: MemoryDatagram): void;
}

/** A datagram socket in memory. */
export class MemoryDatagram implements Transport {
  readonly kind = "datagram";
  readonly raw = undefined;
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr | undefined;
  readonly #post: Post;
  readonly #inbox = new Inbox();
  readonly #reader = new PushReader();
  readonly #breath = new Breath();
  #scheduled = false;
  #closed = false;

  constructor(localAddr: NetAddr, remoteAddr: NetAddr | undefined, post: Post) {
    this.localAddr = localAddr;
    this.remoteAddr = remoteAddr;
    this.#post = post;
  }

  pull(sink: Sink): Promise<"paused" | "end"> {
    if (this.#closed) return Promise.resolve("end");
    const pulled = this.#reader.start(sink);
    this.#schedule();
    return pulled;
  }

  send(
    data: Uint8Array,
    to: NetAddr | undefined = this.remoteAddr,
    report?: SendReport,
  ): Promise<number> {
    if (this.#closed) return refused(closedHere(), to, report);
    if (to === undefined) return refused(noReceiver(), to, report);
    if (data.length > MAX_SIZE) {
      const why = `Message too long: a datagram has at most ${MAX_SIZE} bytes, got ${data.length}`;
      return refused(new TransportError("failed", new RangeError(why)), to, report);
    }
    this.#post.deliver(data, to, this);
    report?.sent(data.length);
    return Promise.resolve(data.length);
  }

  close(): Promise<void> {
    this.abort();
    return Promise.resolve();
  }

  abort(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#post.leave(this);
    this.#breath.stop();
    this.#inbox.clear();
    this.#reader.end();
  }

  /** A datagram comes in. */
  receive(data: Uint8Array, from: NetAddr): void {
    // a copy, also of a Node Buffer
    this.#inbox.push(new Uint8Array(data), from);
    this.#schedule();
  }

  /** Reading has a turn of its own: two that answer each other must not call each other. */
  #schedule(): void {
    if (this.#scheduled || !this.#reader.reading) return;
    this.#scheduled = true;
    const pause = this.#breath.take();
    if (pause === undefined) queueMicrotask(this.#handOver);
    else void pause.then(this.#handOver);
  }

  readonly #handOver = (): void => {
    this.#scheduled = false;
    if (!this.#reader.reading) return;
    this.#inbox.empty((data, from) => this.#reader.push(data, from));
  };
}
