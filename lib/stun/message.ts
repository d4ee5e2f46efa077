import { show } from "../net/show.ts";
import { type AttributeType, viewOf } from "./attribute.ts";
import { attributeOf, ATTRIBUTES } from "./attributes.ts";
import { crc32 } from "./crc32.ts";
import { malformed } from "./error.ts";

/** What a message is (RFC 8489, section 5). */
export type StunClass = "request" | "indication" | "success" | "error";

/** An attribute as it is in the message. */
export interface RawAttribute {
  /** Its number. */
  readonly type: number;
  /** The bytes of its value. */
  readonly value: Uint8Array;
  /** The 0 to 3 bytes after it, which mean nothing. */
  readonly padding: Uint8Array;
}

/** What a {@linkcode StunMessage} is made of. */
export interface StunMessageOptions {
  /** What it is. */
  readonly class: StunClass;
  /** The method, 0 to 0xfff. @default {1, Binding} */
  readonly method?: number | undefined;
  /** 12 bytes, or the 16 of a message of RFC 3489, which has no magic cookie. @default {random} */
  readonly transactionId?: Uint8Array | undefined;
  /** The attributes, as bytes. @default {[]} */
  readonly attributes?: readonly RawAttribute[] | undefined;
}

/** How {@linkcode StunMessage.decode} reads. */
export interface DecodeOptions {
  /** Also takes messages of RFC 3489, which have no magic cookie. @default {false} */
  readonly classic?: boolean | undefined;
}

const CLASSES: readonly StunClass[] = ["request", "indication", "success", "error"];
const COOKIE = new Uint8Array([0x21, 0x12, 0xa4, 0x42]);
const HEADER = 20, MAX_LENGTH = 0xfffc, BINDING = 1;
const FINGERPRINT_XOR = 0x5354554e;
const INTEGRITY = ATTRIBUTES.messageIntegrity.type;
const INTEGRITY_SHA256 = ATTRIBUTES.messageIntegritySha256.type;
const FINGERPRINT = ATTRIBUTES.fingerprint.type;

function startsWithCookie(bytes: Uint8Array): boolean {
  return COOKIE.every((byte, i) => bytes[i] === byte);
}

/** The attributes that count: after an integrity check only the next one, and the fingerprint. */
function countedOf(attributes: readonly RawAttribute[]): RawAttribute[] {
  let signed = 0;
  return attributes.filter(({ type }) => {
    const rank = type === INTEGRITY ? 1 : type === INTEGRITY_SHA256 ? 2 : 0;
    if (type === FINGERPRINT) return true;
    if (rank <= signed && signed > 0) return false;
    signed = Math.max(signed, rank);
    return true;
  });
}

/**
 * A STUN message (RFC 8489, section 5). It never changes; `with…` give new ones. Pure: no socket and no
 * clock.
 *
 * @example
 * ```ts
 * import { ATTRIBUTES, StunMessage } from "@p2pd/pipes/stun";
 * import { assertEquals } from "@std/assert";
 *
 * const request = new StunMessage({ class: "request" }).with(ATTRIBUTES.software, "example");
 * const bytes = request.withFingerprint().encode();
 *
 * const read = StunMessage.decode(bytes);
 * assertEquals(read.get(ATTRIBUTES.software), "example");
 * assertEquals(read.encode(), bytes);
 * ```
 */
export class StunMessage {
  /** What it is. */
  readonly class: StunClass;
  /** The method; 1 is Binding, the only one that RFC 8489 has. */
  readonly method: number;
  /** 12 bytes, or the 16 of a message of RFC 3489. Not to be changed, as all bytes here. */
  readonly transactionId: Uint8Array;
  /** All attributes in their order, those included that do not count. */
  readonly attributes: readonly RawAttribute[];
  readonly #counted: readonly RawAttribute[];

