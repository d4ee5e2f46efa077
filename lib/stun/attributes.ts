import {
  address,
  type AttributeType,
  bytes,
  port,
  type StunAddress,
  text,
  uint32,
} from "./attribute.ts";
import {
  algorithm,
  algorithmList,
  change,
  errorCode,
  type PasswordAlgorithm,
  type StunChange,
  type StunErrorCode,
  typeList,
} from "./attribute_parts.ts";

/** The types of {@linkcode ATTRIBUTES}. */
export interface StunAttributes {
  /** Where a request came from, in plain (RFC 8489, section 14.1). */
  readonly mappedAddress: AttributeType<StunAddress>;
  /** Where to answer (RFC 3489, section 11.2.2). */
  readonly responseAddress: AttributeType<StunAddress>;
  /** Whether to answer from another address or port (RFC 5780, section 7.2). */
  readonly changeRequest: AttributeType<StunChange>;
  /** Where an answer comes from (RFC 3489, section 11.2.5). */
  readonly sourceAddress: AttributeType<StunAddress>;
  /** The server's other address and port (RFC 3489, section 11.2.3). */
  readonly changedAddress: AttributeType<StunAddress>;
  /** The user (RFC 8489, section 14.3). */
  readonly username: AttributeType<string>;
  /** A password for later (RFC 3489, section 11.2.7); nobody should send one. */
  readonly password: AttributeType<Uint8Array>;
  /** HMAC-SHA1 of what is before it (RFC 8489, section 14.5). */
  readonly messageIntegrity: AttributeType<Uint8Array>;
  /** Why a request was refused (RFC 8489, section 14.8). */
  readonly errorCode: AttributeType<StunErrorCode>;
  /** The attributes that were not understood (RFC 8489, section 14.13). */
  readonly unknownAttributes: AttributeType<readonly number[]>;
  /** Who asked for an answer that goes to somebody else (RFC 3489, section 11.2.11). */
  readonly reflectedFrom: AttributeType<StunAddress>;
  /** Where credentials count (RFC 8489, section 14.9). */
  readonly realm: AttributeType<string>;
  /** What a server wants to see again (RFC 8489, section 14.10). */
  readonly nonce: AttributeType<string>;
  /** HMAC-SHA256 of what is before it (RFC 8489, section 14.6). */
  readonly messageIntegritySha256: AttributeType<Uint8Array>;
  /** The algorithm that a client chose (RFC 8489, section 14.12). */
  readonly passwordAlgorithm: AttributeType<PasswordAlgorithm>;
  /** The user, hidden (RFC 8489, section 14.4). */
  readonly userhash: AttributeType<Uint8Array>;
  /** Where a request came from, masked (RFC 8489, section 14.2). */
  readonly xorMappedAddress: AttributeType<StunAddress>;
  /** Bytes that make a message long (RFC 5780, section 7.6). */
  readonly padding: AttributeType<Uint8Array>;
  /** The port to answer to (RFC 5780, section 7.5). */
  readonly responsePort: AttributeType<number>;
  /** The algorithms that a server takes, best first (RFC 8489, section 14.11). */
  readonly passwordAlgorithms: AttributeType<readonly PasswordAlgorithm[]>;
  /** The name of the server to ask instead (RFC 8489, section 14.16). */
  readonly alternateDomain: AttributeType<string>;
  /** XOR-MAPPED-ADDRESS under the number of its drafts, 0x8020, which old servers send. */
  readonly xorMappedAddressOld: AttributeType<StunAddress>;
  /** Name and version of the sender (RFC 8489, section 14.14). */
  readonly software: AttributeType<string>;
  /** The server to ask instead (RFC 8489, section 14.15). */
  readonly alternateServer: AttributeType<StunAddress>;
  /** How long a server keeps an answer, in seconds (RFC 5780, section 7.1). */
  readonly cacheTimeout: AttributeType<number>;
  /** Tells STUN from other protocols (RFC 8489, section 14.7). */
  readonly fingerprint: AttributeType<number>;
  /** Where an answer comes from (RFC 5780, section 7.3). */
  readonly responseOrigin: AttributeType<StunAddress>;
  /** The server's other address and port (RFC 5780, section 7.4). */
  readonly otherAddress: AttributeType<StunAddress>;
}

/**
 * The attributes that this library understands: those of RFC 8489 and RFC 5780, and what servers of
 * RFC 3489 still send. Others pass through as bytes.
 *
 * @example
 * ```ts
 * import { ATTRIBUTES, StunMessage } from "@p2pd/pipes/stun";
 * import { assertEquals } from "@std/assert";
 *
 * const address = { hostname: "192.0.2.1", port: 32853 };
 * const answer = new StunMessage({ class: "success" }).with(ATTRIBUTES.xorMappedAddress, address);
 * assertEquals(answer.get(ATTRIBUTES.xorMappedAddress), address);
 * assertEquals(answer.get(ATTRIBUTES.errorCode), undefined);
 * ```
 */
export const ATTRIBUTES: StunAttributes = Object.freeze({
  mappedAddress: address(0x0001, "MAPPED-ADDRESS"),
  responseAddress: address(0x0002, "RESPONSE-ADDRESS"),
  changeRequest: change(0x0003, "CHANGE-REQUEST"),
  sourceAddress: address(0x0004, "SOURCE-ADDRESS"),
  changedAddress: address(0x0005, "CHANGED-ADDRESS"),
  username: text(0x0006, "USERNAME", { read: 508, write: 508 }),
  password: bytes(0x0007, "PASSWORD"),
  messageIntegrity: bytes(0x0008, "MESSAGE-INTEGRITY", { least: 20, most: 20 }),
  errorCode: errorCode(0x0009, "ERROR-CODE"),
  unknownAttributes: typeList(0x000a, "UNKNOWN-ATTRIBUTES"),
  reflectedFrom: address(0x000b, "REFLECTED-FROM"),
  realm: text(0x0014, "REALM"),
  nonce: text(0x0015, "NONCE"),
  messageIntegritySha256: bytes(0x001c, "MESSAGE-INTEGRITY-SHA256", {
    least: 16,
    most: 32,
    step: 4,
  }),
  passwordAlgorithm: algorithm(0x001d, "PASSWORD-ALGORITHM"),
  userhash: bytes(0x001e, "USERHASH", { least: 32, most: 32 }),
  xorMappedAddress: address(0x0020, "XOR-MAPPED-ADDRESS", true),
  padding: bytes(0x0026, "PADDING"),
  responsePort: port(0x0027, "RESPONSE-PORT"),
  passwordAlgorithms: algorithmList(0x8002, "PASSWORD-ALGORITHMS"),
  alternateDomain: text(0x8003, "ALTERNATE-DOMAIN", { read: 255, write: 255 }),
  xorMappedAddressOld: address(0x8020, "XOR-MAPPED-ADDRESS (0x8020)", true),
  software: text(0x8022, "SOFTWARE"),
  alternateServer: address(0x8023, "ALTERNATE-SERVER"),
  cacheTimeout: uint32(0x8027, "CACHE-TIMEOUT"),
  fingerprint: uint32(0x8028, "FINGERPRINT"),
  responseOrigin: address(0x802b, "RESPONSE-ORIGIN"),
  otherAddress: address(0x802c, "OTHER-ADDRESS"),
});

const BY_TYPE: ReadonlyMap<number, AttributeType<unknown>> = new Map(
  Object.values(ATTRIBUTES).map((attribute) => [attribute.type, attribute]),
);

/** What is known about a type of attribute. */
export function attributeOf(type: number): AttributeType<unknown> | undefined {
  return BY_TYPE.get(type);
}
