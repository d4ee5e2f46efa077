import { addrKey, parseDest } from "../net/address.ts";
import { show } from "../net/show.ts";
import { byteString } from "./bytes.ts";
import { finder } from "./find_bytes.ts";
import type { NetAddr, Sub } from "./types.ts";

/** Everything: the subscription that every pipe has from the start. */
export const SUB_ALL: Sub = Object.freeze({});

/** A {@linkcode Sub}, checked and ready to use. */
export interface Filter {
  /** Equal for equal filters, whichever objects they came from. */
  readonly key: string;
  /** Tests the content; undefined: any. Throws only what a caller's own function throws. */
  readonly test: ((data: Uint8Array<ArrayBuffer>, from: NetAddr) => boolean) | undefined;
  /** The bytes that the content must have anywhere in it, if that is all there is to test. */
  readonly bytes?: Uint8Array | undefined;
  /** The sender: an {@linkcode addrKey}, with port 0 for any port; undefined: anybody. */
  readonly peer: string | undefined;
}

const ANYTHING: Filter = { key: "", test: undefined, peer: undefined };

/**
 * Checks and prepares a filter.
 *
 * @param sub What the caller gave; undefined: everything.
 * @param what The argument's name, for messages.
 */
export function compileFilter(sub: unknown, what: string): Filter {
  if (sub === undefined || sub === SUB_ALL) return ANYTHING;
  if (typeof sub !== "object" || sub === null || Array.isArray(sub) || sub instanceof RegExp) {
    const hint = sub instanceof RegExp ? "; write { match: … }" : "";
    throw new TypeError(`${what}: { match?, from? } is needed, got ${show(sub)}${hint}`);
  }
  for (const key of Object.keys(sub)) {
    if (key !== "match" && key !== "from") {
      const isOption = key === "timeout" || key === "signal";
      const hint = isOption ? `; options come after it: recv(undefined, { ${key} })` : "";
      throw new TypeError(`${what}: has no ${show(key)}, only match and from${hint}`);
    }
  }
  const from = "from" in sub ? sub.from : undefined;
  const match = "match" in sub ? sub.match : undefined;
  let peer: string | undefined;
  if (from !== undefined) {
    const { hostname, port } = parseDest(from, `${what}.from`, { literal: true });
    peer = addrKey(hostname, port);
  }
  const [matchKey, test, bytes] = compileMatch(match, `${what}.match`);
  return { key: peer === undefined ? matchKey : `${peer} ${matchKey}`, test, bytes, peer };
}

/** Whether a message passes; for the few places that hold a single filter. */
export function passes(filter: Filter, data: Uint8Array<ArrayBuffer>, from: NetAddr): boolean {
  if (filter.peer !== undefined && !peerKeys(from).includes(filter.peer)) return false;
  return filter.test === undefined || filter.test(data, from);
}

/**
 * The filters' keys that a sender's address satisfies: with and without its port, and, where it has
 * a zone, with and without that.
 */
export function peerKeys(from: NetAddr): string[] {
  const { hostname, port } = from;
  if (port === 0) return [addrKey(hostname, 0)]; // a Unix socket
  const keys = [addrKey(hostname, port), addrKey(hostname, 0)];
  const zone = hostname.indexOf("%");
  if (zone >= 0) {
    const bare = hostname.slice(0, zone);
    keys.push(addrKey(bare, port), addrKey(bare, 0));
  }
  return keys;
}

type Test = NonNullable<Filter["test"]>;

const encoder = new TextEncoder();
const functionIds = new WeakMap<WeakKey, number>();
let lastFunctionId = 0;

/** A match as its key, its test, and the bytes that it looks for if it is no more than that. */
type Match = [key: string, test: Test | undefined, bytes?: Uint8Array];

function compileMatch(match: unknown, what: string): Match {
  if (match === undefined) return ["", undefined];
  if (typeof match === "string") return compileBytes(encoder.encode(match));
  // A copy: the caller may go on using the array.
  if (match instanceof Uint8Array) return compileBytes(new Uint8Array(match));
  if (match instanceof RegExp) {
    const flags = match.flags.replace(/[gy]/g, ""); // those two make a RegExp remember where it was
    const pattern = new RegExp(match.source, flags);
    return [`regexp ${flags} ${match.source}`, (data) => pattern.test(byteString(data))];
  }
  if (typeof match === "function") {
    let id = functionIds.get(match);
    if (id === undefined) functionIds.set(match, id = ++lastFunctionId);
    return [`function ${id}`, (data, from) => match(data, from) === true];
  }
  throw new TypeError(
    `${what}: a RegExp, string, Uint8Array or function is needed, got ${show(match)}`,
  );
}

function compileBytes(needle: Uint8Array): Match {
  const find = finder(needle);
  return [`bytes ${byteString(needle)}`, (data) => find(data) >= 0, needle];
}
