import { PipeError, type PipeErrorOptions } from "../errors.ts";
import type { StunAddress } from "./attribute.ts";

/** What went wrong; see {@linkcode StunError}. */
export type StunFault =
  | "malformed" // no STUN message, or one that breaks the format
  | "refused" // the server answered with an error, of this `code`
  | "unauthenticated" // the server wants credentials that are missing or that it does not take
  | "unusable"; // an answer that does not say what was asked for

/** What a {@linkcode StunError} carries besides its message. */
export interface StunErrorOptions extends PipeErrorOptions {
  /** What went wrong. */
  readonly fault: StunFault;
  /** The number in ERROR-CODE. */
  readonly code?: number | undefined;
  /** The types listed in UNKNOWN-ATTRIBUTES. */
  readonly unknownAttributes?: readonly number[] | undefined;
  /** Where a server sends us to. */
  readonly alternate?: StunAlternate | undefined;
}

/** The server to ask instead (RFC 8489, section 10). */
export interface StunAlternate extends StunAddress {
  /** The name that its certificate has, over TLS; undefined for that of the first server. */
  readonly domain?: string | undefined;
}

/**
 * Something that is no STUN message, or an answer that is none to what was asked (RFC 8489, sections
 * 6.3.4 and 14.8). Silence is a {@linkcode PipeTimeoutError} instead.
 *
 * @example
 * ```ts
 * import { StunError, StunMessage } from "@p2pd/pipes/stun";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const error = assertThrows(() => StunMessage.decode(new Uint8Array(20)), StunError);
 * assertEquals([error.fault, error.code], ["malformed", undefined]);
 * ```
 */
export class StunError extends PipeError {
  /** The class's name. */
  override name = "StunError";
  /** What went wrong. */
  readonly fault: StunFault;
  /** The number of the error that the server answered with, 300 to 699 (RFC 8489, section 14.8). */
  readonly code: number | undefined;
  /** With code 420: the types of the attributes that the server did not understand. */
  readonly unknownAttributes: readonly number[];
  /** With code 300: the server to ask instead. */
  readonly alternate: StunAlternate | undefined;

  /**
   * Makes an error.
   *
   * @param message What is wrong.
   * @param options The fault, and what else is known.
   */
  constructor(message: string, options: StunErrorOptions) {
    super(message, options);
    this.fault = options.fault;
    this.code = options.code;
    this.unknownAttributes = options.unknownAttributes ?? [];
    this.alternate = options.alternate;
  }
}

/** The error of bytes that break the format. */
export function malformed(why: string): StunError {
  return new StunError(`Cannot read the STUN message: ${why}`, { fault: "malformed" });
}
