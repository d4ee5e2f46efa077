import type { NetConf } from "./conf.ts";
import { checkWait } from "./checks.ts";
import { DATAGRAM_BOUND } from "./bounds.ts";
import type { Envelope, Flow } from "./flow.ts";
import { MessageQueue, type MessageQueueOptions } from "./queue.ts";
import type { Message, WaitOptions } from "./types.ts";
import { Waiting } from "./waiting.ts";

/** Whether there are message boundaries. */
export type Kind = "stream" | "datagram";

/**
 * A queue of envelopes. Where the source can be made to wait it is bounded by stopping to read, which
 * the flow does, and refuses nothing; one of datagrams that nobody sends again drops its oldest.
 */
export function envelopeQueue(
  lossy: boolean,
  conf: Readonly<NetConf>,
  onDrop: () => void,
): MessageQueue<Envelope> {
  if (!lossy) return new MessageQueue<Envelope>(PATIENT);
  const { maxQsize: maxItems } = conf;
  const maxBytes = DATAGRAM_BOUND;
  return new MessageQueue({ ...PATIENT, maxItems, maxBytes, overflow: "drop-oldest", onDrop });
}

/** Functions of their own for each queue would take up more than the rest of it. */
const PATIENT: MessageQueueOptions<Envelope> = {
  sizeOf: (envelope) => envelope.size,
  onEnter: (envelope) => envelope.flow.enter(envelope),
  onLeave: (envelope) => envelope.flow.leave(envelope),
  keepTimer: true,
};

/** One loop over a mailbox: what it has taken last, and its place in the line. */
export class Hand {
  /** Where it waits: one place, and more for those who ask again before they have their answer. */
  readonly places: Waiting<Envelope>[] = [];
  /** Whether the loop is over. */
  left = false;
  #flow: Flow | undefined;
  /** What it has taken last, if that was lent. */
  #lent: Envelope | undefined;
  /** Whether whoever asked cannot have got what was taken last yet. */
  #isOnItsWay = false;
  readonly #tracks: boolean;
  #lends: boolean;

  /**
   * @param tracks Whether it holds on to the flow of what it has.
   * @param lends Whether it gives back what was lent, when more is asked for.
   */
  constructor(tracks: boolean, lends: boolean) {
    this.#tracks = tracks;
    this.#lends = lends;
    this.result = !tracks && !lends ? stepOf : (envelope) => {
      this.take(envelope);
      return stepOf(envelope);
    };
  }

  /** Holds on to the message's flow, instead of the one before. */
  take(envelope: Envelope): void {
    if (this.left) return;
    const { flow, lent } = envelope;
    if (this.#tracks) flow.hold();
    this.letGo();
    if (this.#tracks) this.#flow = flow;
    if (!this.#lends) return;
    if (lent) this.#lent = envelope;
    this.#isOnItsWay = true;
    queueMicrotask(() => this.#isOnItsWay = false);
  }

  /** More is asked for: it is done with what it took last, whose memory can be used again. */
  turn(): void {
    const lent = this.#lent;
    if (this.#isOnItsWay) this.#asksAhead();
    else if (lent !== undefined) lent.flow.pipe.recycle(lent.data, false);
    this.letGo();
  }

  /** A place to wait at. */
  place(): Waiting<Envelope> {
    for (const place of this.places) if (!place.waiting) return place;
    if (this.places.length > 0) this.#asksAhead();
    const place = new Waiting<Envelope>();
    this.places.push(place);
    return place;
  }

  /** It may have several messages at a time, and does not tell which one it is done with. */
  #asksAhead(): void {
    this.#lends = false;
  }

  /** It is done with what it took last, or has forgotten it: whoever got it may keep it. */
  letGo(): void {
    const flow = this.#flow;
    this.#lent = undefined;
    this.#flow = undefined;
    flow?.release();
  }

  /** The message as the result of a step of the loop. */
  readonly result: (envelope: Envelope) => IteratorResult<Message, undefined>;
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
  /** The hand of those who call `recv`, if that matters: one conversation, not several. */
  readonly #hand: Hand | undefined;
  readonly #data: (envelope: Envelope) => Uint8Array = dataOf;
  readonly #message: (envelope: Envelope) => Message = messageOf;

  constructor(lossy: boolean, conf: Readonly<NetConf>, tracks: boolean, onDrop: () => void) {
    this.#queue = envelopeQueue(lossy, conf, onDrop);
    this.#defaultTimeout = conf.recvTimeout;
    this.#tracks = tracks;
    if (!tracks) return;
    this.#hand = new Hand(tracks, false);
    this.#data = this.#noted(dataOf);
    this.#message = this.#noted(messageOf);
  }

  /** For reading in other ways than message by message. */
  get queue(): MessageQueue<Envelope> {
    return this.#queue;
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

  /** Takes out what is wanted; everything by default. */
  extract(wanted: (envelope: Envelope) => boolean = () => true): Envelope[] {
    return this.#queue.extract(wanted);
  }

  /**
   * Takes back messages that came before those it holds and that another consumer did not begin with, also
   * when no more will come.
   */
  restore(envelopes: readonly Envelope[]): void {
    if (this.#queue.size === 0) { for (const envelope of envelopes) this.#queue.restore(envelope); }
    else for (const envelope of envelopes.toReversed()) this.#queue.unshift(envelope);
  }

  /** Waits for the next message's bytes. */
  recv(options: WaitOptions | undefined): Promise<Uint8Array | null> {
    return this.#pull<Uint8Array | null>(this.#data, null, options);
  }

  /** Waits for the next message. */
  recvFrom(options: WaitOptions | undefined): Promise<Message | null> {
    return this.#pull<Message | null>(this.#message, null, options);
  }

  /**
   * For a loop over it.
   *
   * @param lends Whether it gives back what was lent, when more is asked for.
   */
  hand(lends = false): Hand {
    return new Hand(this.#tracks, lends);
  }

  /** A step of a loop: waits for ever. */
  next(hand: Hand): Promise<IteratorResult<Message, undefined>> {
    hand.turn();
    return this.#queue.pull(hand.result, ENDED, Infinity, undefined, hand.place());
  }

  /** A loop is left: what it has in hand is done, and what it waits for is for others. */
  leave(hand: Hand): void {
    hand.letGo();
    hand.left = true;
    for (const place of hand.places) this.#queue.cancel(place);
  }

  /** No more will come. What is held can still be read. */
  end(error?: unknown): void {
    this.#queue.close(error);
  }

  /** No more will come, and what is held is forgotten. */
  discard(error?: unknown): void {
    this.#queue.close(error);
    this.#queue.clear();
    this.#hand?.letGo();
  }

  #pull<R>(pick: (e: Envelope) => R, end: R, options: WaitOptions | undefined): Promise<R> {
    this.#hand?.letGo();
    if (options === undefined) return this.#queue.pull(pick, end, this.#defaultTimeout);
    try {
      const { timeout = this.#defaultTimeout, signal } = checkWait(options);
      return this.#queue.pull(pick, end, timeout, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #noted<R>(pick: (e: Envelope) => R): (e: Envelope) => R {
    return (envelope) => {
      this.#hand?.take(envelope);
      return pick(envelope);
    };
  }
}

function dataOf({ data }: Envelope): Uint8Array {
  return data;
}

function messageOf({ data, from }: Envelope): Message {
  return [data, from];
}

function stepOf({ data, from }: Envelope): IteratorResult<Message, undefined> {
  return { done: false, value: [data, from] };
}
