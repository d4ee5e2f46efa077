import { Ring } from "../pipe/ring.ts";
import { busyWith } from "./error.ts";
import type { Transport } from "./transport.ts";

/** The `accept` of an acceptor to which the platform pushes connections. */
export class AcceptQueue {
  readonly #waiting = new Ring<Transport>();
  readonly #limit: number;
  #accepting: ((transport: Transport | null) => void) | undefined;
  #closed = false;

  /** @param limit Connections that may wait. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether one connection more has to be turned away. */
  get full(): boolean {
    return this.#closed || this.#waiting.length >= this.#limit;
  }

  /** The next connection, or null when closed. */
  accept(): Promise<Transport | null> {
    if (this.#accepting !== undefined) return Promise.reject(busyWith("accept"));
    const next = this.#waiting.shift();
    if (next !== undefined || this.#closed) return Promise.resolve(next ?? null);
    return new Promise((resolve) => this.#accepting = resolve);
  }

  /** A connection came in. */
  push(transport: Transport): void {
    const accepting = this.#accepting;
    this.#accepting = undefined;
    if (accepting === undefined) this.#waiting.push(transport);
    else accepting(transport);
  }

  /** Resets what waits, and ends an accept in progress. */
  close(): void {
    this.#closed = true;
    for (let left; (left = this.#waiting.shift()) !== undefined;) left.abort();
    this.#accepting?.(null);
    this.#accepting = undefined;
  }
}
