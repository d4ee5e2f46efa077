import { PipeTimeoutError } from "../errors.ts";
import { Ring } from "../pipe/ring.ts";
import { TransportError } from "../transport/error.ts";
import type { Outgoing } from "./outgoing.ts";
import { RttEstimator } from "./rtt.ts";
import { CongestionWindow } from "./window.ts";

/** Unacknowledged numbers are no further apart: the receiver remembers more than that. */
const RANGE = 16_384;

const MASK = 64;

/** What a {@linkcode Sender} needs. */
export interface SenderOptions {
  /** The number of the first message. */
  readonly base: bigint;
  /** Milliseconds from the first transmission of a message until it is given up. */
  readonly ackTimeout: number;
  /** Hands a packet to the network. */
  readonly transmit: (packet: Uint8Array<ArrayBuffer>, message: Outgoing) => void;
}

/** Everything that is on its way to one peer. Has no clock: `now` is milliseconds of any epoch. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #waiting = new Ring<Outgoing>();
  readonly #lost = new Ring<Outgoing>();
  /** Sent and not acknowledged, by number, in the order in which they were first sent. */
  readonly #unacknowledged = new Map<bigint, Outgoing>();
  #rtt = new RttEstimator();
  #window = new CongestionWindow();
  /** What is under way, in the units of the window. */
  #underWay = 0;
  #messages = 0;
  #transmissions = 0;
  /** The last transmission that is known to have arrived. */
  #arrived = -Infinity;
  /** Acknowledgements that came. */
  #heard = 0;
  #lastAt = -Infinity;
  #backedOffAt = -Infinity;
  #due = Infinity;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** When to call `tick`, at the latest; it may turn out that there is nothing to do. */
  get due(): number {
    return this.#due;
  }

  /** Messages that are neither acknowledged nor given up. */
  get pending(): number {
    return this.#waiting.length + this.#unacknowledged.size;
  }

  /** Messages that were sent and are not acknowledged. */
  get unacknowledged(): number {
    return this.#unacknowledged.size;
  }

  /** Sends a message when it is its turn. */
  send(message: Outgoing, now: number): void {
    this.#waiting.push(message);
    this.#pump(now);
  }

  /** The peer acknowledges a number; false if it was not expected to. */
  acknowledge(number: bigint, now: number): boolean {
    const message = this.#unacknowledged.get(number);
    if (message === undefined) return false;
    const underWay = this.#underWay;
    const { backedOff } = this.#rtt;
    if (message.tries === 1) this.#rtt.sample(now - message.lastAt);
    this.#heard++;
    this.#remove(number, message);
    this.#window.acknowledged(message.units, underWay);
    // Of several transmissions it was the last one, unless that could not have been answered so soon.
    const isLast = now - message.lastAt >= this.#rtt.least;
    this.#arrived = Math.max(this.#arrived, isLast ? message.lastOrder : message.firstOrder);
    this.#findLost(now);
    this.#pump(now);
    // What waits for a time that was doubled need not wait so long any more.
    if (backedOff && !this.#rtt.backedOff) this.#due = this.#earliest();
    message.settle();
    return true;
  }

  /** Sends again what is overdue, and gives up what is too old. */
  tick(now: number): void {
    const { timeout } = this.#rtt;
    const expired: Outgoing[] = [];
    for (const [number, message] of this.#unacknowledged) {
      if (message.firstAt + this.#options.ackTimeout <= now) {
        if (message.heard === this.#heard) return this.#giveUpAll(message);
        this.#remove(number, message);
        message.settle(this.#silence(message));
      } else if (message.state === "under way" && message.lastAt + timeout <= now) {
        expired.push(message);
      }
    }
    if (expired.length > 0) this.#timedOut(expired, now);
    this.#findLost(now);
    // One at least, whatever else is under way (RFC 6298 section 5.4).
    this.#pump(now, expired.length > 0);
    this.#due = this.#earliest();
  }

  /** The system refused to send a message. */
  refused(message: Outgoing, error: TransportError, now: number): void {
    if (message.state !== "under way") return;
    message.error = error;
    if (message.tries > 1) return; // it may have arrived before, and its turn comes again
    for (const [number, unacknowledged] of this.#unacknowledged) {
      if (unacknowledged === message) this.#remove(number, message);
    }
    this.#pump(now);
    message.settle(error);
  }

  /** Gives up everything. */
  fail(error: (message: Outgoing) => TransportError): void {
    const all = [...this.#unacknowledged.values()];
    for (let next; (next = this.#waiting.shift()) !== undefined;) all.push(next);
    this.#unacknowledged.clear();
    this.#lost.clear();
    this.#underWay = 0;
    this.#due = Infinity;
    for (const message of all) {
      message.state = "settled";
      message.settle(error(message));
    }
  }

  /** Gives up everything, because others need the room. */
  giveWay(): void {
    this.fail(({ error, tries }) => {
      if (error !== undefined) return error;
      const why = `not acknowledged when newer peers needed the room (${times(tries)})`;
      return new TransportError("unanswered", new PipeTimeoutError(why));
    });
  }

  /** Nothing of what this peer was sent for so long has been acknowledged: it is not there. */
  #giveUpAll(oldest: Outgoing): void {
    // What was measured says nothing any more (RFC 6298 section 5).
    this.#rtt = new RttEstimator();
    this.#window = new CongestionWindow();
    const error = this.#silence(oldest);
    this.fail((message) => message === oldest ? error : this.#silence(oldest, message));
  }

  #silence(oldest: Outgoing, message = oldest): TransportError {
    if (message.error !== undefined) return message.error;
    const { tries } = message;
    const sent = tries === 0 ? "it waited behind others that were not either" : times(tries);
    const why = `not acknowledged within ${this.#options.ackTimeout} ms (${sent})`;
    return new TransportError("unanswered", new PipeTimeoutError(why));
  }

  #remove(number: bigint, message: Outgoing): void {
    this.#unacknowledged.delete(number);
    if (message.state === "under way") this.#underWay -= message.units;
    message.state = "settled";
  }

  /** What was sent well before something that has arrived is lost (RFC 8985). */
  #findLost(now: number): void {
    const { overtaken } = this.#rtt;
    for (const message of this.#unacknowledged.values()) {
      const { state, firstOrder, lastOrder, lastAt } = message;
      if (firstOrder > this.#arrived) break;
      if (state !== "under way" || lastOrder > this.#arrived) continue;
      const deadline = lastAt + overtaken;
      if (deadline > now) this.#due = Math.min(this.#due, deadline);
      else {
        this.#lose(message);
        this.#window.lost(lastOrder, this.#transmissions);
      }
    }
  }

  #lose(message: Outgoing): void {
    message.state = "lost";
    this.#underWay -= message.units;
    this.#lost.push(message);
  }

  #timedOut(expired: readonly Outgoing[], now: number): void {
    this.#window.timedOut(this.#underWay, this.#transmissions);
    // Once for everything that was sent before it was last done (RFC 6298 has one timer).
    if (expired.some(({ lastAt }) => lastAt >= this.#backedOffAt)) {
      this.#rtt.backOff();
      this.#backedOffAt = now;
    }
    for (const message of expired) this.#lose(message);
  }

  /** Sends as much as the window lets through, first what was lost. */
  #pump(now: number, probe = false): void {
    if (this.#underWay === 0 && now - this.#lastAt > this.#rtt.timeout) this.#window.restart();
    for (;;) {
      const again = this.#lost.peek();
      if (again?.state === "settled") {
        this.#lost.shift(); // acknowledged after all
        continue;
      }
      const message = again ?? this.#waiting.peek();
      if (message === undefined) break;
      const fits = this.#underWay === 0 || this.#underWay + message.units <= this.#window.size;
      if (!fits && !probe) break;
      probe = false;
      if (again === undefined && !this.#inRange) break;
      (again === undefined ? this.#waiting : this.#lost).shift();
      this.#transmit(message, now);
    }
  }

  get #inRange(): boolean {
    for (const { index } of this.#unacknowledged.values()) return this.#messages - index < RANGE;
    return true;
  }

  #transmit(message: Outgoing, now: number): void {
    const order = this.#transmissions++;
    if (message.tries++ === 0) {
      message.index = this.#messages++;
      message.firstAt = now;
      message.firstOrder = order;
      message.heard = this.#heard;
    }
    const number = BigInt.asUintN(MASK, this.#options.base + BigInt(message.index));
    this.#unacknowledged.set(number, message);
    message.state = "under way";
    message.lastAt = this.#lastAt = now;
    message.lastOrder = order;
    this.#underWay += message.units;
    this.#due = Math.min(this.#due, this.#deadline(message));
    this.#options.transmit(message.packet(number), message);
  }

  #deadline({ state, lastAt, lastOrder, firstAt }: Outgoing): number {
    const { timeout, overtaken } = this.#rtt;
    const wait = lastOrder < this.#arrived ? Math.min(timeout, overtaken) : timeout;
    return Math.min(
      state === "under way" ? lastAt + wait : Infinity,
      firstAt + this.#options.ackTimeout,
    );
  }

  #earliest(): number {
    let earliest = Infinity;
    for (const message of this.#unacknowledged.values()) {
      earliest = Math.min(earliest, this.#deadline(message));
    }
    return earliest;
  }
}

function times(tries: number): string {
  return tries === 1 ? "sent once" : `sent ${tries} times`;
}
