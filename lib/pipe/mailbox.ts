import type { NetConf } from "./conf.ts";
import { checkWait } from "./checks.ts";
import { DATAGRAM_BOUND } from "./bounds.ts";
import type { Envelope, Flow } from "./flow.ts";
import { PullQueue } from "./pull_queue.ts";
import type { MessageQueueOptions } from "./queue_options.ts";
import type { Message, WaitOptions } from "./types.ts";
import { Ring } from "./ring.ts";
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
): PullQueue<Envelope> {
  if (!lossy) return new PullQueue<Envelope>(PATIENT);
  const { maxQsize: maxItems } = conf;
  const maxBytes = DATAGRAM_BOUND;
  return new PullQueue({ ...PATIENT, maxItems, maxBytes, overflow: "drop-oldest", onDrop });
}

/** Functions of their own for each queue would take up more than the rest of it. */
const PATIENT: MessageQueueOptions<Envelope> = {
  sizeOf: (envelope) => envelope.size,
  onEnter: (envelope) => envelope.flow.enter(envelope),
  onLeave: (envelope) => envelope.flow.leave(envelope),
  keepTimer: true,
};

/** One loop over a mailbox: what it has taken and is not done with, and its places in the line. */
export class Hand {
  /** Where it waits: one place, and more for those who ask again before they have their answer. */
  readonly #places = new Ring<Place>();
  /** Whether the loop is over. */
  left = false;
  /** Of what it has, in the order it came: whoever asks ahead is done with the first one first. */
  readonly #flows = new Ring<Flow>();
  /** What it has taken last, if that was lent. */
  #lent: Envelope | undefined;
  /** Whether whoever asked cannot have got what was taken last yet. */
  #isOnItsWay = false;
  readonly #tracks: boolean;
  #lends: boolean;
  #toldEnd = false;

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

  /** Holds on to the message's flow. */
  take(envelope: Envelope): void {
    if (this.left) return;
    const { flow, lent } = envelope;
    if (this.#tracks) {
      flow.hold();
      this.#flows.push(flow);
    }
    if (!this.#lends) return;
    this.#lent = lent ? envelope : undefined;
    this.#isOnItsWay = true;
    queueMicrotask(() => this.#isOnItsWay = false);
  }

  /** More is asked for: it is done with what it took first, whose memory can be used again. */
  turn(): void {
    const lent = this.#lent;
    if (this.#isOnItsWay) this.#asksAhead();
    else if (lent !== undefined) lent.flow.pipe.recycle(lent.data, false);
    this.#lent = undefined;
    this.#flows.shift()?.release();
  }

  /** A place to wait at. They are served in turn, so only the oldest may be free. */
  place(): Waiting<Envelope> {
    const oldest = this.#places.peek();
    if (oldest !== undefined && !oldest.waiting) {
      if (this.#places.length > 1) {
        this.#places.shift();
        this.#places.push(oldest);
      }
      return oldest;
    }
    if (oldest !== undefined) this.#asksAhead();
    const place = new Place(this);
    this.#places.push(place);
    return place;
  }

  /** Gives up its places in a queue. */
  leave(queue: PullQueue<Envelope>): void {
    this.letGo();
    this.left = true;
    for (let place; (place = this.#places.shift()) !== undefined;) queue.cancel(place);
  }

  /** Whether it has been told that no more will come, by this call at the latest. Only once by an error. */
  knowsEnd(): boolean {
    const known = this.#toldEnd;
    this.#toldEnd = true;
    return known;
  }

  /** It may have several messages at a time, and does not tell which one it is done with. */
  #asksAhead(): void {
    this.#lends = false;
  }

  /** It is done with what it took, or has forgotten it: whoever got it may keep it. */
  letGo(): void {
    this.#lent = undefined;
    for (let flow; (flow = this.#flows.shift()) !== undefined;) flow.release();
  }

  /** The message as the result of a step of the loop. */
  readonly result: (envelope: Envelope) => IteratorResult<Message, undefined>;
}

/** Where a step of a loop waits. As with a generator, one step fails, and all after it are done. */
class Place extends Waiting<Envelope> {
  readonly #hand: Hand;

  constructor(hand: Hand) {
    super();
    this.#hand = hand;
  }

  override end(error: unknown): void {
    super.end(this.#hand.knowsEnd() ? undefined : error);
  }
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
  readonly #queue: PullQueue<Envelope>;
  readonly #defaultTimeout: number;
  readonly #tracks: boolean;
  /** The hand of those who call `recv`, if that matters: one conversation, not several. */
  readonly #hand: Hand | undefined;
  readonly #data: (envelope: Envelope) => Uint8Array<ArrayBuffer> = dataOf;
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
  get queue(): PullQueue<Envelope> {
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
    if (this.#queue.size > 0) {
      for (const envelope of envelopes.toReversed()) this.#queue.unshift(envelope);
      return;
    }
    for (const envelope of envelopes) this.#queue.restore(envelope);
  }

  /** Waits for the next message's bytes. */
  recv(options: WaitOptions | undefined): Promise<Uint8Array<ArrayBuffer> | null> {
    return this.#pull<Uint8Array<ArrayBuffer> | null>(this.#data, null, options);
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
    const { closed, size } = this.#queue;
    if (closed && size === 0 && hand.knowsEnd()) return Promise.resolve(ENDED);
    return this.#queue.pull(hand.result, ENDED, Infinity, undefined, hand.place());
  }

  /** A loop is left: what it has in hand is done, and what it waits for is for others. */
  leave(hand: Hand): void {
    hand.leave(this.#queue);
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
    this.#hand?.turn();
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

function dataOf({ data }: Envelope): Uint8Array<ArrayBuffer> {
  return data;
}

function messageOf({ data, from }: Envelope): Message {
  return [data, from];
}

function stepOf({ data, from }: Envelope): IteratorResult<Message, undefined> {
  return { done: false, value: [data, from] };
}
