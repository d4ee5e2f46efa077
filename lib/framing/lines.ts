import { checkOptions, count } from "../pipe/checks.ts";
import { checkLength, tooLong } from "./errors.ts";
import type { Framing, FramingOptions } from "./framing.ts";

const LF = 10, CR = 13;
const NAME = "lines()";

/**
 * Messages are lines: what is before a line feed, without it and without a carriage return in front of
 * it. Sent with a line feed. Where CR LF and nothing else ends a line, take
 * {@linkcode delimiter}`("\r\n")`.
 *
 * A last line without its end is a message too. `send` refuses a message with a line feed in it, or with
 * a carriage return at its end, with a TypeError.
 *
 * @param options `max`: most bytes of a line, 65,536 by default.
 * @returns The framing, for `conf.framing`.
 * @throws {TypeError} When an option is of a wrong kind.
 * @throws {RangeError} When `max` is no number of bytes.
 *
 * @example
 * ```ts
 * import { lines, pipeOpen, TCP } from "@p2pd/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * const conf = { framing: lines() };
 * await using server = await pipeOpen(TCP, { route: "127.0.0.1:0", conf });
 * await using client = await pipeOpen(TCP, { dest: server.localAddr });
 * for (const part of ["HEL", "LO\nWOR", "LD\r\n"]) await client.send(part);
 * assertEquals(await server.recv(), new TextEncoder().encode("HELLO"));
 * assertEquals(await server.recv(), new TextEncoder().encode("WORLD"));
 * ```
 */
export function lines(options: FramingOptions = {}): Framing {
  return linesOf(options, 65536, NAME);
}

/** {@linkcode lines} under another name, for what is made of them. */
export function linesOf(options: FramingOptions, defaultMax: number, name: string): Framing {
  const { max = defaultMax } = checkOptions(options, "max");
  count(1)(max, "max");
  /** A line without its line feed. */
  const message = (line: Uint8Array) => {
    const end = line.at(-1) === CR ? line.length - 1 : line.length;
    if (end > max) throw tooLong(max, name);
    return line.subarray(0, end);
  };
  return Object.freeze<Framing>({
    name,
    maxFrame: max + 2,
    encode(data) {
      if (data.includes(LF) || data.at(-1) === CR) {
        throw new TypeError(`data: has an end of line in it, which ${name} cannot carry`);
      }
      checkLength(data.length, max, name);
      const frame = new Uint8Array(data.length + 1);
      frame.set(data);
      frame[data.length] = LF;
      return frame;
    },
    decode(bytes, seen) {
      const at = bytes.indexOf(LF, seen);
      if (at >= 0) return { message: message(bytes.subarray(0, at)), size: at + 1 };
      if (bytes.length > max + 1) throw tooLong(max, name);
      return null;
    },
    decodeEnd: message,
  });
}
