import type { PipeStats } from "./types.ts";

/**
 * The counters behind {@linkcode PipeStats}; those of a connection count for its server too. Fields of one
 * object, which is touched with every message.
 */
export class Tally {
  // First what every message touches, so that it is close together.
  readonly #parent: Tally | undefined;
  #bytesIn = 0;
  #messagesIn = 0;
  #bytesOut = 0;
  #messagesOut = 0;
  #queued = 0;
  #dropped = 0;
  #duplicates = 0;
  #strangers = 0;
  #refused = 0;
  #tlsFailed = 0;
  #acceptErrors = 0;

  constructor(parent?: Tally) {
    this.#parent = parent;
  }

  /** A message came in. */
  received(bytes: number): void {
    this.#bytesIn += bytes;
    this.#messagesIn++;
    this.#parent?.received(bytes);
  }

  /** A message went out. */
  sent(bytes: number): void {
    this.#bytesOut += bytes;
    this.#messagesOut++;
    this.#parent?.sent(bytes);
  }

  /** So many messages more, or fewer, wait to be read. */
  queued(change: number): void {
    this.#queued += change;
    this.#parent?.queued(change);
  }

  /** A message was dropped unread. */
  dropped(): void {
    this.#dropped++;
    this.#parent?.dropped();
  }

  /** A message was dropped because it had come before. */
  duplicate(): void {
    this.#duplicates++;
    this.#parent?.duplicate();
  }

  /** A connection was turned away. */
  refused(): void {
    this.#refused++;
  }

  /** A connection's TLS handshake failed. */
  tlsFailed(): void {
    this.#tlsFailed++;
  }

  /** The system could not accept a connection. */
  acceptError(): void {
    this.#acceptErrors++;
  }

  /** Changes with every message, in or out. */
  get activity(): number {
    return this.#messagesIn + this.#messagesOut;
  }

  /** A message from a stranger was ignored. */
  stranger(): void {
    this.#strangers++;
  }

  /** The counters as of now. */
  snapshot(): PipeStats {
    return {
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      messagesIn: this.#messagesIn,
      messagesOut: this.#messagesOut,
      dropped: this.#dropped,
      duplicates: this.#duplicates,
      strangers: this.#strangers,
      refused: this.#refused,
      tlsFailed: this.#tlsFailed,
      acceptErrors: this.#acceptErrors,
      queued: this.#queued,
    };
  }
}
