/**
 * Attribute values that are made of parts: errors, flags and lists (RFC 8489, section 14).
 *
 * @module
 */
import {
  type AttributeType,
  checkNumber,
  readText,
  SHORT_TEXT,
  uint32,
  viewOf,
  writeText,
} from "./attribute.ts";
import { malformed } from "./error.ts";

/** What ERROR-CODE says. */
export interface StunErrorCode {
  /** 300 to 699. */
  readonly code: number;
  /** For humans. */
  readonly reason: string;
}

/** A way to derive a key from a password (RFC 8489, section 18.5). */
export interface PasswordAlgorithm {
  /** 1 for MD5, 2 for SHA-256. */
  readonly algorithm: number;
  /** Its parameters; those two have none. */
  readonly parameters: Uint8Array;
}

/** Attribute types, 16 bits each (section 14.9). */
export function typeList(type: number, name: string): AttributeType<readonly number[]> {
  return {
    type,
    name,
    encode(value) {
      const out = new Uint8Array(2 * value.length);
      for (const [i, one] of value.entries()) {
        viewOf(out).setUint16(2 * i, checkNumber(one, `${name}[${i}]`, 0, 65535));
      }
      return out;
    },
    decode(value) {
      if (value.length % 2 !== 0) throw malformed(`${name} has an odd number of bytes`);
      return Array.from({ length: value.length / 2 }, (_, i) => viewOf(value).getUint16(2 * i));
    },
  };
}

/** An error (section 14.8). */
export function errorCode(type: number, name: string): AttributeType<StunErrorCode> {
  return {
    type,
    name,
    encode({ code, reason }) {
      checkNumber(code, `${name}.code`, 300, 699);
      const phrase = writeText(`${name}.reason`, reason, SHORT_TEXT.write);
      return new Uint8Array([0, 0, Math.floor(code / 100), code % 100, ...phrase]);
    },
    decode(value) {
      if (value.length < 4) throw malformed(`${name} has ${value.length} bytes`);
      const hundreds = (value[2] ?? 0) & 7, rest = value[3] ?? 0;
      if (hundreds < 3 || hundreds > 6 || rest > 99) throw malformed(`${name} is no error code`);
      const reason = readText(name, value.subarray(4), SHORT_TEXT.read);
      return { code: 100 * hundreds + rest, reason };
    },
  };
}

/** What a request asks the server to change (RFC 5780, section 7.2). */
export interface StunChange {
  /** Answer from the other address. */
  readonly ip: boolean;
  /** Answer from the other port. */
  readonly port: boolean;
}

/** Two flags of a number. */
export function change(type: number, name: string): AttributeType<StunChange> {
  const number = uint32(type, name);
  return {
    type,
    name,
    encode: ({ ip, port }, mask) => number.encode((ip ? 4 : 0) | (port ? 2 : 0), mask),
    decode(value, mask) {
      const flags = number.decode(value, mask);
      return { ip: (flags & 4) !== 0, port: (flags & 2) !== 0 };
    },
  };
}

/** One password algorithm after the other (section 14.11). */
export function algorithmList(
  type: number,
  name: string,
): AttributeType<readonly PasswordAlgorithm[]> {
  return {
    type,
    name,
    encode(value) {
      const parts = value.flatMap(({ algorithm, parameters }, i) => {
        checkNumber(algorithm, `${name}[${i}].algorithm`, 0, 65535);
        const size = checkNumber(parameters.length, `${name}[${i}].parameters.length`, 0, 65_527);
        const padding = new Uint8Array(-size & 3);
        return [algorithm >> 8, algorithm & 255, size >> 8, size & 255, ...parameters, ...padding];
      });
      return new Uint8Array(parts);
    },
    decode(value) {
      const list: PasswordAlgorithm[] = [];
      for (let at = 0; at < value.length;) {
        if (value.length - at < 4) throw malformed(`${name} ends within an entry`);
        const algorithm = viewOf(value).getUint16(at), size = viewOf(value).getUint16(at + 2);
        const next = at + 4 + size + (-size & 3);
        if (next > value.length) throw malformed(`${name} ends within an entry`);
        list.push({ algorithm, parameters: value.slice(at + 4, at + 4 + size) });
        at = next;
      }
      return list;
    },
  };
}

/** One password algorithm (section 14.12). */
export function algorithm(type: number, name: string): AttributeType<PasswordAlgorithm> {
  const list = algorithmList(type, name);
  return {
    type,
    name,
    encode: (value, mask) => list.encode([value], mask),
    decode(value, mask) {
      const [first, ...more] = list.decode(value, mask);
      if (first === undefined || more.length > 0) throw malformed(`${name} is not one algorithm`);
      return first;
    },
  };
}
