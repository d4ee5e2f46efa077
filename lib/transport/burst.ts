// Deno 2.9 runs the next ticks of node only in a process that has loaded this; without them, and with a
// look-up of its own, a socket never says that it was closed.
import process from "node:process";
import type { WriteQueue } from "./write_queue.ts";

/** How long answers wait for a burst to end. Milliseconds. */
const LONGEST = 5;

/**
 * Holds back what is sent while datagrams come in one after the other, until no more come: a send between
 * two of them wakes its receiver for one answer, and may cost as much again as the datagram itself.
 *
 * Of node:dgram only, which hands over all that has come (up to 129) before it runs the next ticks.
 */
export class Burst {
  readonly #writes: WriteQueue;
  #going = false;
  #began = 0;

  constructor(writes: WriteQueue) {
    this.#writes = writes;
  }

  /** A datagram has come. */
  note(): void {
    if (!this.#going) {
      this.#going = true;
      this.#began = performance.now();
      this.#writes.hold();
      process.nextTick(this.#end);
    } else if (performance.now() - this.#began > LONGEST) {
      this.#writes.release();
    }
  }

  readonly #end = (): void => {
    this.#going = false;
    this.#writes.release();
  };
}
