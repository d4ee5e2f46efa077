import { ATTRIBUTES } from "../stun/attributes.ts";
import { hasIntegrity, longTermKey, userHash, withIntegrity } from "../stun/integrity.ts";
import type { StunMessage } from "../stun/message.ts";

/** Whom a {@linkcode serveStun} server answers (RFC 8489, section 9.2). */
export interface StunServerCredentials {
  /** The user. */
  readonly username: string;
  /** The password. */
  readonly password: string;
  /** Where that is a user. @default {"example.org"} */
  readonly realm?: string | undefined;
  /**
   * "MD5" is the way of RFC 5389, with MESSAGE-INTEGRITY; "SHA-256" that of RFC 8489, with
   * PASSWORD-ALGORITHMS, USERHASH and MESSAGE-INTEGRITY-SHA256. @default {"MD5"}
   */
  readonly algorithm?: "MD5" | "SHA-256" | undefined;
  /** How many requests a nonce is good for; the next one gets a 438. @default {Infinity} */
  readonly nonceUses?: number | undefined;
}

/** What the guard thinks of a request. */
export type Judgment =
  | { readonly kind: "refused"; readonly code: 400 | 401 | 438 }
  | { readonly kind: "allowed" };

/** SHA-256, which the nonce announces by the first bit of three bytes; by the second, USERHASH. */
const FEATURES = "obMatJos2" + new Uint8Array([0xc0, 0, 0]).toBase64();
const SHA256 = { algorithm: 2, parameters: new Uint8Array() };

/** Lets in those who know the password. */
export class StunGuard {
  readonly #given: StunServerCredentials;
  readonly #realm: string;
  readonly #modern: boolean;
  readonly #key: Uint8Array;
  #nonce = "";
  #uses = 0;

  constructor(given: StunServerCredentials) {
    const { username, password, realm = "example.org", algorithm = "MD5" } = given;
    this.#given = given;
    this.#realm = realm;
    this.#modern = algorithm === "SHA-256";
    this.#key = longTermKey({ username, realm, password, algorithm });
    this.#renew();
  }

  #renew(): void {
    this.#uses = 0;
    this.#nonce = (this.#modern ? FEATURES : "") + crypto.randomUUID();
  }

  /** Section 9.2.4. */
  judge(request: StunMessage): Judgment {
    const { username } = this.#given;
    const hash = this.#modern ? "SHA-256" : "SHA-1";
    const check = this.#modern ? ATTRIBUTES.messageIntegritySha256 : ATTRIBUTES.messageIntegrity;
    if (request.get(check) === undefined) return { kind: "refused", code: 401 };
    const nonce = request.get(ATTRIBUTES.nonce), realm = request.get(ATTRIBUTES.realm);
    const user = request.get(ATTRIBUTES.username), hidden = request.get(ATTRIBUTES.userhash);
    const named = user !== undefined || hidden !== undefined;
    if (!named || nonce === undefined || realm === undefined) return { kind: "refused", code: 400 };
    const known = hidden === undefined
      ? user === username
      : hidden.toHex() === userHash(username, this.#realm).toHex();
    const chosen = !this.#modern || request.get(ATTRIBUTES.passwordAlgorithm)?.algorithm === 2;
    if (!known || !chosen || realm !== this.#realm || !hasIntegrity(request, this.#key, hash)) {
      return { kind: "refused", code: 401 };
    }
    const stale = nonce !== this.#nonce || this.#uses >= (this.#given.nonceUses ?? Infinity);
    if (!stale) {
      this.#uses++;
      return { kind: "allowed" };
    }
    if (nonce === this.#nonce) this.#renew();
    return { kind: "refused", code: 438 };
  }

  /** Says in a 401 or 438 what is wanted. */
  challenge(answer: StunMessage): StunMessage {
    const said = answer.with(ATTRIBUTES.realm, this.#realm).with(ATTRIBUTES.nonce, this.#nonce);
    return this.#modern ? said.with(ATTRIBUTES.passwordAlgorithms, [SHA256]) : said;
  }

  /** Signs an answer to somebody who was let in. */
  sign(answer: StunMessage): StunMessage {
    return withIntegrity(answer, this.#key, this.#modern ? "SHA-256" : "SHA-1");
  }
}
