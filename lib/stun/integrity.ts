/**
 * Passwords, keys and the checks made with them (RFC 8489, sections 9, 14.5 and 14.6).
 *
 * @module
 */
import { show } from "../net/show.ts";
import { ATTRIBUTES } from "./attributes.ts";
import { coveredBytes, type StunMessage } from "./message.ts";

/** The hash of an integrity check: MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256. */
export type IntegrityHash = "SHA-1" | "SHA-256";

/** How a long-term key is made of a password (RFC 8489, section 18.5). */
export type KeyAlgorithm = "MD5" | "SHA-256";

/** What a long-term key is made of. */
export interface LongTermKeyOptions {
  /** The user. */
  readonly username: string;
  /** Where the user is one. */
  readonly realm: string;
  /** The password. */
  readonly password: string;
  /** How. @default {"MD5"} */
  readonly algorithm?: KeyAlgorithm | undefined;
}

/** Loaded when first needed: few programs have passwords. WebCrypto has no MD5 and cannot but wait. */
function nodeCrypto() {
  return globalThis.process.getBuiltinModule("node:crypto");
}

/**
 * Prepares a user's name, a realm or a password (RFC 8265, section 4.2): NFC, plain spaces, no control
 * characters.
 */
export function opaqueString(value: string, what: string): string {
  if (typeof value !== "string" || value === "") {
    throw new TypeError(`${what}: a text is needed, got ${value === "" ? '""' : typeof value}`);
  }
  const prepared = value.replaceAll(/\p{Zs}/gu, " ").normalize("NFC");
  if (/\p{Cc}|\p{Cs}/u.test(prepared)) {
    throw new TypeError(`${what}: must not have control characters in it`);
  }
  return prepared;
}

/**
 * The key of a short-term password (RFC 8489, section 9.1.1).
 *
 * @param password The password.
 * @returns The key for {@linkcode withIntegrity} and {@linkcode hasIntegrity}.
 * @throws {TypeError} If it is empty or has control characters.
 *
 * @example
 * ```ts
 * import { shortTermKey } from "@p2pd/pipes/stun";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(shortTermKey("secret"), new TextEncoder().encode("secret"));
 * ```
 */
export function shortTermKey(password: string): Uint8Array {
  return new TextEncoder().encode(opaqueString(password, "password"));
}

/**
 * The key of a long-term password (RFC 8489, section 9.2.2).
 *
 * @param options User, realm, password and algorithm.
 * @returns The key for {@linkcode withIntegrity} and {@linkcode hasIntegrity}.
 * @throws {TypeError} If one of them is empty or has control characters.
 *
 * @example
 * ```ts
 * import { hasIntegrity, longTermKey, StunMessage, withIntegrity } from "@p2pd/pipes/stun";
 * import { assert } from "@std/assert";
 *
 * const user = { username: "me", realm: "example.org", password: "secret" };
 * const key = longTermKey({ ...user, algorithm: "SHA-256" });
 * const signed = withIntegrity(new StunMessage({ class: "request" }), key, "SHA-256");
 * assert(hasIntegrity(signed, key, "SHA-256"));
 * ```
 */
export function longTermKey(options: LongTermKeyOptions): Uint8Array {
  const { username, realm, password, algorithm = "MD5" } = options;
  const parts = Object.entries({ username, realm, password });
  const text = parts.map(([what, value]) => opaqueString(value, what)).join(":");
  return digest(algorithm, text);
}

function digest(algorithm: KeyAlgorithm, text: string): Uint8Array {
  if (algorithm !== "MD5" && algorithm !== "SHA-256") {
    throw new TypeError(`algorithm: "MD5" or "SHA-256" is needed, got ${show(algorithm)}`);
  }
  const name = algorithm === "MD5" ? "md5" : "sha256";
  return new Uint8Array(nodeCrypto().createHash(name).update(text).digest());
}

/**
 * The value of USERHASH, which hides the user (RFC 8489, section 14.4).
 *
 * @param username The user.
 * @param realm Where the user is one.
 * @returns Its 32 bytes.
 * @throws {TypeError} If one of them is empty or has control characters.
 *
 * @example
 * ```ts
 * import { ATTRIBUTES, StunMessage, userHash } from "@p2pd/pipes/stun";
 * import { assertEquals } from "@std/assert";
 *
 * const hash = userHash("me", "example.org");
 * const request = new StunMessage({ class: "request" }).with(ATTRIBUTES.userhash, hash);
 * assertEquals(request.get(ATTRIBUTES.userhash)?.length, 32);
 * ```
 */
export function userHash(username: string, realm: string): Uint8Array {
  const user = opaqueString(username, "username");
  return digest("SHA-256", `${user}:${opaqueString(realm, "realm")}`);
}

function attributeFor(hash: IntegrityHash) {
  return hash === "SHA-1" ? ATTRIBUTES.messageIntegrity : ATTRIBUTES.messageIntegritySha256;
}

/** The check of the message before the attribute at a position. */
function hmac(message: StunMessage, at: number, key: Uint8Array, hash: IntegrityHash): Uint8Array {
  const weak = hash === "SHA-1";
  const covered = coveredBytes(message, at, weak ? 20 : 32);
  const hmac = nodeCrypto().createHmac(weak ? "sha1" : "sha256", key);
  return new Uint8Array(hmac.update(covered).digest());
}

/**
 * Adds MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 over what is there.
 *
 * @param message The message, complete but for the fingerprint.
 * @param key The key.
 * @param hash Which one. @default {"SHA-1"}
 * @returns A new message.
 *
 * @example
 * ```ts
 * import { hasIntegrity, shortTermKey, StunMessage, withIntegrity } from "@p2pd/pipes/stun";
 * import { assert } from "@std/assert";
 *
 * const key = shortTermKey("VOkJxbRl1RmTxUk/WvJxBt");
 * const signed = withIntegrity(new StunMessage({ class: "request" }), key);
 * assert(hasIntegrity(signed, key));
 * assert(!hasIntegrity(signed, shortTermKey("another")));
 * ```
 */
export function withIntegrity(
  message: StunMessage,
  key: Uint8Array,
  hash: IntegrityHash = "SHA-1",
): StunMessage {
  return message.with(attributeFor(hash), hmac(message, message.attributes.length, key, hash));
}

/**
 * Whether a message has an integrity check and that is right. One that is cut short counts as wrong.
 *
 * @param message The message.
 * @param key The key.
 * @param hash Which check. @default {"SHA-1"}
 * @returns False also where there is no such check.
 *
 * @example
 * ```ts
 * import { hasIntegrity, shortTermKey, StunMessage } from "@p2pd/pipes/stun";
 * import { assertEquals } from "@std/assert";
 *
 * const bare = new StunMessage({ class: "request" });
 * assertEquals(hasIntegrity(bare, shortTermKey("secret")), false);
 * ```
 */
export function hasIntegrity(
  message: StunMessage,
  key: Uint8Array,
  hash: IntegrityHash = "SHA-1",
): boolean {
  const attribute = attributeFor(hash);
  const value = message.get(attribute);
  if (value === undefined) return false;
  const at = message.attributes.findIndex(({ type }) => type === attribute.type);
  const right = hmac(message, at, key, hash);
  return value.length === right.length && nodeCrypto().timingSafeEqual(value, right);
}