  /**
   * Makes a message.
   *
   * @param options Class, method, transaction id and attributes.
   * @throws {TypeError} If the class or the id is none.
   * @throws {RangeError} If the method is out of range.
   */
  constructor(options: StunMessageOptions) {
    const { method = BINDING, transactionId = crypto.getRandomValues(new Uint8Array(12)) } =
      options;
    if (!CLASSES.includes(options.class)) {
      throw new TypeError(`class: one of ${CLASSES.join(", ")}, got ${show(options.class)}`);
    }
    if (!Number.isInteger(method) || method < 0 || method > 0xfff) {
      throw new RangeError(`method: must be a whole number of 0 to 4095, got ${show(method)}`);
    }
    const { length } = transactionId;
    if (length !== 12 && length !== 16) {
      throw new TypeError(`transactionId: 12 or 16 bytes are needed, got ${length}`);
    }
    this.class = options.class;
    this.method = method;
    this.transactionId = transactionId;
    this.attributes = Object.freeze([...options.attributes ?? []]);
    this.#counted = countedOf(this.attributes);
    Object.freeze(this);
  }

  /**
   * Reads a message, strictly: header, lengths and padding, the value of every attribute that
   * {@linkcode ATTRIBUTES} has, and FINGERPRINT where there is one. `encode` gives the same bytes.
   *
   * @param bytes One whole message. It is copied.
   * @param options What else to take.
   * @returns The message.
   * @throws {StunError} Of fault "malformed".
   */
  static decode(bytes: Uint8Array, options: DecodeOptions = {}): StunMessage {
    if (bytes.length < HEADER) throw malformed(`${bytes.length} bytes are less than a header`);
    const data = bytes.slice(), view = viewOf(data);
    const type = view.getUint16(0), length = view.getUint16(2);
    if (type > 0x3fff) throw malformed("it does not begin with two zero bits");
    if (length % 4 !== 0) throw malformed(`its length ${length} is no multiple of 4`);
    if (length !== data.length - HEADER) {
      throw malformed(`its length is ${length}, and ${data.length - HEADER} bytes are there`);
    }
    const modern = startsWithCookie(data.subarray(4));
    if (!modern && options.classic !== true) throw malformed("it has no magic cookie");
    // The class's two bits stand between those of the method.
    const kind = CLASSES[(type >> 4 & 1) | (type >> 7 & 2)] ?? "request";
    const method = (type & 0xf) | (type >> 1 & 0x70) | (type >> 2 & 0xf80);
    const transactionId = data.subarray(modern ? 8 : 4, HEADER);
    const attributes = readAttributes(data);
    const message = new StunMessage({ class: kind, method, transactionId, attributes });
    message.#check();
    return message;
  }

