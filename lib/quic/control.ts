/**
 * What two sides of this library tell each other beside their streams, where they have agreed to by ALPN
 * (see `alpn.ts`): Deno's QUIC does not tell when data has arrived and cannot reset a stream. `README.md`
 * has the bytes.
 *
 * @module
 */

/** What a record says, and what its number is. */
export const Say = {
  /** Nothing more comes from me: tell me when you have all of it. How many streams I have ended. */
  finish: 1,
  /** I have all of it. The number of the question. */
  done: 2,
  /** What I sent on this stream is not to be taken for complete. Its id. */
  cut: 3,
  /** I have stopped reading this stream. Its id. */
  cutSeen: 4,
} as const;

const SIZE = 9;

/** Records that may wait for the peer to read; it has no use for so many. */
const MOST_WAITING = 1000;

/** Records on a stream of their own, one for each direction, opened by the first record. */
export class Control {
  readonly #conn: Deno.QuicConn;
  readonly #listener: (what: number, value: bigint) => void;
  #waiting = 0;
  #writer: Promise<WritableStreamDefaultWriter<Uint8Array>> | undefined;
  /** Over when the connection is. */
  readonly ended: Promise<void>;

  /** @param listener Gets what the peer says. */
  constructor(conn: Deno.QuicConn, listener: (what: number, value: bigint) => void) {
    this.#conn = conn;
    this.#listener = listener;
    this.ended = this.#listen().catch(() => {});
  }

  /** Says something; what a connection that ends loses of it is of no use any more. */
  say(what: number, value: bigint): void {
    if (this.#waiting >= MOST_WAITING) return;
    this.#waiting++;
    const record = new Uint8Array(SIZE);
    record[0] = what;
    new DataView(record.buffer).setBigUint64(1, value);
    this.#writer ??= this.#open();
    this.#writer.then((writer) => writer.write(record)).then(() => this.#waiting--, () => {});
  }

  async #open(): Promise<WritableStreamDefaultWriter<Uint8Array>> {
    // Before the bulk of the other streams.
    const stream = await this.#conn.createUnidirectionalStream({ sendOrder: 1 });
    const writer = stream.getWriter();
    writer.closed.catch(() => {});
    writer.ready.catch(() => {});
    return writer;
  }

  async #listen(): Promise<void> {
    const streams = this.#conn.incomingUnidirectionalStreams.getReader();
    streams.closed.catch(() => {});
    const { value: stream } = await streams.read();
    if (stream === undefined) return;
    const reader = stream.getReader({ mode: "byob" });
    reader.closed.catch(() => {});
    for (let buffer = new ArrayBuffer(SIZE);;) {
      const { value, done } = await reader.read(new Uint8Array(buffer), { min: SIZE });
      if (done || value.length < SIZE) return;
      const [what = 0] = value;
      this.#listener(what, new DataView(value.buffer).getBigUint64(1));
      buffer = value.buffer;
    }
  }
}
