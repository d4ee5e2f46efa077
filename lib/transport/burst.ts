// Deno 2.9 runs the next ticks of node only in a process that has loaded this; without them, and with a
// look-up of its own, a socket never says that it was closed.
import process from "node:process";
import type { WriteQueue } from "./write_queue.ts";

/** How long answers wait for a burst to end. Milliseconds. */
const LONGEST = 5;

/**
 * Holds back what is sent while datagrams come in one after the other, until no more come: a send between
 * two of them wakes its receiver for one answer, and may cost as much again as the datagram itself. The
 * first one is answered at once: it may be the only one.
 *
 * Of node:dgram only, which hands over all that has come (up to 129) before it runs the next ticks.
 */
export class Burst {
  readonly #writes: Pick<WriteQueue, "hold" | "release">;
  readonly #now: () => number;
  #state: "none" | "first" | "more" = "none";
  /** When the second datagram came. */
  #since = 0;

  constructor(
    writes: Pick<WriteQueue, "hold" | "release">,
    now: () => number = () => performance.now(),
  ) {
    this.#writes = writes;
    this.#now = now;
  }

  /** A datagram has come. */
  note(): void {
    if (this.#state === "none") {
      this.#state = "first";
      process.nextTick(this.#end);
    } else if (this.#state === "first") {
      this.#state = "more";
      this.#since = this.#now();
      this.#writes.hold();
    } else if (this.#now() - this.#since > LONGEST) {
      this.#writes.release();
    }
  }

  readonly #end = (): void => {
    if (this.#state === "more") this.#writes.release();
    this.#state = "none";
  };
}
