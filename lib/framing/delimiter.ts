import { toBytes } from "../pipe/bytes.ts";
import { checkOptions, count } from "../pipe/checks.ts";
import { finder } from "../pipe/find_bytes.ts";
import { checkLength, tooLong } from "./errors.ts";
import type { Framing, FramingOptions } from "./framing.ts";

const NAME = "delimiter()";

/**
 * Messages are what is before each of these bytes, without them.
 *
 * A stream must end with the delimiter, or the beginning of a message is left, which is an error. `send`
 * refuses a message in which, or at the end of which, the delimiter would be found too early, with a
 * TypeError.
 *
 * @param bytes What ends a message: bytes, or text as UTF-8; at least one byte.
 * @param options `max`: most bytes of a message, 65,536 by default.
 * @returns The framing, for `conf.framing`.
 * @throws {TypeError} When an argument is of a wrong kind.
 * @throws {RangeError} When there is no delimiter, or `max` is no number of bytes.
 *
 * @example
 * ```ts
 * import { delimiter, pipeOpen, TCP } from "@p2pd/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await pipeOpen(TCP, {
 *   route: "127.0.0.1:0",
 *   conf: { framing: delimiter("\r\n") },
 * });
 * await using client = await pipeOpen(TCP, { dest: server.localAddr });
 * await client.send("one\r\ntw");
 * await client.send("o\r\n");
 * assertEquals(await server.recv(), new TextEncoder().encode("one"));
 * assertEquals(await server.recv(), new TextEncoder().encode("two"));
 * ```
 */
export function delimiter(bytes: Uint8Array | string, options: FramingOptions = {}): Framing {
  // A copy: the caller may go on using the array.
  const mark = new Uint8Array(toBytes(bytes, "bytes"));
  if (mark.length === 0) throw new RangeError("bytes: at least one byte must end a message");
  const { max = 65536 } = checkOptions(options, "max");
  count(1)(max, "max");
  const find = finder(mark);
  return Object.freeze<Framing>({
    name: NAME,
    maxFrame: max + mark.length,
    encode(data) {
      checkLength(data.length, max, NAME);
      const frame = new Uint8Array(data.length + mark.length);
      frame.set(data);
      frame.set(mark, data.length);
      if (find(frame) < data.length) {
        throw new TypeError(`data: has the delimiter in it, which ${NAME} cannot carry`);
      }
      return frame;
    },
    decode(received, seen) {
      const at = find(received, Math.max(0, seen - mark.length + 1));
      if (at > max || (at < 0 && received.length >= max + mark.length)) throw tooLong(max, NAME);
      return at < 0 ? null : { message: received.subarray(0, at), size: at + mark.length };
    },
  });
}
