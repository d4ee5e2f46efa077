import type { NetConf } from "./conf.ts";
import { checkMs } from "./conf.ts";
import { type Envelope, type Flow, messageSize } from "./flow.ts";
import { MessageQueue } from "./queue.ts";
import type { Message, WaitOptions } from "./types.ts";

/** Bytes that a queue of datagrams holds before it drops the oldest. */
export const DATAGRAM_BOUND = 2 * 1024 * 1024;

/** Whether a source can be made to wait. */
export type Kind = "stream" | "datagram";

/**
 * A queue of envelopes. Those of a stream are bounded by stopping to read it, which the flow does, so
 * their queue refuses nothing; a queue of datagrams drops its oldest.
 */
export function envelopeQueue(
  kind: Kind,
  conf: Readonly<NetConf>,
  onDrop: () => void,
): MessageQueue<Envelope> {
  const bounds = kind === "stream"
    ? {}
    : { maxItems: conf.maxQsize, maxBytes: DATAGRAM_BOUND, overflow: "drop-oldest" as const };
  return new MessageQueue<Envelope>({
    ...bounds,
    sizeOf: (envelope) => messageSize(envelope.data),
    onEnter: (envelope) => envelope.flow.enter(envelope),
    onLeave: (envelope) => envelope.flow.leave(envelope),
    onDrop,
    keepTimer: true,
  });
}

const ENDED: IteratorResult<Message, undefined> = Object.freeze({ done: true, value: undefined });

/**
 * A queue of envelopes with the reading side of a pipe.
 *
 * On a server (`tracks`) a message that a reader took counts as in hand until that reader asks for more:
 * a loop that answers each message is not done with one when it has received it, and the connection it
 * came by stays open till then.
 */
export class Mailbox {
  readonly #queue: MessageQueue<Envelope>;
  readonly #defaultTimeout: number;
  readonly #tracks: boolean;
  #inHand: Flow | undefined;

  constructor(kind: Kind, conf: Readonly<NetConf>, tracks: boolean, onDrop: () => void) {
    this.#queue = envelopeQueue(kind, conf, onDrop);
    this.#defaultTimeout = conf.recvTimeout;
    this.#tracks = tracks;
  }

  /** Messages waiting to be read. */
  get size(): number {
    return this.#queue.size;
  }

  /** Readers waiting for a message. */
  get waiting(): number {
    return this.#queue.waiting;
  }

  /** Messages dropped. */
  get dropped(): number {
    return this.#queue.dropped;
  }

  /** Adds a message. */
  push(envelope: Envelope): void {
    this.#queue.push(envelope);
  }

  /** Takes everything out. */
  drain(): Envelope[] {
    const all: Envelope[] = [];
    for (let e = this.#queue.tryTake(); e !== undefined; e = this.#queue.tryTake()) all.push(e);
    return all;
  }

  /** Waits for the next message's bytes. */
  recv(options: WaitOptions | undefined): Promise<Uint8Array | null> {
    return this.#pull<Uint8Array | null>(this.#data, null, options);
  }

  /** Waits for the next message. */
  recvFrom(options: WaitOptions | undefined): Promise<Message | null> {
    return this.#pull<Message | null>(this.#message, null, options);
  }

  /** A step of a loop: waits for ever. */
  next(): Promise<IteratorResult<Message, undefined>> {
    this.letGo();
    return this.#queue.pull(this.#result, ENDED, Infinity);
  }

  /** The reader is done with what it took last. */
  letGo(): void {
    const flow = this.#inHand;
    this.#inHand = undefined;
    flow?.release();
  }

  /** No more will come. What is held can still be read. */
  end(error?: unknown): void {
    this.#queue.close(error);
  }

  /** No more will come, and what is held is forgotten. */
  discard(error?: unknown): void {
    this.#queue.close(error);
    this.#queue.clear();
    this.letGo();
  }

  #pull<R>(pick: (e: Envelope) => R, end: R, options: WaitOptions | undefined): Promise<R> {
    this.letGo();
    const timeout = options?.timeout ?? this.#defaultTimeout;
    if (options?.timeout !== undefined) {
      try {
        checkMs(options.timeout, "timeout");
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return this.#queue.pull(pick, end, timeout, options?.signal);
  }

  #take(envelope: Envelope): void {
    if (!this.#tracks) return;
    envelope.flow.hold();
    this.#inHand?.release();
    this.#inHand = envelope.flow;
  }

  readonly #data = (envelope: Envelope): Uint8Array => {
    this.#take(envelope);
    return envelope.data;
  };

  readonly #message = (envelope: Envelope): Message => {
    this.#take(envelope);
    return [envelope.data, envelope.from];
  };

  readonly #result = (envelope: Envelope): IteratorResult<Message, undefined> => {
    this.#take(envelope);
    return { done: false, value: [envelope.data, envelope.from] };
  };
}
