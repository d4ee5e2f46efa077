import type { NetAddr } from "../pipe/types.ts";
import { busyWith, type TransportError } from "./error.ts";
import type { Sink } from "./transport.ts";

/** How a pull ends. */
interface Settle {
  readonly resolve: (how: "paused" | "end") => void;
  readonly reject: (error: unknown) => void;
}

/** The `pull` of a transport to which the platform pushes what it received. */
export class PushReader {
  /** Of the pull in progress; beside what is only needed at its end, since every message looks at it. */
  #sink: Sink | undefined;
  #settle: Settle | undefined;

  /** Whether a pull is in progress. */
  get reading(): boolean {
    return this.#sink !== undefined;
  }

  /** Starts a pull. */
  start(sink: Sink): Promise<"paused" | "end"> {
    if (this.#sink !== undefined) return Promise.reject(busyWith("read"));
    this.#sink = sink;
    return new Promise((resolve, reject) => this.#settle = { resolve, reject });
  }

  /** Hands over to the pull in progress; false if there is none any more. */
  push(data: Uint8Array, from: NetAddr): boolean {
    const sink = this.#sink;
    if (sink === undefined) return false;
    const settle = this.#settle;
    try {
      if (sink(data, from)) return this.reading;
      // Another pull may have begun meanwhile.
      if (this.#settle === settle) this.pause();
    } catch (error) {
      if (this.#settle !== settle) throw error;
      this.#take()?.reject(error);
    }
    return this.reading;
  }

  /** Stops the pull in progress, if any. */
  pause(): void {
    this.#take()?.resolve("paused");
  }

  /** Ends the pull in progress, if any. */
  end(): void {
    this.#take()?.resolve("end");
  }

  /** Fails the pull in progress, if any. */
  fail(error: TransportError): void {
    this.#take()?.reject(error);
  }

  #take(): Settle | undefined {
    const settle = this.#settle;
    this.#sink = this.#settle = undefined;
    return settle;
  }
}
