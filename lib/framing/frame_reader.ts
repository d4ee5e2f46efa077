import { show } from "../net/show.ts";
import { ByteBuffer } from "./byte_buffer.ts";
import { tooLong, unfinished } from "./errors.ts";
import { type Frame, type Framing, MAX_FRAME, UNNAMED } from "./framing.ts";

/**
 * The receiving side of a framing on one connection: takes pieces of the stream and gives the messages
 * in it, whatever the pieces are. It holds the piece it was given last and at most twice the longest
 * frame.
 */
export class FrameReader {
  readonly #framing: Framing;
  readonly #max: number;
  readonly #buffer: ByteBuffer;
  /** How many of the bytes held are known to be no whole message. */
  #seen = 0;

  constructor(framing: Framing) {
    this.#framing = framing;
    this.#max = framing.maxFrame ?? MAX_FRAME;
    this.#buffer = new ByteBuffer(this.#max);
  }

  /** Bytes that came and were not part of a message that was given. */
  get size(): number {
    return this.#buffer.size;
  }

  /** Adds what was received. */
  push(piece: Uint8Array): void {
    this.#buffer.push(piece);
  }

  /**
   * The next message, or undefined if there is no whole one.
   *
   * @throws What the framing throws, or a {@linkcode PipeError} that names the maximum. Nothing can be
   * read any more then.
   */
  next(): Uint8Array | undefined {
    const buffer = this.#buffer;
    while (buffer.size > this.#seen) {
      const bytes = buffer.view;
      const frame = this.#framing.decode(bytes, this.#seen);
      if (frame === null) {
        if (bytes.length >= this.#max) throw this.#tooLong();
        this.#seen = bytes.length;
        buffer.settle();
        return undefined;
      }
      checkFrame(frame, bytes.length, this.#name);
      if (frame.size > this.#max) throw this.#tooLong();
      buffer.take(frame.size);
      this.#seen = 0;
      if (frame.message !== null) return frame.message;
    }
    return undefined;
  }

  /**
   * The stream has ended: what was the beginning of a message, if that is one.
   *
   * @throws What the framing throws, or a {@linkcode PipeError} that says that the message was not whole.
   */
  last(): Uint8Array | undefined {
    const { size, view } = this.#buffer;
    if (size === 0) return undefined;
    this.clear();
    if (this.#framing.decodeEnd === undefined) throw unfinished(this.#name, size);
    return this.#framing.decodeEnd(view) ?? undefined;
  }

  /** Forgets what it holds. */
  clear(): void {
    this.#buffer.clear();
    this.#seen = 0;
  }

  get #name(): string {
    return this.#framing.name ?? UNNAMED;
  }

  #tooLong(): Error {
    return tooLong(this.#max, this.#name);
  }
}

/** A framing of the caller's own may give anything; one that takes up nothing would never come to an end. */
function checkFrame(frame: Frame, available: number, name: string): void {
  if (typeof frame !== "object") {
    throw new TypeError(`${name}.decode: { message, size } or null is needed, got ${show(frame)}`);
  }
  const { message, size } = frame;
  if (!Number.isSafeInteger(size) || size < 1 || size > available) {
    throw new RangeError(
      `${name}.decode: size must be a whole number of 1 to ${available}, got ${show(size)}`,
    );
  }
  if (message !== null && !(message instanceof Uint8Array)) {
    throw new TypeError(`${name}.decode: message must be a Uint8Array or null`);
  }
}
