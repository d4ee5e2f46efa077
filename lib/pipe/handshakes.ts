import { PipeError } from "../errors.ts";
import type { Transport } from "../transport/transport.ts";
import { dismiss } from "./secure.ts";

/** What becomes of handshakes. */
export interface HandshakesOptions {
  /** Does one; must end, leaving the transport open, when the signal says so. */
  readonly run: (transport: Transport, signal: AbortSignal) => Promise<Transport>;
  /** One is done. */
  readonly done: (transport: Transport) => void;
  /** One came to nothing. */
  readonly failed: (error: unknown, transport: Transport) => void;
}

/**
 * The TLS handshakes of a server. They run side by side, so that no peer waits for another one, and
 * there are so many at most: one more pushes out the oldest, which is the likeliest to be a peer that
 * says nothing.
 */
export class Handshakes {
  readonly #options: HandshakesOptions;
  /** Oldest first. */
  readonly #running = new Map<AbortController, Promise<void>>();
  /** Pushed out, and not gone yet. */
  readonly #leaving = new Set<Promise<void>>();
  #closed = false;

  constructor(options: HandshakesOptions) {
    this.#options = options;
  }

  /**
   * Starts one.
   *
   * @param transport The connection, owned from here on.
   * @param limit How many there may be then.
   */
  add(transport: Transport, limit: number): void {
    if (this.#closed) return transport.abort();
    for (const [oldest, ended] of this.#running) {
      if (this.#running.size < limit) break;
      this.#running.delete(oldest);
      const gone = ended.then(() => void this.#leaving.delete(gone));
      this.#leaving.add(gone);
      oldest.abort(new PipeError("Too many handshakes were waiting for their peers"));
    }
    const control = new AbortController();
    this.#running.set(control, this.#run(transport, control));
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    this.#closed = true;
    const running = [...this.#running];
    for (const [control] of running) control.abort();
    await Promise.all([...running.map(([, ended]) => ended), ...this.#leaving]);
  }

  async #run(transport: Transport, control: AbortController): Promise<void> {
    const { signal } = control;
    try {
      const secured = await this.#options.run(transport, signal);
      this.#running.delete(control);
      // It may have been pushed out since it succeeded.
      if (signal.aborted) secured.abort();
      if (this.#closed) return;
      signal.throwIfAborted();
      this.#options.done(secured);
    } catch (error) {
      if (!this.#closed) this.#options.failed(error, transport);
      await dismiss(transport, signal);
      this.#running.delete(control);
    }
  }
}
