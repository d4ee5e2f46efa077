import { checkOptions, count } from "../pipe/checks.ts";
import { checkLength, malformed, tooLong } from "./errors.ts";
import { type Framing, type FramingOptions, MAX_FRAME } from "./framing.ts";

const NAME = "netstring()";
const ZERO = 48, NINE = 57, COLON = 58, COMMA = 44;

/**
 * Messages are netstrings (D. J. Bernstein, 1997): `5:hello,` is "hello". The length is decimal and has
 * no leading zero.
 *
 * What is no netstring, and a stream that ends within one, is an error.
 *
 * @param options `max`: most bytes of a message, 1 MiB by default.
 * @returns The framing, for `conf.framing`.
 * @throws {TypeError} When an option is of a wrong kind.
 * @throws {RangeError} When `max` is no number of bytes.
 *
 * @example
 * ```ts
 * import { netstring, pipeOpen, TCP } from "@p2pd/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * const conf = { framing: netstring() };
 * await using server = await pipeOpen(TCP, { route: "127.0.0.1:0", conf });
 * await using client = await pipeOpen(TCP, { dest: server.localAddr });
 * await client.send("5:hello,0:,");
 * assertEquals(await server.recv(), new TextEncoder().encode("hello"));
 * assertEquals(await server.recv(), new Uint8Array());
 * ```
 */
export function netstring(options: FramingOptions = {}): Framing {
  const { max = MAX_FRAME } = checkOptions(options, "max");
  count(1)(max, "max");
  const digits = String(max).length;
  return Object.freeze<Framing>({
    name: NAME,
    maxFrame: digits + 1 + max + 1,
    encode(data) {
      checkLength(data.length, max, NAME);
      const head = `${data.length}:`;
      const frame = new Uint8Array(head.length + data.length + 1);
      for (let i = 0; i < head.length; i++) frame[i] = head.charCodeAt(i);
      frame.set(data, head.length);
      frame[frame.length - 1] = COMMA;
      return frame;
    },
    decode(bytes) {
      let length = 0, colon = 0;
      for (; bytes[colon] !== COLON; colon++) {
        const digit = bytes[colon];
        if (digit === undefined) return null;
        const isDigit = digit >= ZERO && digit <= NINE;
        if (!isDigit || (colon > 0 && bytes[0] === ZERO)) throw noLength();
        length = length * 10 + digit - ZERO;
        if (length > max) throw tooLong(max, NAME);
      }
      if (colon === 0) throw noLength();
      const end = colon + 1 + length;
      if (bytes.length <= end) return null;
      if (bytes[end] !== COMMA) throw malformed(NAME, "a netstring that does not end with a comma");
      return { message: bytes.subarray(colon + 1, end), size: end + 1 };
    },
  });
}

function noLength(): Error {
  return malformed(NAME, "something else in place of a netstring's length");
}
