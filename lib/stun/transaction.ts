import { isSame } from "../pipe/peer.ts";
import type { NetAddr } from "../pipe/types.ts";
import type { StunMessage } from "./message.ts";
import type { StunTiming } from "./timing.ts";

/** What a {@linkcode Transaction} is made of. */
export interface TransactionOptions {
  /** The request. */
  readonly message: StunMessage;
  /** The server. */
  readonly to: NetAddr;
  /** Takes the answer from any address, as one to CHANGE-REQUEST comes. */
  readonly anyFrom: boolean;
  /** Over TCP nothing is sent again. */
  readonly reliable: boolean;
  readonly timing: StunTiming;
  /** Milliseconds of any clock. */
  readonly now: number;
}

/** A transaction id as a key. */
export function idKey(id: Uint8Array): string {
  return id.toHex();
}

/**
 * One request and its answer (RFC 8489, section 6.2). Pure: whoever has the socket and the clock asks
 * what to do now, and when to ask again.
 */
export class Transaction {
  readonly message: StunMessage;
  readonly to: NetAddr;
  readonly key: string;
  /** The request as it is sent, the same each time. */
  readonly data: Uint8Array;
  readonly #options: TransactionOptions;
  #sent = 0;
  #due: number;
  #wait: number;
  #sentAt = 0;

  constructor(options: TransactionOptions) {
    this.#options = options;
    this.message = options.message;
    this.to = options.to;
    this.key = idKey(options.message.transactionId);
    this.data = options.message.encode();
    this.#due = options.now;
    this.#wait = options.timing.rto;
  }

  /** When to look at it again. */
  get due(): number {
    return this.#due;
  }

  /** How often it was sent. */
  get sent(): number {
    return this.#sent;
  }

  /** What is to be done now: send it, give it up, or wait until `due`. */
  step(now: number): "send" | "timeout" | "wait" {
    if (now < this.#due) return "wait";
    const { reliable, timing: { rto, rc, rm, ti } } = this.#options;
    const tries = reliable ? 1 : rc;
    if (this.#sent === tries) return "timeout";
    this.#sent++;
    this.#sentAt = now;
    // From now, not from when it was due: a late caller must not send two at once.
    this.#due = now + (reliable ? ti : this.#sent === tries ? rm * rto : this.#wait);
    this.#wait *= 2;
    return "send";
  }

  /** Whether the answer may come from there. */
  accepts(from: NetAddr): boolean {
    const { to, anyFrom } = this.#options;
    return anyFrom || isSame(to, from);
  }

  /** How long the answer took; unknown where one to an earlier try cannot be told (RFC 6298, 3). */
  roundTrip(now: number): number | undefined {
    return this.#sent === 1 ? now - this.#sentAt : undefined;
  }
}
