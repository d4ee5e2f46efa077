import { DATAGRAM_BOUND, messageSize } from "../pipe/bounds.ts";
import { Ring } from "../pipe/ring.ts";
import type { NetAddr } from "../pipe/types.ts";
import type { Sink } from "./transport.ts";

/**
 * Datagrams that arrived while nobody was reading. Where datagrams are pushed there is no way to leave
 * them with the system: to stop listening is to lose them. So they wait here, up to a bound, and what
 * goes beyond it drops the oldest, as pipes do it.
 */
export class Inbox {
  readonly #waiting = new Ring<readonly [data: Uint8Array, from: NetAddr]>();
  #bytes = 0;

  /** Takes in one datagram. */
  push(data: Uint8Array, from: NetAddr): void {
    this.#waiting.push([data, from]);
    this.#bytes += messageSize(data);
    while (this.#bytes > DATAGRAM_BOUND) this.#shift();
  }

  /** Hands over what waits; false if the sink said stop. */
  empty(sink: Sink): boolean {
    for (let entry; (entry = this.#shift()) !== undefined;) {
      if (!sink(...entry)) return false;
    }
    return true;
  }

  /** Forgets everything. */
  clear(): void {
    this.#waiting.clear();
    this.#bytes = 0;
  }

  #shift(): readonly [data: Uint8Array, from: NetAddr] | undefined {
    const entry = this.#waiting.shift();
    if (entry !== undefined) this.#bytes -= messageSize(entry[0]);
    return entry;
  }
}
