import { Ring } from "./ring.ts";

/**
 * How many tries may be on their way to one peer. Where what finds no room is lost, more at once would
 * overflow the peer's receive buffer, or their answers ours (RFC 8085, section 3.1). Elsewhere it bounds
 * how many a reply has to be compared with.
 */
const LOSSY_WINDOW = 64, WINDOW = 1024;
/** Milliseconds after which a try counts as lost: before anything is known of the peer, and at least. */
const FIRST_LIMIT = 100, LEAST_LIMIT = 10;

/** Something that is sent and answered. */
export interface Try {
  /** Whether it is still wanted. */
  readonly open: boolean;
  /** When it was sent last, by `performance.now()`. */
  sentAt: number;
  /** Whether it was sent once only, so that it is known what an answer belongs to. */
  readonly first: boolean;
  /** Sends it. */
  post(): void;
}

/**
 * How fast one peer is asked: as fast as it answers, in a window; one that does not gets another window
 * in a time that follows its answers (RFC 6298). Without it 10,000 requests at once are mostly lost on
 * UDP.
 */
export class Pace {
  /** What is on its way, the one that was sent first in front. */
  readonly #sent = new Set<Try>();
  readonly #queue = new Ring<Try>();
  readonly #window: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The time an answer takes, smoothed, and how much it varies; milliseconds. */
  #time = -1;
  #variation = 0;

  /** @param lossy Whether what is sent may be lost. */
  constructor(lossy: boolean) {
    this.#window = lossy ? LOSSY_WINDOW : WINDOW;
  }

  /** Whether anything is on its way or waits. */
  get busy(): boolean {
    return this.#sent.size > 0 || this.#queue.length > 0;
  }

  /**
   * Sends a try as soon as there is room for it on the way.
   *
   * @returns Whether that was at once.
   */
  go(request: Try): boolean {
    this.#sent.delete(request);
    if (this.#sent.size < this.#window) {
      this.#post(request);
      return true;
    }
    this.#queue.push(request);
    this.#timer ??= setTimeout(this.#onLimit, this.#limit);
    return false;
  }

  /** A try was answered: what is known of the peer. */
  answered({ sentAt, first }: Try): void {
    if (!first) return;
    const time = performance.now() - sentAt;
    if (this.#time < 0) {
      this.#time = time;
      this.#variation = time / 2;
    } else {
      this.#variation += (Math.abs(this.#time - time) - this.#variation) / 4;
      this.#time += (time - this.#time) / 8;
    }
  }

  /** A request is over, which makes room for another one. */
  leave(request: Try): void {
    this.#sent.delete(request);
    this.#pump();
  }

  /** Forgets those that wait for their turn. */
  drop(): void {
    this.#queue.clear();
  }

  get #limit(): number {
    if (this.#time < 0) return FIRST_LIMIT;
    return Math.max(LEAST_LIMIT, this.#time + 4 * this.#variation);
  }

  #post(request: Try): void {
    this.#sent.add(request);
    request.sentAt = performance.now();
    request.post();
  }

  readonly #onLimit = (): void => {
    this.#timer = undefined;
    const lost = performance.now() - this.#limit;
    for (const request of this.#sent) {
      if (request.sentAt > lost) break; // they are in the order in which they were sent
      this.#sent.delete(request);
    }
    this.#pump();
  };

  #pump(): void {
    while (this.#sent.size < this.#window) {
      const request = this.#queue.shift();
      if (request === undefined) break;
      if (request.open) this.#post(request);
    }
    if (this.#queue.length > 0) this.#timer ??= setTimeout(this.#onLimit, this.#limit);
    else {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
  }
}
