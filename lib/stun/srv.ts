import { deadline } from "@std/async/deadline";
import { ResolveError } from "../errors.ts";
import { type Endpoint, parseDest } from "../net/address.ts";
import { show } from "../net/show.ts";
import type { NetAddr } from "../pipe/types.ts";
import type { NamedServer } from "./uri.ts";

/** Where a service is, as DNS says (RFC 2782). */
export interface SrvRecord {
  /** Lower ones first. */
  readonly priority: number;
  /** How often it is chosen among those of one priority. */
  readonly weight: number;
  /** The port. */
  readonly port: number;
  /** The host. */
  readonly target: string;
}

/**
 * Looks up the SRV records of a name such as "_stun._udp.example.org"; rejects where there are none. The
 * signal is aborted when nobody waits any more.
 */
export type SrvLookup = (name: string, signal: AbortSignal) => Promise<readonly SrvRecord[]>;

/** How {@linkcode locate} looks up. */
export interface LocateOptions {
  readonly lookupSrv: SrvLookup;
  /** Milliseconds. */
  readonly timeout: number;
  readonly signal?: AbortSignal | undefined;
}

/** The look-up by Deno, which asks the name servers of the system. */
export const systemSrv: SrvLookup = (name, signal) => Deno.resolveDns(name, "SRV", { signal });

/** A longer timer would fire at once. */
const MAX_DELAY = 0x7fffffff;

/**
 * The hosts and ports of a server, in the order in which to try them (RFC 8489, section 8.1): what DNS
 * says of the service where a URI has a name and no port, else the name and the default port.
 */
export async function locate(
  { endpoint, scheme, hasPort }: NamedServer,
  proto: NetAddr["transport"],
  { lookupSrv, timeout, signal }: LocateOptions,
): Promise<readonly Endpoint[]> {
  if (scheme === undefined || hasPort || endpoint.ip !== undefined) return [endpoint];
  const service = `_${scheme}._${proto}.${endpoint.hostname}`;
  const waiting = new AbortController();
  let records;
  try {
    const asked = Promise.resolve(lookupSrv(service, waiting.signal));
    records = await deadline(asked, Math.min(timeout, MAX_DELAY), signal ? { signal } : {});
  } catch {
    signal?.throwIfAborted();
    return [endpoint]; // most have no such records
  } finally {
    waiting.abort();
  }
  if (!Array.isArray(records)) {
    const got = show(records);
    throw new ResolveError(`Cannot resolve ${service}: the look-up gave no list, but ${got}`);
  }
  if (records.length === 1 && records[0]?.target === ".") {
    throw new ResolveError(`Cannot resolve ${service}: DNS says that there is no such service`);
  }
  const hosts = sortSrv(records.filter(isRecord)).flatMap(({ target, port }) => {
    try {
      return [parseDest([target.replace(/\.$/, ""), port], "target", { zeroPort: false })];
    } catch {
      return []; // one that is no host is none to ask
    }
  });
  return hosts.length > 0 ? hosts : [endpoint];
}

function isRecord(record: unknown): record is SrvRecord {
  return typeof record === "object" && record !== null && "priority" in record &&
    typeof record.priority === "number" && "weight" in record && typeof record.weight === "number";
}

/** By priority; among equals by a draw in which a record counts by its weight (RFC 2782). */
export function sortSrv(records: readonly SrvRecord[], random = Math.random): SrvRecord[] {
  const left = records.toSorted((a, b) => a.priority - b.priority || a.weight - b.weight);
  const sorted: SrvRecord[] = [];
  while (left.length > 0) {
    const same = left.filter(({ priority }) => priority === left[0]?.priority);
    const total = same.reduce((sum, { weight }) => sum + weight, 0);
    let draw = random() * total;
    let at = same.findIndex(({ weight }) => (draw -= weight) < 0);
    if (at < 0) at = 0;
    sorted.push(...left.splice(at, 1));
  }
  return sorted;
}
