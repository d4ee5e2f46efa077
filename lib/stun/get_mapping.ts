import { formatAddr } from "../net/address.ts";
import { show } from "../net/show.ts";
import { checkFunction, checkSignal } from "../pipe/checks.ts";
import { resolveConf } from "../pipe/conf.ts";
import { pipeOpen } from "../pipe/open.ts";
import type { NetAddr } from "../pipe/types.ts";
import type { PipeOptions } from "../pipe/pipe_options.ts";
import { type AskContext, type AskOne, askServer, familyOf } from "./ask.ts";
import { StunClient } from "./client.ts";
import { LongTerm, type StunCredentials } from "./long_term.ts";
import type { Mapping } from "./mapping.ts";
import { type SrvLookup, systemSrv } from "./srv.ts";
import { checkTiming, type StunTiming } from "./timing.ts";
import { type NamedServer, parseServer, protoOf, type StunServerName } from "./uri.ts";

/** What all questions about mappings have in common. */
export interface StunOptions {
  /** The local side, as of {@linkcode pipeOpen}. @default {the system's choice} */
  readonly route?: PipeOptions["route"];
  /** How to ask. @default {"udp"; "tcp" for stuns URIs} */
  readonly proto?: NetAddr["transport"] | undefined;
  /** Options of the pipes: `useSsl` for TLS, time-outs, `lookup`. */
  readonly conf?: PipeOptions["conf"];
  /** For servers that want to know who asks (RFC 8489, section 9.2). @default {none} */
  readonly credentials?: StunCredentials | undefined;
  /** When to send again and to give up. @default {RFC8489_TIMING} */
  readonly timing?: StunTiming | undefined;
  /** Looks SRV records up in place of the system's name servers. */
  readonly lookupSrv?: SrvLookup | undefined;
  /** Gives up; the call rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@linkcode getMapping}. */
export interface GetMappingOptions extends StunOptions {
  /** Whom to ask: `"host:port"` and so on, or a URI, `stun:example.org` or `stuns:example.org:5349`. */
  readonly server: StunServerName;
}

const KEYS: readonly string[] = [
  "route",
  "proto",
  "conf",
  "credentials",
  "timing",
  "lookupSrv",
  "signal",
] satisfies (keyof StunOptions)[];

/** Checks what is common; a misspelt option must not go unnoticed. */
export function checkOptions(options: StunOptions, ...more: readonly string[]): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`options: { ${more.join(", ")} } is needed, got ${show(options)}`);
  }
  const keys = [...more, ...KEYS];
  for (const key of Object.keys(options)) {
    if (keys.includes(key)) continue;
    throw new TypeError(`options: there is no ${show(key)}, only ${keys.join(", ")}`);
  }
  const { proto, credentials, timing, lookupSrv, signal } = options;
  if (proto !== undefined && proto !== "udp" && proto !== "tcp") {
    throw new TypeError(`proto: "udp" or "tcp" is needed, got ${show(proto)}`);
  }
  if (credentials !== undefined) new LongTerm(credentials); // throws where they are none
  if (timing !== undefined) checkTiming(timing);
  if (lookupSrv !== undefined) checkFunction(lookupSrv, "lookupSrv");
  checkSignal(signal);
}

/** A stuns URI without TLS would be a lie. */
export function checkTls({ scheme }: NamedServer, conf: StunOptions["conf"], what: string): void {
  if (scheme !== "stuns" || conf?.useSsl !== false) return;
  throw new TypeError(`${what}: stuns is TLS, and conf.useSsl is false`);
}

/** What {@linkcode askServer} needs, from the options. */
export function contextOf(
  options: StunOptions,
  proto: NetAddr["transport"],
  family = familyOf(options.route),
) {
  const { lookupSrv = systemSrv, signal } = options;
  const conf = resolveConf(options.conf);
  return { proto, family, conf, lookupSrv, signal } satisfies AskContext;
}

/** Asks over a pipe of its own. */
export function overOwnPipe(options: StunOptions, tls: boolean): AskOne {
  const { route, credentials, timing, signal } = options;
  return async (server, name) => {
    const { useSsl = tls } = options.conf ?? {};
    const tlsConf = useSsl === false
      ? false
      : { serverName: name, ...useSsl === true ? {} : useSsl };
    await using pipe = await pipeOpen(server.transport, {
      dest: server,
      route,
      conf: { ...options.conf, useSsl: tlsConf },
      signal,
    });
    using client = new StunClient(pipe, { credentials, timing });
    return await client.getMapping({ signal });
  };
}

/**
 * Asks a server under which address it sees us (RFC 8489, section 2). Nobody is asked but the server
 * named, and those that it names by an error 300 (section 10). Where DNS has the service of a URI
 * without a port (section 8.1), its hosts are tried in the order that it says.
 *
 * @param options Whom, how, and from where.
 * @returns The addresses. The pipe they are about is closed: to keep one open and ask over it, use a
 * {@linkcode StunClient}.
 * @throws {TypeError} If an option is of a wrong kind. Nothing was sent.
 * @throws {RangeError} If a number is out of its range. Nothing was sent.
 * @throws {StunError} If the server refuses, or answers what cannot be understood.
 * @throws {PipeTimeoutError} If it does not answer.
 * @throws {PipeOpenError} If no socket can be opened, the name does not resolve, or TLS fails.
 *
 * @example
 * ```ts
 * import { getMapping } from "@p2pd/pipes/stun";
 * import { serveStun } from "@p2pd/pipes/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await serveStun(); // in earnest: { server: "stun:stun.example.org" }
 * const { mapped } = await getMapping({ server: server.addr });
 * assertEquals(mapped.hostname, "127.0.0.1");
 * ```
 */
export async function getMapping(options: GetMappingOptions): Promise<Mapping> {
  checkOptions(options, "server");
  const server = parseServer(options.server, "server");
  checkTls(server, options.conf, "server");
  const context = contextOf(options, protoOf(server, options.proto, "proto"));
  context.signal?.throwIfAborted();
  return await askServer(server, overOwnPipe(options, server.scheme === "stuns"), context);
}

/** A server's name, as messages show it. */
export function nameOf(server: StunServerName): string {
  return typeof server === "string" ? server : formatAddr(parseServer(server, "server").endpoint);
}
