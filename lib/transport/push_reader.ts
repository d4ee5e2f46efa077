import type { NetAddr } from "../pipe/types.ts";
import { busyWith, type TransportError } from "./error.ts";
import type { Sink } from "./transport.ts";

interface Pull {
  readonly sink: Sink;
  readonly resolve: (how: "paused" | "end") => void;
  readonly reject: (error: unknown) => void;
}

/** The `pull` of a transport to which the platform pushes what it received. */
export class PushReader {
  #pull: Pull | undefined;

  /** Whether a pull is in progress. */
  get reading(): boolean {
    return this.#pull !== undefined;
  }

  /** Starts a pull. */
  start(sink: Sink): Promise<"paused" | "end"> {
    if (this.#pull !== undefined) return Promise.reject(busyWith("read"));
    return new Promise((resolve, reject) => this.#pull = { sink, resolve, reject });
  }

  /** Hands over to the pull in progress; false if there is none any more. */
  push(data: Uint8Array, from: NetAddr): boolean {
    const pull = this.#pull;
    if (pull === undefined) return false;
    try {
      if (pull.sink(data, from)) return this.#pull === pull;
      if (this.#pull === pull) this.#take()?.resolve("paused");
    } catch (error) {
      if (this.#pull === pull) this.#take()?.reject(error);
      else throw error;
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

  #take(): Pull | undefined {
    const pull = this.#pull;
    this.#pull = undefined;
    return pull;
  }
}
