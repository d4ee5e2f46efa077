/**
 * From the name of a server to an answer: where it is, one address after the other, and on to the one
 * that it sends us to.
 *
 * @module
 */
import { PipeClosedError, PipeOpenError, PipeTimeoutError } from "../errors.ts";
import { addrKey, type Endpoint, parseDest } from "../net/address.ts";
import { formatIp } from "../net/ip.ts";
import { resolveEndpoint } from "../net/resolve.ts";
import { Interface } from "../netif/interface.ts";
import { RoutePool } from "../netif/route_pool.ts";
import type { NetConf } from "../pipe/conf.ts";
import type { Family, NetAddr } from "../pipe/types.ts";
import type { PipeOptions } from "../pipe/pipe_options.ts";
import { StunError } from "./error.ts";
import type { Mapping } from "./mapping.ts";
import { locate, type SrvLookup } from "./srv.ts";
import type { NamedServer } from "./uri.ts";

/** Asks one address. The name is what the certificate must have, over TLS. */
export type AskOne = (server: NetAddr, name: string) => Promise<Mapping>;

/** What {@linkcode askServer} needs to know. */
export interface AskContext {
  readonly proto: NetAddr["transport"];
  /** Only addresses of this family. */
  readonly family: Family | undefined;
  readonly conf: Readonly<NetConf>;
  readonly lookupSrv: SrvLookup;
  readonly signal: AbortSignal | undefined;
}

/** More servers that send on to others is a loop. */
const MAX_REDIRECTS = 4;

/** Asks a server: at each of its addresses until one answers. */
export async function askServer(
  server: NamedServer,
  one: AskOne,
  context: AskContext,
): Promise<Mapping> {
  const { proto, conf, lookupSrv, signal } = context;
  const hosts = await locate(server, proto, { lookupSrv, timeout: conf.dnsTimeout, signal });
  let failure: unknown;
  for (const host of hosts) {
    try {
      for (const hostname of await addressesOf(host, context)) {
        try {
          const addr = { transport: proto, hostname, port: host.port };
          return await follow(one, addr, server.endpoint.hostname);
        } catch (error) {
          failure = passing(error, signal);
        }
      }
    } catch (error) {
      failure = passing(error, signal);
    }
  }
  throw failure;
}

/** Throws what no other address can change. */
function passing(error: unknown, signal: AbortSignal | undefined): unknown {
  signal?.throwIfAborted();
  const silent = error instanceof PipeTimeoutError || error instanceof PipeClosedError;
  if (silent || (error instanceof PipeOpenError && error.phase !== "permission")) return error;
  throw error;
}

async function addressesOf(
  host: Endpoint,
  { family, conf, signal }: AskContext,
): Promise<string[]> {
  const ips = await resolveEndpoint(host, {
    timeout: conf.dnsTimeout,
    ...(family === undefined ? {} : { family }),
    ...(signal === undefined ? {} : { signal }),
    ...(conf.lookup === null ? {} : { lookup: conf.lookup }),
  });
  return ips.map(formatIp);
}

/** Asks, and asks the server that this one names instead (RFC 8489, section 10). */
async function follow(one: AskOne, first: NetAddr, firstName: string): Promise<Mapping> {
  const asked = new Set<string>();
  let addr = first, name = firstName;
  for (;;) {
    asked.add(addrKey(addr.hostname, addr.port));
    try {
      return await one(addr, name);
    } catch (error) {
      const alternate = error instanceof StunError ? error.alternate : undefined;
      if (!(error instanceof StunError) || error.code !== 300 || !alternate) throw error;
      const { hostname, port, domain } = alternate;
      const again = asked.has(addrKey(hostname, port)) || asked.size > MAX_REDIRECTS;
      // A name that nobody can have cannot be proven either.
      if (again || port === 0 || (domain !== undefined && !isHost(domain))) throw error;
      addr = { ...addr, hostname, port };
      name = domain ?? name;
    }
  }
}

function isHost(name: string): boolean {
  try {
    parseDest([name, 1], "name");
    return true;
  } catch {
    return false;
  }
}

/** The family that a route leaves from, if it has but one. */
export function familyOf(route: PipeOptions["route"]): Family | undefined {
  if (route === undefined) return undefined;
  const families = route instanceof Interface
    ? route.supported()
    : route instanceof RoutePool
    ? [...new Set(route.routes.map(({ family }) => family))]
    : [parseDest(route, "route", { literal: true }).ip?.family];
  return families.length === 1 ? families[0] : undefined;
}
