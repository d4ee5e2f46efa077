import type { NetAddr } from "../pipe/types.ts";
import { netAddr } from "./addr.ts";

/** Enough for the peers of most servers, and no more memory than that for the others. */
const MOST = 4096;

/**
 * The senders of a datagram socket: one object for each, as long as it is remembered, so that an
 * address is read once and not with every datagram.
 */
export class Senders {
  readonly #known = new Map<string, NetAddr>();
  readonly #zone: string;
  /** The next datagram is often from the same one. */
  #host = "";
  #port = -1;
  #last: NetAddr | undefined;

  /** @param zone The zone of the socket, for link-local addresses. */
  constructor(zone: string) {
    this.#zone = zone;
  }

  /**
   * The sender's address.
   *
   * @param host The IP address as the system shows it.
   * @param port The port.
   */
  find(host: string, port: number): NetAddr {
    if (this.#last !== undefined && port === this.#port && host === this.#host) return this.#last;
    this.#host = host;
    this.#port = port;
    const key = `${host} ${port}`;
    const known = this.#known.get(key);
    if (known !== undefined) return this.#last = known;
    if (this.#known.size >= MOST) this.#known.clear();
    this.#last = netAddr("udp", host, port, this.#zone);
    this.#known.set(key, this.#last);
    return this.#last;
  }
}
