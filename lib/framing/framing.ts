/**
 * What a message is on a byte stream: the contract between a framing and the pipe that uses it.
 *
 * @module
 */

/** A whole message at the front of what was received. */
export interface Frame {
  /** The message, or null where there is none to hand up, as in a keep-alive. May be a view. */
  readonly message: Uint8Array | null;
  /** How many bytes it takes up, header and terminator included: 1 or more. */
  readonly size: number;
}

/**
 * Turns a byte stream into messages and messages into bytes, for `conf.framing`. It has no state of its
 * own, so that one framing serves any number of connections: what was received and is no whole message
 * yet is kept by each connection and shown again with what comes next.
 *
 * {@linkcode lines}, {@linkcode delimiter}, {@linkcode lengthPrefixed}, {@linkcode netstring} and
 * {@linkcode jsonLines} make the usual ones.
 *
 * @example One of your own: a type byte, a length byte, and as many bytes
 * ```ts
 * import { type Framing, pipeOpen, TCP } from "@p2pd/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * const framing: Framing = {
 *   maxFrame: 257,
 *   encode(message) {
 *     if (message.length > 255) throw new RangeError("data: at most 255 bytes fit");
 *     return new Uint8Array([7, message.length, ...message]);
 *   },
 *   decode(bytes) {
 *     const size = 2 + (bytes[1] ?? Infinity);
 *     if (bytes.length < size) return null;
 *     return { message: bytes.subarray(2, size), size };
 *   },
 * };
 * await using server = await pipeOpen(TCP, {
 *   route: "127.0.0.1:0",
 *   conf: { framing },
 *   msgCb: (msg, _from, pipe) => pipe.send(msg),
 * });
 * await using client = await pipeOpen(TCP, { dest: server.localAddr, conf: { framing } });
 * await Promise.all([client.send("one"), client.send("two")]);
 * assertEquals(await client.recv(), new TextEncoder().encode("one"));
 * assertEquals(await client.recv(), new TextEncoder().encode("two"));
 * ```
 */
export interface Framing {
  /** What errors call it. @default {"conf.framing"} */
  readonly name?: string | undefined;
  /**
   * Most bytes of a frame, header and terminator included. A peer that sends so many without a whole
   * frame, or a longer one, loses the connection; `send` refuses a longer one. @default {1048576}
   */
  readonly maxFrame?: number | undefined;
  /**
   * The frame of a message.
   *
   * @param message The message, which may be empty.
   * @returns The bytes to send, in memory of their own or of the message: they may wait for their turn.
   * @throws {TypeError} When it cannot be framed: nothing is sent, and the connection lives on.
   * @throws {RangeError} When it is too long: nothing is sent, and the connection lives on.
   */
  encode(message: Uint8Array): Uint8Array;
  /**
   * Looks for a whole message at the front. It must not depend on how many bytes follow the message: the
   * network may split and join what was sent anywhere.
   *
   * @param bytes What is there from the start of a message on, at least one byte. Not to be changed.
   * @param seen How many of them were there the last time, when they were no whole message: need not
   * be searched again.
   * @returns The message, or null when it is not whole yet.
   * @throws Whatever it likes when the bytes can be no message. That ends the connection: the error is
   * the `cause` of the {@linkcode PipeClosedError} that readers get.
   */
  decode(bytes: Uint8Array, seen: number): Frame | null;
  /**
   * What is to be done with the beginning of a message when the stream has ended in good order.
   * Without this method that is an error, and readers get it.
   *
   * @param rest The bytes, at least one.
   * @returns The last message, or null to forget the bytes.
   * @throws Whatever it likes when the stream must not end here.
   */
  decodeEnd?(rest: Uint8Array): Uint8Array | null;
}

/** Options of the framings of this library. */
export interface FramingOptions {
  /**
   * Most bytes of a message. A longer one is refused by `send` with a RangeError; a peer that sends
   * one loses the connection. What one connection may hold is about twice as much.
   */
  readonly max?: number | undefined;
}

/** The longest frame by default: 1 MiB. */
export const MAX_FRAME: number = 1024 * 1024;

/** What a framing of the caller's own is called. */
export const UNNAMED = "conf.framing";
