/**
 * Kinds of values that STUN attributes have (RFC 8489, section 14), each read and written strictly.
 *
 * @module
 */
import { formatIp, ipFromBytes, ipToBytes, parseIp } from "../net/ip.ts";
import { show } from "../net/show.ts";
import { malformed } from "./error.ts";

/** A type of attribute: its number, its name, and what its value means. */
export interface AttributeType<T> {
  /** The number; up to 0x7fff a receiver must understand it, above it may ignore it. */
  readonly type: number;
  /** The name in the RFC. */
  readonly name: string;
  /**
   * The bytes of a value, without padding.
   *
   * @param value The value.
   * @param mask The 16 bytes of magic cookie and transaction id, which mask addresses.
   * @returns The bytes.
   * @throws {TypeError} If the value is of a wrong kind.
   * @throws {RangeError} If it does not fit.
   */
  encode(value: T, mask: Uint8Array): Uint8Array;
  /**
   * The value of bytes.
   *
   * @param bytes The bytes, without padding.
   * @param mask As above.
   * @returns The value.
   * @throws {StunError} Of fault "malformed", if the bytes are none.
   */
  decode(bytes: Uint8Array, mask: Uint8Array): T;
}

/** An IP address and port, as attributes carry them. */
export interface StunAddress {
  /** The address in canonical text. */
  readonly hostname: string;
  /** The port, 0 to 65535. */
  readonly port: number;
}

/** Big-endian access to bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function needLength(name: string, bytes: Uint8Array, ...lengths: readonly number[]): void {
  if (lengths.includes(bytes.length)) return;
  throw malformed(`${name} has ${bytes.length} bytes instead of ${lengths.join(" or ")}`);
}

/** A whole number in an attribute. */
export function checkNumber(value: unknown, what: string, least: number, most: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) {
    return value;
  }
  throw new RangeError(
    `${what}: must be a whole number of ${least} to ${most}, got ${show(value)}`,
  );
}

function xor(bytes: Uint8Array, mask: Uint8Array): Uint8Array {
  return bytes.map((byte, i) => byte ^ (mask[i] ?? 0));
}

/** An address (section 14.1); masked as section 14.2 says where `masked`. */
export function address(type: number, name: string, masked = false): AttributeType<StunAddress> {
  return {
    type,
    name,
    encode({ hostname, port }, mask) {
      const ip = typeof hostname === "string" ? parseIp(hostname) : undefined;
      if (ip === undefined) {
        throw new TypeError(`${name}.hostname: an IP address is needed, got ${show(hostname)}`);
      }
      checkNumber(port, `${name}.port`, 0, 65535);
      const plain = ipToBytes(ip);
      const bytes = new Uint8Array(4 + plain.length);
      bytes[1] = plain.length === 4 ? 1 : 2;
      viewOf(bytes).setUint16(2, masked ? port ^ viewOf(mask).getUint16(0) : port);
      bytes.set(masked ? xor(plain, mask) : plain, 4);
      return bytes;
    },
    decode(bytes, mask) {
      const family = bytes[1];
      if (family !== 1 && family !== 2) throw malformed(`${name} is of no known address family`);
      needLength(name, bytes, family === 1 ? 8 : 20);
      const port = viewOf(bytes).getUint16(2), rest = bytes.subarray(4);
      return {
        hostname: formatIp(ipFromBytes(masked ? xor(rest, mask) : rest)),
        port: masked ? port ^ viewOf(mask).getUint16(0) : port,
      };
    },
  };
}

/** How long a text may be. */
interface TextLimits {
  /** Bytes that are read. */
  readonly read: number;
  /** Bytes that are written. */
  readonly write: number;
}

/** "Fewer than 128 characters": as many bytes as that may be to write and, mistaken, to read. */
export const SHORT_TEXT: TextLimits = { read: 763, write: 509 };

const encoder = new TextEncoder();
// Nothing is swallowed: what is no UTF-8 is an error, and a byte order mark is a character.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text of so many bytes at most. */
export function readText(name: string, bytes: Uint8Array, limit: number): string {
  if (bytes.length > limit) throw malformed(`${name} has more than ${limit} bytes`);
  try {
    return decoder.decode(bytes);
  } catch {
    throw malformed(`${name} is not UTF-8`);
  }
}

/** The bytes of text. */
export function writeText(name: string, value: unknown, limit: number): Uint8Array {
  if (typeof value !== "string") {
    throw new TypeError(`${name}: a text is needed, got ${show(value)}`);
  }
  const bytes = encoder.encode(value);
  if (bytes.length > limit) {
    throw new RangeError(`${name}: must not be longer than ${limit} bytes, got ${show(value)}`);
  }
  return bytes;
}

/** Text in UTF-8. */
export function text(
  type: number,
  name: string,
  { read, write }: TextLimits = SHORT_TEXT,
): AttributeType<string> {
  return {
    type,
    name,
    encode: (value) => writeText(name, value, write),
    decode: (bytes) => readText(name, bytes, read),
  };
}

/** Bytes of a length between two limits, in steps. */
export function bytes(
  type: number,
  name: string,
  { least = 0, most = 65_531, step = 1 } = {},
): AttributeType<Uint8Array> {
  const fits = (length: number) => length >= least && length <= most && length % step === 0;
  return {
    type,
    name,
    encode(value) {
      if (!(value instanceof Uint8Array)) {
        throw new TypeError(`${name}: a Uint8Array is needed, got ${show(value)}`);
      }
      if (fits(value.length)) return value.slice();
      throw new RangeError(`${name}: must have ${least} to ${most} bytes, got ${value.length}`);
    },
    decode(value) {
      if (fits(value.length)) return value.slice();
      throw malformed(`${name} has ${value.length} bytes`);
    },
  };
}

/** A number of 32 bits. */
export function uint32(type: number, name: string): AttributeType<number> {
  return {
    type,
    name,
    encode(value) {
      const out = new Uint8Array(4);
      viewOf(out).setUint32(0, checkNumber(value, name, 0, 0xffff_ffff));
      return out;
    },
    decode(value) {
      needLength(name, value, 4);
      return viewOf(value).getUint32(0);
    },
  };
}

/** A port and two bytes of nothing (RFC 5780, section 7.5), which some leave to the padding. */
export function port(type: number, name: string): AttributeType<number> {
  return {
    type,
    name,
    encode(value) {
      const out = new Uint8Array(4);
      viewOf(out).setUint16(0, checkNumber(value, name, 0, 65535));
      return out;
    },
    decode(value) {
      needLength(name, value, 2, 4);
      return viewOf(value).getUint16(0);
    },
  };
}
