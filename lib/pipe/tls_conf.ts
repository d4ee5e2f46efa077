import { parseDest } from "../net/address.ts";
import { show } from "../net/show.ts";

/** How a pipe does TLS, as `conf.useSsl`. All texts are PEM (RFC 7468) or names. */
export interface TlsConf {
  /**
   * Certificates to trust, instead of those that Deno trusts (`DENO_TLS_CA_STORE`, `--cert`). A server
   * needs them for `clientAuth`. With QUIC they are trusted beside those, which Deno always trusts there.
   */
  readonly caCerts?: readonly string[] | undefined;
  /**
   * The name that a client asks for (SNI, RFC 6066) and that the server's certificate must have.
   *
   * @default {the host in `dest`}
   */
  readonly serverName?: string | undefined;
  /**
   * Application protocols to agree on, best first (ALPN, RFC 7301): `["h2", "http/1.1"]`. QUIC has to
   * have one, by default "p2pd".
   */
  readonly alpnProtocols?: readonly string[] | undefined;
  /** The certificate to show, with its chain. A server must have one; a client may be asked for one. */
  readonly cert?: string | undefined;
  /** The key of `cert`. Never shown again: not in errors, not in `pipe.conf`. */
  readonly key?: string | undefined;
  /**
   * Whether a server asks its clients for a certificate. "require" refuses those without a valid one;
   * "request" lets those without one in, which `pipe.tls.authorized` tells. Not with QUIC.
   *
   * @default {undefined} It does not ask.
   */
  readonly clientAuth?: "request" | "require" | undefined;
}

/** The keys, which are nowhere else, so that nothing that shows a conf can show them. */
const secrets = new WeakMap<TlsConf, string>();

const MAX_ALPN = 255; // RFC 7301, section 3.1

const KEYS: readonly string[] = [
  "caCerts",
  "serverName",
  "alpnProtocols",
  "cert",
  "key",
  "clientAuth",
] satisfies (keyof TlsConf)[];

/** The key that belongs to a conf which {@linkcode tlsConf} gave. */
export function keyOf(conf: TlsConf): string | undefined {
  return secrets.get(conf);
}

/** Checks `conf.useSsl`. The result is frozen and has no key in it; {@linkcode keyOf} knows that. */
export function tlsConf(value: unknown, what: string): boolean | TlsConf {
  if (typeof value === "boolean") return value;
  if (typeof value !== "object" || value === null) {
    throw new TypeError(`${what}: true, false or a TlsConf is needed, got ${brief(value)}`);
  }
  if (secrets.has(value)) return value; // `pipe.conf` used for another pipe
  for (const name of Object.keys(value)) {
    if (!KEYS.includes(name)) {
      throw new TypeError(`${what}: there is no ${show(name)}, only ${KEYS.join(", ")}`);
    }
  }
  const given: { readonly [K in keyof TlsConf]?: unknown } = value;
  const checked: { -readonly [K in keyof TlsConf]: TlsConf[K] } = {};
  if (given.caCerts !== undefined) {
    checked.caCerts = list(given.caCerts, `${what}.caCerts`, certificates);
  }
  if (given.serverName !== undefined) {
    checked.serverName = host(given.serverName, `${what}.serverName`);
  }
  if (given.alpnProtocols !== undefined) {
    checked.alpnProtocols = list(given.alpnProtocols, `${what}.alpnProtocols`, protocol);
  }
  if (given.cert !== undefined) checked.cert = certificates(given.cert, `${what}.cert`);
  if (given.clientAuth !== undefined) {
    checked.clientAuth = clientAuth(given.clientAuth, `${what}.clientAuth`);
  }
  if ((given.cert === undefined) !== (given.key === undefined)) {
    const [missing, there] = given.key === undefined ? ["key", "cert"] : ["cert", "key"];
    throw new TypeError(`${what}.${missing}: is missing; ${there} needs it`);
  }
  if (checked.clientAuth !== undefined && (checked.caCerts ?? []).length === 0) {
    throw new TypeError(`${what}.caCerts: is missing; clientAuth needs to know whom to trust`);
  }
  if (given.key !== undefined && (typeof given.key !== "string" || given.key === "")) {
    const got = given.key === "" ? "an empty one" : `a ${typeof given.key}`;
    throw new TypeError(`${what}.key: a PEM text is needed, got ${got}`);
  }
  const conf = Object.freeze(checked);
  if (typeof given.key === "string") secrets.set(conf, given.key);
  return conf;
}

/** Which side of a handshake, and on a client the peer's name, if the caller gave one. */
export interface TlsUse {
  readonly side: "client" | "server";
  readonly name: string | undefined;
}

/** Checks that a conf has what its side of the handshake needs, and nothing that it has no use for. */
export function checkTlsUse(conf: true | TlsConf, what: string, { side, name }: TlsUse): void {
  const { cert, clientAuth, serverName }: TlsConf = conf === true ? {} : conf;
  if (side === "server") {
    if (cert === undefined) throw new TypeError(`${what}: a TLS server needs cert and key`);
    if (serverName !== undefined) {
      throw new TypeError(`${what}.serverName: is the client's to say, this is a server`);
    }
    return;
  }
  if (clientAuth !== undefined) {
    throw new TypeError(`${what}.clientAuth: is the server's to ask, this is a client`);
  }
  if (serverName === undefined && name === undefined) {
    throw new TypeError(`${what}.serverName: is missing; there is no host name to verify`);
  }
}

/** The argument of `startTls`. */
export function checkStartTls(value: unknown, use: TlsUse): true | TlsConf {
  const conf = tlsConf(value, "tls");
  if (conf === false) throw new TypeError("tls: true or a TlsConf is needed, got false");
  checkTlsUse(conf, "tls", use);
  return conf;
}

/** No key is as short as that. */
const BRIEF = 40;

/** A wrong value, but for what may be a key in the wrong place. */
function brief(value: unknown): string {
  const shown = show(value);
  return shown.length <= BRIEF ? shown : `something long (${typeof value})`;
}

function text(value: unknown, what: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new TypeError(`${what}: a text is needed, got ${brief(value)}`);
}

/**
 * The certificates in a PEM text. What else is in it, which may be the key, is left out; a text without
 * any stays as it is, to be refused when it is read.
 */
function certificates(value: unknown, what: string): string {
  const pem = text(value, what);
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  return blocks === null ? pem : `${blocks.join("\n")}\n`;
}

/** A host name, or an IP address. */
function host(value: unknown, what: string): string {
  const name = text(value, what);
  try {
    return parseDest([name, 1], what).hostname;
  } catch {
    throw new TypeError(`${what}: a host name or an IP address is needed, got ${brief(value)}`);
  }
}

function list(
  value: unknown,
  what: string,
  item: (value: unknown, what: string) => string,
): readonly string[] {
  if (!Array.isArray(value)) throw new TypeError(`${what}: a list is needed, got ${brief(value)}`);
  return Object.freeze(value.map((entry: unknown, i) => item(entry, `${what}[${i}]`)));
}

function protocol(value: unknown, what: string): string {
  const name = text(value, what);
  if (new TextEncoder().encode(name).length > MAX_ALPN) {
    throw new RangeError(`${what}: must not be longer than ${MAX_ALPN} bytes, got ${brief(name)}`);
  }
  return name;
}

function clientAuth(value: unknown, what: string): "request" | "require" {
  if (value === "request" || value === "require") return value;
  throw new TypeError(`${what}: "request" or "require" is needed, got ${brief(value)}`);
}
