/**
 * From a checked address to IP addresses.
 *
 * @module
 */
import { PipeOpenError, ResolveError } from "../errors.ts";
import type { Family } from "../pipe/types.ts";
import { type Endpoint, formatAddr } from "./address.ts";
import { formatIp, type Ip, parseIp, unmapIp } from "./ip.ts";
import { show } from "./show.ts";

/**
 * Looks a host name up: all its addresses, as text, best first, at once or as a promise. A name that has
 * none is an empty list, or an error of its own, which becomes the `cause` of what the caller sees.
 *
 * @param host The name, in lower case.
 */
export type Lookup = (host: string) => readonly string[] | Promise<readonly string[]>;

/** How {@linkcode resolveEndpoint} looks up. */
export interface ResolveOptions {
  /**
   * Only addresses of this family.
   *
   * @default {undefined} Both, in the order of the look-up.
   */
  readonly family?: Family;
  /** How long the look-up may take, in milliseconds; Infinity for as long as it wants. */
  readonly timeout: number;
  /** Gives up: the call rejects with its reason. The system's look-up itself cannot be stopped. */
  readonly signal?: AbortSignal;
  /**
   * Where to look.
   *
   * @default {systemLookup}
   */
  readonly lookup?: Lookup;
}

/** A longer timer fires at once (Deno and Node.js keep the delay in 31 bits). */
const MAX_DELAY = 2 ** 31 - 1;

/**
 * The system's own look-up, getaddrinfo: /etc/hosts, search domains and nsswitch included, the
 * addresses in its order of preference (RFC 6724, section 6). Needs `--allow-net`, or the host without a
 * port in its list.
 *
 * @param host A host name.
 * @returns All its addresses, both families.
 */
export async function systemLookup(host: string): Promise<readonly string[]> {
  // loaded late: a program that uses addresses only does not pay for it
  const { promises } = await import("node:dns");
  // "verbatim" must be said: Deno's default puts IPv4 first
  const found = await promises.lookup(host, { all: true, order: "verbatim" });
  return found.map(({ address }) => address);
}

type Answer =
  | { readonly kind: "found"; readonly ips: Ip[] }
  | { readonly kind: "failed"; readonly error: unknown };

/** Never rejects, so that a failure of the look-up is not taken for a timeout or an abort. */
async function ask(lookup: Lookup, host: string): Promise<Answer> {
  try {
    return { kind: "found", ips: usable(await lookup(host)) };
  } catch (error) {
    return { kind: "failed", error };
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function lookupFailed(ep: Endpoint, cause: unknown): PipeOpenError {
  const addr = formatAddr(ep);
  const code = codeOf(cause);
  // Deno's node:dns hides NotCapable behind EPERM, which getaddrinfo itself never gives
  if (cause instanceof Deno.errors.NotCapable || code === "EPERM") {
    const { hostname } = ep;
    const flag = `--allow-net=${hostname} (no port) and its addresses`;
    const message = `Cannot resolve ${hostname}: no network permission, run with ${flag}`;
    return new PipeOpenError(message, { phase: "permission", addr, cause });
  }
  const why = code === "ENOTFOUND"
    ? "host not found"
    : cause instanceof Error && cause.message !== ""
    ? cause.message
    : "the look-up failed";
  return new ResolveError(`Cannot resolve ${ep.hostname}: ${why}`, { addr, cause });
}

/** The addresses of an answer, unfolded, each once, in order. */
function usable(answer: unknown): Ip[] {
  if (!Array.isArray(answer)) {
    throw new TypeError(`the look-up gave no list of addresses, but ${show(answer)}`);
  }
  const texts: readonly unknown[] = answer;
  const ips = new Map<string, Ip>();
  for (const text of texts) {
    const parsed = typeof text === "string" ? parseIp(text) : undefined;
    if (!parsed) continue;
    const ip = unmapIp(parsed);
    const key = formatIp(ip);
    if (!ips.has(key)) ips.set(key, ip);
  }
  if (ips.size === 0 && texts.length > 0) {
    throw new TypeError(`the look-up gave no address, but ${show(texts)}`);
  }
  return [...ips.values()];
}

function ofFamily(ips: Ip[], ep: Endpoint, family: Family | undefined): Ip[] {
  const wanted = family === undefined ? ips : ips.filter((ip) => ip.family === family);
  if (wanted.length > 0) return wanted;
  const addr = formatAddr(ep);
  if (ips.length === 0) {
    throw new ResolveError(`Cannot resolve ${ep.hostname}: the look-up gave no address`, { addr });
  }
  const others = ips.slice(0, 3).map(formatIp).join(", ") + (ips.length > 3 ? ", …" : "");
  const only = ep.ip ? `it is an ${ep.ip.family} address` : `only ${others}`;
  throw new ResolveError(`Cannot resolve ${ep.hostname}: has no ${family} address, ${only}`, {
    addr,
  });
}

/**
 * Finds the IP addresses of an endpoint. An IP address is its own answer, at once and without a
 * look-up.
 *
 * An aborted or timed out call leaves the system's look-up running in the background until the system
 * gives up; what it brings is ignored.
 *
 * @param ep The address, not a "*".
 * @param o Family, timeout, signal and look-up.
 * @returns One address at least, in the order of the look-up, no duplicates.
 * @throws {ResolveError} If there is no such host, no address of the family, or no answer in time; the
 * system's error is the cause.
 * @throws {PipeOpenError} Of phase "permission", if the process may not look up.
 * @throws The signal's reason, if it is aborted.
 */
export async function resolveEndpoint(ep: Endpoint, o: ResolveOptions): Promise<Ip[]> {
  const { family, timeout, signal, lookup = systemLookup } = o;
  signal?.throwIfAborted();
  if (ep.ip) return ofFamily([ep.ip], ep, family);
  const addr = formatAddr(ep);
  if (ep.hostname === "*") {
    throw new ResolveError("Cannot resolve *: it is an address to listen on, not a host", { addr });
  }
  // Most addresses are no names.
  const { deadline } = await import("@std/async/deadline");
  let answer;
  try {
    const ms = timeout > MAX_DELAY ? Infinity : timeout;
    answer = await deadline(ask(lookup, ep.hostname), ms, signal ? { signal } : {});
  } catch (cause) {
    signal?.throwIfAborted();
    const message = `Cannot resolve ${ep.hostname}: timed out after ${timeout} ms`;
    throw new ResolveError(message, { addr, cause });
  }
  if (answer.kind === "failed") throw lookupFailed(ep, answer.error);
  return ofFamily(answer.ips, ep, family);
}
