/** Bytes to send, and to be told from all others when they come back. */
import type { Pipe } from "@p2pd/pipes";
import { Random } from "../helpers/random.ts";

/** The bytes of all tapes: each begins somewhere else in them, and goes round. */
const LENGTH = 1_000_003;
/** The most that can be taken at once. */
const MOST = 256 * 1024;
const noise = (() => {
  const bytes = new Random(1).bytes(LENGTH + MOST);
  bytes.copyWithin(LENGTH, 0, MOST);
  return bytes;
})();

/** What one side of a connection sends, byte for byte, in its order. */
export class Tape {
  #sent: number;
  #heard: number;
  /** Bytes taken that have not come back. */
  missing = 0;

  /** @param start Where it begins. */
  constructor(start: number) {
    this.#sent = this.#heard = start % LENGTH;
  }

  /** The next bytes to send. */
  take(size: number): Uint8Array {
    const bytes = noise.subarray(this.#sent, this.#sent + size);
    this.#sent = (this.#sent + size) % LENGTH;
    this.missing += size;
    return bytes;
  }

  /** Throws unless these are the next ones that have to come back. */
  check(data: Uint8Array): void {
    if (data.length > this.missing) {
      throw new Error(`${data.length} bytes came back of ${this.missing} that were sent`);
    }
    const from = this.#heard;
    for (let i = 0; i < data.length; i++) {
      if (data[i] === noise[from + i]) continue;
      throw new Error(`byte ${i} of ${data.length} is not the one that was sent`);
    }
    this.#heard = (from + data.length) % LENGTH;
    this.missing -= data.length;
  }
}

/** Milliseconds that an answer may take on a busy machine. */
export const PATIENCE = { timeout: 30_000 };

/** Receives until nothing is missing. */
export async function hear(pipe: Pipe, tape: Tape): Promise<void> {
  while (tape.missing > 0) {
    const data = await pipe.recv(undefined, PATIENCE);
    if (data === null) throw new Error(`the end came ${tape.missing} bytes early`);
    tape.check(data);
  }
}
