import type { NetAddr } from "../pipe/types.ts";

/** How many are kept, and how long: a peer whose first message it is asks again after a second. */
const MOST = 128, SPAN = 1500;

interface Ack {
  readonly number: bigint;
  readonly to: NetAddr;
  readonly at: number;
}

/** The last acknowledgements, of which the peer may not have got every one. */
export class RecentAcks {
  readonly #acks: Ack[] = [];

  /** One was sent. */
  add(number: bigint, to: NetAddr, at: number): void {
    this.#acks.push({ number, to, at });
    if (this.#acks.length > MOST) this.#acks.shift();
  }

  /** Those that were sent lately, the oldest first. */
  since(now: number): readonly Ack[] {
    return this.#acks.filter(({ at }) => now - at <= SPAN);
  }
}
