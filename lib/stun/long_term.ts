import { ATTRIBUTES } from "./attributes.ts";
import {
  hasIntegrity,
  type IntegrityHash,
  type KeyAlgorithm,
  longTermKey,
  opaqueString,
  userHash,
  withIntegrity,
} from "./integrity.ts";
import type { StunMessage } from "./message.ts";

/** Who we are to servers that ask (RFC 8489, section 9.2). */
export interface StunCredentials {
  /** The user. */
  readonly username: string;
  /** The password. It is not sent. */
  readonly password: string;
}

/** How a request was signed, to check the answer by. */
export interface Signed {
  readonly realm: string;
  readonly nonce: string;
  readonly key: Uint8Array;
  readonly hash: IntegrityHash;
}

/** A nonce that begins so says what the server can do (section 9.2): 24 bits in 4 characters. */
const NONCE_COOKIE = /^obMatJos2([A-Za-z0-9+/]{4})/;
const ALGORITHMS: ReadonlyMap<number, KeyAlgorithm> = new Map([[1, "MD5"], [2, "SHA-256"]]);

/** What the nonce says: the first bit is the highest one of 24. */
function featuresOf(nonce: string): { algorithms: boolean; anonymity: boolean } {
  const bits = NONCE_COOKIE.exec(nonce)?.[1];
  const first = bits === undefined ? 0 : Uint8Array.fromBase64(bits)[0] ?? 0;
  return { algorithms: (first & 0x80) !== 0, anonymity: (first & 0x40) !== 0 };
}

interface Challenge {
  readonly realm: string;
  readonly nonce: string;
  readonly anonymity: boolean;
  /** The algorithm chosen, and all that the server named; without them it is one of RFC 5389. */
  readonly choice?: {
    readonly name: KeyAlgorithm;
    readonly type: number;
    readonly all: readonly { readonly algorithm: number; readonly parameters: Uint8Array }[];
  };
}

/** What is known of one server's wishes, and the credentials for it. Pure. */
export class LongTerm {
  readonly #username: string;
  readonly #password: string;
  #challenge: Challenge | undefined;

  constructor({ username, password }: StunCredentials) {
    this.#username = opaqueString(username, "credentials.username");
    this.#password = opaqueString(password, "credentials.password");
  }

  /**
   * Takes in a 401 or 438 (section 9.2.5).
   *
   * @param answer The error answer.
   * @param signed How the request was signed, if it was.
   * @returns Whether asking again may help.
   */
  challenge(answer: StunMessage, signed: Signed | undefined): boolean {
    const realm = answer.get(ATTRIBUTES.realm) ?? signed?.realm;
    const nonce = answer.get(ATTRIBUTES.nonce);
    if (realm === undefined || nonce === undefined) return false;
    const stale = answer.get(ATTRIBUTES.errorCode)?.code === 438;
    // The same credentials again would be refused again.
    if (!stale && signed !== undefined && signed.realm === realm) return false;
    const features = featuresOf(nonce);
    const all = answer.get(ATTRIBUTES.passwordAlgorithms);
    // Somebody on the way took one of them out, to have the weaker one chosen.
    if (features.algorithms !== (all !== undefined)) return false;
    const { anonymity } = features;
    if (all === undefined) {
      this.#challenge = { realm, nonce, anonymity };
      return true;
    }
    for (const { algorithm: type } of all) {
      const name = ALGORITHMS.get(type);
      if (name === undefined) continue;
      this.#challenge = { realm, nonce, anonymity, choice: { name, type, all } };
      return true;
    }
    return false;
  }

  /** Signs a request by what the server last asked for; as it is where that asked for nothing yet. */
  sign(message: StunMessage): { readonly message: StunMessage; readonly signed?: Signed } {
    const challenge = this.#challenge;
    if (challenge === undefined) return { message };
    const { realm, nonce, anonymity, choice } = challenge;
    const username = this.#username, password = this.#password;
    const user = anonymity
      ? message.with(ATTRIBUTES.userhash, userHash(username, realm))
      : message.with(ATTRIBUTES.username, username);
    let request = user.with(ATTRIBUTES.realm, realm).with(ATTRIBUTES.nonce, nonce);
    if (choice !== undefined) {
      request = request
        .with(ATTRIBUTES.passwordAlgorithms, choice.all)
        .with(ATTRIBUTES.passwordAlgorithm, { algorithm: choice.type, parameters: EMPTY });
    }
    const key = longTermKey({ username, realm, password, algorithm: choice?.name });
    const hash = choice === undefined ? "SHA-1" : "SHA-256";
    const signed = { realm, nonce, key, hash } as const;
    return { message: withIntegrity(request, key, hash), signed };
  }
}

const EMPTY = new Uint8Array();
/** Errors of servers that do not know us, who cannot sign (section 9.2.5). */
const UNSIGNED: readonly (number | undefined)[] = [400, 401, 438];

/** Whether an answer is signed as its request was, or need not be. */
export function isTrusted(answer: StunMessage, signed: Signed | undefined): boolean {
  if (signed === undefined) return true;
  const weak = answer.get(ATTRIBUTES.messageIntegrity) !== undefined;
  const strong = answer.get(ATTRIBUTES.messageIntegritySha256) !== undefined;
  if (weak && strong) return false; // a server gives the one that it was given
  if (weak || strong) return hasIntegrity(answer, signed.key, signed.hash);
  return answer.class === "error" && UNSIGNED.includes(answer.get(ATTRIBUTES.errorCode)?.code);
}
