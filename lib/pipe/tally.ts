import type { PipeStats } from "./types.ts";

/** The counters behind {@linkcode PipeStats}; those of a connection count for its server too. */
export class Tally {
  readonly #counts: { -readonly [K in keyof PipeStats]: number } = {
    bytesIn: 0,
    bytesOut: 0,
    messagesIn: 0,
    messagesOut: 0,
    dropped: 0,
    duplicates: 0,
    strangers: 0,
    refused: 0,
    tlsFailed: 0,
    acceptErrors: 0,
    queued: 0,
  };
  readonly #parent: Tally | undefined;

  constructor(parent?: Tally) {
    this.#parent = parent;
  }

  /** A message came in. */
  received(bytes: number): void {
    this.#counts.bytesIn += bytes;
    this.#counts.messagesIn++;
    this.#parent?.received(bytes);
  }

  /** A message went out. */
  sent(bytes: number): void {
    this.#counts.bytesOut += bytes;
    this.#counts.messagesOut++;
    this.#parent?.sent(bytes);
  }

  /** So many messages more, or fewer, wait to be read. */
  queued(change: number): void {
    this.#counts.queued += change;
    this.#parent?.queued(change);
  }

  /** A message was dropped unread. */
  dropped(): void {
    this.#counts.dropped++;
    this.#parent?.dropped();
  }

  /** A message was dropped because it had come before. */
  duplicate(): void {
    this.#counts.duplicates++;
    this.#parent?.duplicate();
  }

  /** A connection was turned away. */
  refused(): void {
    this.#counts.refused++;
  }

  /** A connection's TLS handshake failed. */
  tlsFailed(): void {
    this.#counts.tlsFailed++;
  }

  /** The system could not accept a connection. */
  acceptError(): void {
    this.#counts.acceptErrors++;
  }

  /** Changes with every message, in or out. */
  get activity(): number {
    return this.#counts.messagesIn + this.#counts.messagesOut;
  }

  /** A message from a stranger was ignored. */
  stranger(): void {
    this.#counts.strangers++;
  }

  /** The counters as of now. */
  snapshot(): PipeStats {
    return { ...this.#counts };
  }
}
