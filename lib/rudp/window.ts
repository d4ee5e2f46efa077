/** In datagrams: RFC 5681 section 3.1, and RFC 9002 section 7.2, so that one can tell of the other. */
const INITIAL = 4, LEAST = 2;

/** More than this of small messages overruns the receive buffer that Linux gives a UDP socket. */
const MOST = 128;

/**
 * How much may be under way to a peer, in datagrams that fit into an Ethernet frame: slow start,
 * additive increase, multiplicative decrease (RFC 5681, as RFC 8085 section 3.1.1 asks for). Until the
 * peer has acknowledged anything it is one message (RFC 8085 section 3.1.2).
 */
export class CongestionWindow {
  #size = INITIAL;
  #threshold = Infinity;
  #heard = false;
  /** What was sent before this has been answered for: one reduction for each round trip. */
  #recovered = 0;

  /** The window. */
  get size(): number {
    return this.#heard ? this.#size : 1;
  }

  /**
   * Something was acknowledged.
   *
   * @param units Its size.
   * @param underWay What was under way, it included: a window that is not used does not grow.
   */
  acknowledged(units: number, underWay: number): void {
    if (this.#heard && underWay * 2 >= this.#size) {
      this.#size += this.#size < this.#threshold ? units : units / this.#size;
      this.#size = Math.min(this.#size, MOST);
    }
    this.#heard = true;
  }

  /**
   * Something was lost, as acknowledgements of later transmissions tell.
   *
   * @param order Which transmission it was.
   * @param next The number of the next transmission.
   */
  lost(order: number, next: number): void {
    if (order < this.#recovered) return;
    this.#recovered = next;
    this.#threshold = this.#size = Math.max(LEAST, this.#size / 2);
  }

  /**
   * Nothing was acknowledged in time.
   *
   * @param underWay What was under way.
   * @param next The number of the next transmission.
   */
  timedOut(underWay: number, next: number): void {
    this.#recovered = next;
    this.#threshold = Math.max(LEAST, underWay / 2);
    this.#size = LEAST;
  }

  /** Nothing was sent for a while: what is known of the path may be old (RFC 5681 section 4.1). */
  restart(): void {
    this.#size = Math.min(this.#size, INITIAL);
  }
}