  /** The counted attributes' values must be what their types say. */
  #check(): void {
    const mask = this.#mask();
    const seen = new Set<number>();
    for (const { type, value } of this.#counted) {
      if (!seen.has(type)) attributeOf(type)?.decode(value, mask);
      seen.add(type);
    }
    const at = this.attributes.findIndex(({ type }) => type === FINGERPRINT);
    if (at < 0) return;
    if (at < this.attributes.length - 1) throw malformed("FINGERPRINT is not its last attribute");
    if (this.get(ATTRIBUTES.fingerprint) !== this.#fingerprint(at)) {
      throw malformed("FINGERPRINT is wrong");
    }
  }

  /** Bytes 4 to 19 of the header. */
  #mask(): Uint8Array {
    if (this.transactionId.length === 16) return this.transactionId;
    return new Uint8Array([...COOKIE, ...this.transactionId]);
  }

  #fingerprint(before: number): number {
    return (crc32(coveredBytes(this, before, 4)) ^ FINGERPRINT_XOR) >>> 0;
  }

  /**
   * The value of an attribute; of the first one, if there are several (RFC 8489, section 14). What
   * stands after the integrity check does not count.
   *
   * @param attribute Its type, one of {@linkcode ATTRIBUTES} or another one.
   * @returns The value, or undefined if the message does not have it.
   */
  get<T>(attribute: AttributeType<T>): T | undefined {
    const found = this.#counted.find(({ type }) => type === attribute.type);
    return found && attribute.decode(found.value, this.#mask());
  }

  /**
   * Adds an attribute.
   *
   * @param attribute Its type.
   * @param value Its value.
   * @returns A new message.
   * @throws {TypeError} If the value is of a wrong kind, or the message ends with a check already.
   * @throws {RangeError} If it does not fit.
   */
  with<T>(attribute: AttributeType<T>, value: T): StunMessage {
    const { type, name } = attribute;
    const last = this.#counted.at(-1)?.type;
    const sealed = last === FINGERPRINT || (last === INTEGRITY_SHA256 && type !== FINGERPRINT) ||
      (last === INTEGRITY && type !== FINGERPRINT && type !== INTEGRITY_SHA256);
    if (sealed) throw new TypeError(`attribute: ${name} cannot stand after an integrity check`);
    const bytes = attribute.encode(value, this.#mask());
    const raw = { type, value: bytes, padding: new Uint8Array(-bytes.length & 3) };
    const message = this.#like([...this.attributes, raw]);
    if (lengthOf(message.attributes) > MAX_LENGTH) {
      throw new RangeError(`attribute: ${name} makes the message longer than ${MAX_LENGTH} bytes`);
    }
    return message;
  }

  /**
   * Adds FINGERPRINT, which nothing may follow (RFC 8489, section 14.7).
   *
   * @returns A new message.
   */
  withFingerprint(): StunMessage {
    return this.with(ATTRIBUTES.fingerprint, this.#fingerprint(this.attributes.length));
  }

  /**
   * The attributes that their receiver must understand (types up to 0x7fff) and this library does not.
   *
   * @returns Their types, each once.
   */
  unknownRequired(): number[] {
    const unknown = this.#counted.filter(({ type }) => type < 0x8000 && !attributeOf(type));
    return [...new Set(unknown.map(({ type }) => type))];
  }

  /**
   * The bytes of the message.
   *
   * @returns New ones.
   */
  encode(): Uint8Array<ArrayBuffer> {
    const length = lengthOf(this.attributes);
    const data = new Uint8Array(HEADER + length), view = viewOf(data);
    const { method } = this, kind = CLASSES.indexOf(this.class);
    const bits = (method & 0xf) | (method & 0x70) << 1 | (method & 0xf80) << 2;
    view.setUint16(0, bits | (kind & 1) << 4 | (kind & 2) << 7);
    view.setUint16(2, length);
    data.set(this.#mask(), 4);
    let at = HEADER;
    for (const { type, value, padding } of this.attributes) {
      view.setUint16(at, type);
      view.setUint16(at + 2, value.length);
      data.set(value, at + 4);
      data.set(padding, at + 4 + value.length);
      at += 4 + value.length + padding.length;
    }
    return data;
  }

  #like(attributes: readonly RawAttribute[]): StunMessage {
    const { class: kind, method, transactionId } = this;
    return new StunMessage({ class: kind, method, transactionId, attributes });
  }
}

function lengthOf(attributes: readonly RawAttribute[]): number {
  return attributes.reduce((sum, { value, padding }) => sum + 4 + value.length + padding.length, 0);
}

/**
 * What an integrity check or a fingerprint is made over: all before it, with a header that counts it
 * and nothing after it (RFC 8489, section 14.5).
 *
 * @param message The message.
 * @param at The position of the check among the attributes.
 * @param size The length of its value.
 */
export function coveredBytes(
  message: StunMessage,
  at: number,
  size: number,
): Uint8Array<ArrayBuffer> {
  const length = lengthOf(message.attributes.slice(0, at));
  const covered = message.encode().slice(0, HEADER + length);
  viewOf(covered).setUint16(2, length + 4 + size);
  return covered;
}

function readAttributes(data: Uint8Array): RawAttribute[] {
  const view = viewOf(data), attributes: RawAttribute[] = [];
  // The whole is a multiple of 4, so there is room for the 4 bytes of the next one.
  for (let at = HEADER; at < data.length;) {
    const type = view.getUint16(at), length = view.getUint16(at + 2);
    const end = at + 4 + length, next = end + (-length & 3);
    if (next > data.length) throw malformed("an attribute ends after it");
    attributes.push({
      type,
      value: data.subarray(at + 4, end),
      padding: data.subarray(end, next),
    });
    at = next;
  }
  return attributes;
}
