import { malformed } from "./errors.ts";
import type { Framing, FramingOptions } from "./framing.ts";
import { linesOf } from "./lines.ts";

const NAME = "jsonLines()";
const LF = 10, CR = 13, SPACE = 32;
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Messages are JSON texts (RFC 8259), one in each line, as in NDJSON and JSON Lines.
 *
 * Whoever receives one can rely on it: a line that is no JSON ends the connection, and `send` refuses
 * what is none with a TypeError. A text of several lines is sent as one line. Empty lines are passed
 * over. Whether a text is JSON is found out by parsing it, which is done once more by whoever wants its
 * value.
 *
 * @param options `max`: most bytes of a text, 1 MiB by default.
 * @returns The framing, for `conf.framing`.
 * @throws {TypeError} When an option is of a wrong kind.
 * @throws {RangeError} When `max` is no number of bytes.
 *
 * @example
 * ```ts
 * import { jsonLines, pipeOpen, TCP } from "@p2pd/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * const conf = { framing: jsonLines() };
 * const json = (msg: Uint8Array) => JSON.parse(new TextDecoder().decode(msg));
 * await using server = await pipeOpen(TCP, {
 *   route: "127.0.0.1:0",
 *   conf,
 *   msgCb: (msg, _from, pipe) => pipe.send(JSON.stringify({ sum: json(msg).a + json(msg).b })),
 * });
 * await using client = await pipeOpen(TCP, { dest: server.localAddr, conf });
 * const [reply] = await client.request(JSON.stringify({ a: 2, b: 3 }));
 * assertEquals(json(reply), { sum: 5 });
 * ```
 */
export function jsonLines(options: FramingOptions = {}): Framing {
  const lines = linesOf(options, 1024 * 1024, NAME);
  return Object.freeze<Framing>({
    ...lines,
    encode(data) {
      if (!isJson(data)) throw new TypeError("data: is no JSON text in UTF-8 (RFC 8259)");
      return lines.encode(oneLine(data));
    },
    decode(bytes, seen) {
      const frame = lines.decode(bytes, seen);
      if (frame === null || frame.message === null) return frame;
      return { message: message(frame.message), size: frame.size };
    },
    decodeEnd: (rest) => message(lines.decodeEnd?.(rest) ?? rest),
  });
}

/** The message of a line; null where that is empty. */
function message(line: Uint8Array): Uint8Array | null {
  if (isJson(line)) return line;
  if (line.every(isSpace)) return null;
  throw malformed(NAME, "a line that is no JSON text in UTF-8 (RFC 8259)");
}

/** What the parser has to say about it would show some of it. */
function isJson(data: Uint8Array): boolean {
  try {
    JSON.parse(decoder.decode(data));
    return true;
  } catch {
    return false;
  }
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === 9 || byte === CR || byte === LF;
}

/** Outside of a string the end of a line is nothing but space, and inside there is none. */
function oneLine(data: Uint8Array): Uint8Array {
  if (!data.includes(LF) && !data.includes(CR)) return data;
  return data.map((byte) => byte === LF || byte === CR ? SPACE : byte);
}
