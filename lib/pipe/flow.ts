import { messageSize } from "./bounds.ts";
import type { Tally } from "./tally.ts";
import type { Pipe } from "./pipe_types.ts";
import type { NetAddr } from "./types.ts";

/** A message on its way through the consumers, with the flow it counts for until it is taken. */
export interface Envelope {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly from: NetAddr;
  readonly flow: Flow;
  /** What it counts; fixed, since a receiver may detach its bytes. */
  readonly size: number;
  /** Whether it has one receiver, who gives its memory back when he is done with it. */
  lent: boolean;
  /** Whether there are others who got it, too. */
  shared: boolean;
}

/** What a flow needs of its pipe. */
export interface FlowPipe extends Pipe {
  readonly tally: Tally;
  /** Nothing received waits or is handled any more. */
  flowIdle(): void;
  /** Takes back the memory of a message that was lent. See `Transport.recycle`. */
  recycle(data: Uint8Array, relayed: boolean): void;
}

/** Puts a message into an envelope. */
export function envelop(
  data: Uint8Array<ArrayBuffer>,
  from: NetAddr,
  flow: Flow,
  lent = false,
  shared = false,
): Envelope {
  return { data, from, flow, size: messageSize(data), lent, shared };
}

/**
 * What one connection or datagram socket has delivered and nobody has finished with yet: bounds how
 * far it is read ahead, and tells when everything received has been handled.
 */
export class Flow {
  /** Unread bytes, over all queues. */
  #bytes = 0;
  /** Unread messages, over all queues. */
  #messages = 0;
  /** Unread messages, running handlers, sends of links, and the message a reader has in hand. */
  #holds = 0;
  /** Made when needed: most flows never excuse anything. */
  #excused: WeakSet<Envelope> | undefined;
  #resume: (() => void) | undefined;
  readonly #maxBytes: number;
  readonly #maxMessages: number;
  /** The pipe the messages came by. */
  readonly pipe: FlowPipe;

  constructor(pipe: FlowPipe, bounds: { readonly bytes: number; readonly messages: number }) {
    this.pipe = pipe;
    this.#maxBytes = bounds.bytes;
    this.#maxMessages = bounds.messages === 0 ? Infinity : bounds.messages;
  }

  /** Whether nothing received is waiting or being handled. */
  get idle(): boolean {
    return this.#holds === 0;
  }

  /** How many messages nobody has taken yet. */
  get unread(): number {
    return this.#messages;
  }

  /** Whether there is room to read on. */
  get open(): boolean {
    if (this.#messages === 0) return true;
    return this.#bytes < this.#maxBytes && this.#messages < this.#maxMessages;
  }

  /** An envelope starts to wait in a queue. */
  enter(envelope: Envelope): void {
    this.#bytes += envelope.size;
    this.#messages++;
    this.pipe.tally.queued(1);
    this.#holds++;
  }

  /** An envelope leaves a queue. */
  leave(envelope: Envelope): void {
    if (this.#excused?.delete(envelope)) return;
    this.#bytes -= envelope.size;
    this.#messages--;
    this.pipe.tally.queued(-1);
    if (this.#resume !== undefined && this.open) this.wake();
    this.release();
  }

  /** An envelope stays in a queue that nobody need read any more: it holds nothing up. */
  excuse(envelope: Envelope): void {
    if (this.#excused?.has(envelope)) return;
    this.leave(envelope);
    this.#excused ??= new WeakSet();
    this.#excused.add(envelope);
  }

  /** Something is being done with a message. */
  hold(): void {
    this.#holds++;
  }

  /** It is done. */
  release(): void {
    if (--this.#holds === 0) this.pipe.flowIdle();
  }

  /** Resolves when there is room, or at `wake`. One waiter: the reading loop. */
  room(): Promise<void> {
    if (this.open) return Promise.resolve();
    return new Promise((resolve) => this.#resume = resolve);
  }

  /** Lets the reading loop look again, room or not. */
  wake(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }
}
