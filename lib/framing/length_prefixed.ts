import { show } from "../net/show.ts";
import { checkOptions, count } from "../pipe/checks.ts";
import { checkLength, malformed, tooLong } from "./errors.ts";
import { type Framing, type FramingOptions, MAX_FRAME } from "./framing.ts";

/** How a length is written. */
interface Prefix {
  /** The biggest length. */
  readonly most: number;
  /** How many bytes a length takes at most. */
  readonly size: number;
  write(length: number): readonly number[];
  /** The length and where the message begins; null if that is not there yet. */
  read(bytes: Uint8Array): { readonly length: number; readonly at: number } | null;
}

/**
 * Messages follow their length: in one, two or four bytes, the biggest first (network order), or as a
 * varint (LEB128, as in Protocol Buffers; at most five bytes). The length does not count itself.
 *
 * A stream that ends within a message is an error.
 *
 * @param prefix How the length is written: 1, 2 or 4 bytes, or "varint".
 * @param options `max`: most bytes of a message; 1 MiB by default, or as many as the length can say.
 * @returns The framing, for `conf.framing`.
 * @throws {TypeError} When an argument is of a wrong kind.
 * @throws {RangeError} When `max` is no number of bytes, or more than the length can say.
 *
 * @example
 * ```ts
 * import { lengthPrefixed, pipeOpen, TCP } from "@p2pd/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * const conf = { framing: lengthPrefixed(2) };
 * await using server = await pipeOpen(TCP, { route: "127.0.0.1:0", conf });
 * await using client = await pipeOpen(TCP, { dest: server.localAddr });
 * await client.send(new Uint8Array([0, 3, 1, 2, 3, 0, 0]));
 * assertEquals(await server.recv(), new Uint8Array([1, 2, 3]));
 * assertEquals(await server.recv(), new Uint8Array());
 * ```
 */
export function lengthPrefixed(
  prefix: 1 | 2 | 4 | "varint",
  options: FramingOptions = {},
): Framing {
  const { most, size, write, read } = prefixOf(prefix);
  const name = `lengthPrefixed(${show(prefix)})`;
  const { max = Math.min(MAX_FRAME, most) } = checkOptions(options, "max");
  count(1)(max, "max");
  if (max > most) {
    throw new RangeError(`max: ${name} can say lengths up to ${most}, got ${max}`);
  }
  return Object.freeze<Framing>({
    name,
    maxFrame: max + size,
    encode(data) {
      checkLength(data.length, max, name);
      const head = write(data.length);
      const frame = new Uint8Array(head.length + data.length);
      frame.set(head);
      frame.set(data, head.length);
      return frame;
    },
    decode(bytes) {
      const head = read(bytes);
      if (head === null) return null;
      const { length, at } = head;
      if (length > max) throw tooLong(max, name);
      const end = at + length;
      return bytes.length < end ? null : { message: bytes.subarray(at, end), size: end };
    },
  });
}

function prefixOf(prefix: unknown): Prefix {
  if (prefix === 1 || prefix === 2 || prefix === 4) return fixed(prefix);
  if (prefix === "varint") return varint;
  throw new TypeError(`prefix: 1, 2, 4 or "varint" is needed, got ${show(prefix)}`);
}

function fixed(size: number): Prefix {
  const scales = Array.from({ length: size }, (_, i) => 256 ** (size - 1 - i));
  return {
    most: 256 ** size - 1,
    size,
    write: (length) => scales.map((scale) => Math.floor(length / scale) % 256),
    read(bytes) {
      if (bytes.length < size) return null;
      let length = 0;
      for (let i = 0; i < size; i++) length = length * 256 + (bytes[i] ?? 0);
      return { length, at: size };
    },
  };
}

const VARINT_SIZE = 5;

const varint: Prefix = {
  most: 2 ** 32 - 1,
  size: VARINT_SIZE,
  write(length) {
    const bytes: number[] = [];
    for (let rest = length; bytes.length === 0 || rest > 0; rest = Math.floor(rest / 128)) {
      bytes.push(rest % 128 + (rest >= 128 ? 128 : 0));
    }
    return bytes;
  },
  read(bytes) {
    let length = 0;
    for (let i = 0; i < VARINT_SIZE; i++) {
      const byte = bytes[i];
      if (byte === undefined) return null;
      length += (byte & 127) * 128 ** i;
      if (byte < 128) return { length, at: i + 1 };
    }
    throw malformed('lengthPrefixed("varint")', `a length of more than ${VARINT_SIZE} bytes`);
  },
};
