import { type Endpoint, parseDest } from "../net/address.ts";
import { show } from "../net/show.ts";
import type { Dest, NetAddr } from "../pipe/types.ts";

/** A server as a caller names it: `["host", port]` and so on, or a URI (RFC 7064). */
export type StunServerName = Dest;

/** A server, checked. */
export interface NamedServer {
  /** The host. */
  readonly endpoint: Endpoint;
  /** "stuns" is TLS. */
  readonly scheme: "stun" | "stuns" | undefined;
  /** Whether a port was given; without one DNS may say where the service is. */
  readonly hasPort: boolean;
}

/** The ports of RFC 8489, section 18.6. */
export const STUN_PORT = 3478, STUNS_PORT = 5349;

const URI = /^(stuns?):(.*)$/is;

/**
 * Reads a server's name: a destination with a port, or `stun:host[:port]`, `stuns:host[:port]`
 * (RFC 7064, section 3.1), where IPv6 addresses are in brackets.
 *
 * @param server The name.
 * @param what The argument's name, for the error.
 * @returns Its parts.
 * @throws {TypeError} If it is none.
 * @throws {RangeError} If the port is none.
 */
export function parseServer(server: unknown, what: string): NamedServer {
  const [, found, rest = ""] = (typeof server === "string" ? URI.exec(server) : null) ?? [];
  if (found === undefined) {
    const endpoint = parseDest(server, what, { zeroPort: false });
    if (endpoint.path !== undefined) {
      throw new TypeError(`${what}: STUN is for UDP, TCP and TLS, got ${show(server)}`);
    }
    return { endpoint, scheme: undefined, hasPort: true };
  }
  const scheme = found.toLowerCase() === "stun" ? "stun" : "stuns";
  if (/[/?#@]/.test(rest)) {
    throw new TypeError(
      `${what}: a STUN URI is ${scheme}:host or ${scheme}:host:port, got ${show(server)}`,
    );
  }
  const hasPort = /:\d*$/.test(rest.replace(/^\[[^\]]*\]/, ""));
  const port = scheme === "stun" ? STUN_PORT : STUNS_PORT;
  const dest = hasPort ? rest : `${rest}:${port}`;
  return { endpoint: parseDest(dest, what, { zeroPort: false }), scheme, hasPort };
}

/** How a server is asked: over UDP unless it says otherwise; "stuns" is TLS over TCP. */
export function protoOf(
  { scheme }: NamedServer,
  proto: NetAddr["transport"] | undefined,
  what: string,
): NetAddr["transport"] {
  if (scheme === "stuns" && proto === "udp") {
    throw new TypeError(`${what}: stuns is TLS over TCP; there is no DTLS here, got "udp"`);
  }
  return proto ?? (scheme === "stuns" ? "tcp" : "udp");
}
