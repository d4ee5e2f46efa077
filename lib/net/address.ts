/**
 * Addresses as a caller writes them, checked before any socket exists.
 *
 * @module
 */
import { formatIp, type Ip, parseIp, unmapIp } from "./ip.ts";
import { show } from "./show.ts";
import { checkPath, isAbstract } from "./unix_path.ts";

/** A checked address: where to go, or where to listen. */
export interface Endpoint {
  /** Canonical IP text (v4-mapped unfolded, zone kept), a lower-case host name, "*", or `path`. */
  readonly hostname: string;
  /** 0 to 65535. */
  readonly port: number;
  /** The address, if the host is one. */
  readonly ip: Ip | undefined;
  /** The path, if it is a Unix socket; the port is 0 then. */
  readonly path?: string;
}

/** What {@linkcode parseDest} lets pass. */
export interface ParseDestOptions {
  /**
   * "*" is a host: every address of both families.
   *
   * @default {false}
   */
  readonly wildcard?: boolean;
  /**
   * The host must be an IP address (or "*", with `wildcard`), nothing to look up.
   *
   * @default {false}
   */
  readonly literal?: boolean;
  /**
   * Port 0 is a port: "any" to a filter, "choose one" to a listener.
   *
   * @default {true}
   */
  readonly zeroPort?: boolean;
}

const FORMS = 'must be [host, port], "host:port", "[ipv6]:port", { hostname, port } or { path }';
/** Longer is no name, even before its conversion to ASCII; keeps the conversion short. */
const MAX_HOST = 1024;
const MAX_NAME = 253, MAX_LABEL = 63; // RFC 1035, section 2.3.4

/** A host and a port, not checked. */
interface Parts {
  readonly host: unknown;
  readonly port: unknown;
  /** The port as the caller wrote it. */
  readonly written: unknown;
}

/** The port of "host:port": decimal digits without a leading zero; NaN for anything else. */
function digitsToPort(text: string): number {
  if (text.length === 0 || text.length > 5 || (text.length > 1 && text.startsWith("0"))) return NaN;
  for (let i = 0; i < text.length; i++) {
    if (!isDigit(text.charCodeAt(i))) return NaN;
  }
  return Number(text);
}

function splitText(text: string, what: string): Parts {
  const refuse = (why: string) => new TypeError(`${what}: ${why}, got ${show(text)}`);
  const colon = text.lastIndexOf(":");
  const written = text.slice(colon + 1);
  const port = digitsToPort(written);
  if (text.startsWith("[")) {
    const end = text.indexOf("]");
    if (end < 0) throw refuse('"[" without "]"');
    const host = text.slice(1, end);
    if (parseIp(host)?.family !== "IPv6") throw refuse("not an IPv6 address in the brackets");
    if (colon !== end + 1) throw refuse('needs a port after the brackets, "[ipv6]:port"');
    return { host, port, written };
  }
  if (text.includes("://")) throw refuse('"host:port" is needed, no URL');
  if (colon < 0) throw refuse('needs a port, "host:port"');
  const host = text.slice(0, colon);
  if (host.includes(":")) {
    const bare = parseIp(text) ?? parseIp(host);
    throw refuse(bare ? "write an IPv6 address in brackets, [::1]:80" : FORMS);
  }
  return { host, port, written };
}

function split(dest: unknown, what: string): Parts {
  if (typeof dest === "string") return splitText(dest, what);
  if (Array.isArray(dest)) {
    const [host, port]: readonly unknown[] = dest;
    if (dest.length === 2) return { host, port, written: port };
  } else if (typeof dest === "object" && dest !== null && "hostname" in dest && "port" in dest) {
    return { host: dest.hostname, port: dest.port, written: dest.port };
  }
  const isPipe = typeof dest === "object" && dest !== null && "localAddr" in dest;
  const hint = isPipe ? "; use its localAddr or remoteAddr" : "";
  throw new TypeError(`${what}: ${FORMS}, got ${show(dest)}${hint}`);
}

/** Whether it is an object for a Unix socket; that of an IP address may have an undefined path. */
function hasPath(dest: unknown): dest is { readonly path: unknown } {
  return typeof dest === "object" && dest !== null && "path" in dest && dest.path !== undefined;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** ASCII letters, digits, "-", "_": what a label is made of, and a host of labels and dots. */
function isNameCode(code: number): boolean {
  const lower = code | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || isDigit(code) || code === 0x2d || code === 0x5f;
}

function isLabel(label: string): boolean {
  if (label.length === 0 || label.length > MAX_LABEL) return false;
  if (label.startsWith("-") || label.endsWith("-")) return false;
  for (let i = 0; i < label.length; i++) if (!isNameCode(label.charCodeAt(i))) return false;
  return true;
}

/** Whether C libraries take a name that ends so for IPv4: "1", "0x1f". */
function isNumeric(label: string): boolean {
  const hex = label.startsWith("0x") || label.startsWith("0X");
  for (let i = hex ? 2 : 0; i < label.length; i++) {
    const code = label.charCodeAt(i), lower = code | 0x20;
    if (!isDigit(code) && !(hex && lower >= 0x61 && lower <= 0x66)) return false;
  }
  return label.length > 0;
}

/** Punycode (RFC 3492) by the platform's URL; undefined if that refuses the name. */
function toAscii(host: string): string | undefined {
  for (let i = 0; i < host.length; i++) {
    const code = host.charCodeAt(i);
    // what ends or splits the host of a URL must not get there
    if (code < 0x80 && code !== 0x2e && !isNameCode(code)) return undefined;
  }
  return URL.parse(`http://${host}/`)?.hostname;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** Checks a host name by RFC 1123, section 2.1. */
function checkName(host: string, what: string): string {
  const refuse = (why: string) => new TypeError(`${what}: ${why}, got ${show(host)}`);
  if (host.length > MAX_HOST) throw refuse("host is too long");
  const ascii = isAscii(host) ? host : toAscii(host);
  if (ascii === undefined) throw refuse("host is not a host name");
  const name = ascii.endsWith(".") ? ascii.slice(0, -1) : ascii;
  const labels = name.split(".");
  if (isNumeric(labels.at(-1) ?? "")) throw refuse("host is not an IPv4 address");
  if (name.length > MAX_NAME || !labels.every(isLabel)) throw refuse("host is not a host name");
  return ascii.toLowerCase();
}

function checkPort({ port, written }: Parts, what: string, zeroPort = true): number {
  if (typeof port !== "number" || !Number.isInteger(port) || port < 0 || port > 65535) {
    const got = show(written);
    throw new RangeError(`${what}: port must be a whole number from 0 to 65535, got ${got}`);
  }
  if (port === 0 && !zeroPort) {
    throw new RangeError(`${what}: a destination needs a real port, 1 to 65535, got 0`);
  }
  return port + 0; // -0 is 0
}

/**
 * Checks an address as a caller writes it: `[host, port]`, `"host:port"`, `"[::1]:80"`, an object with
 * `hostname` and `port` as Deno has them, or one with the `path` of a Unix socket. Nothing is looked up.
 *
 * @param dest The address.
 * @param what The argument's name, for the error.
 * @param o What else is allowed, and what is not.
 * @returns The address, in canonical text.
 * @throws {TypeError} If the form or the host is wrong; the message names the argument and the value.
 * @throws {RangeError} If the port is wrong, or is 0 where it must not be, or the path is too long.
 */
export function parseDest(dest: unknown, what: string, o: ParseDestOptions = {}): Endpoint {
  if (hasPath(dest)) {
    const path = checkPath(dest.path, what);
    return { hostname: path, port: 0, ip: undefined, path };
  }
  const parts = split(dest, what);
  const { host } = parts;
  const refuse = (why: string) => new TypeError(`${what}: ${why}, got ${show(dest)}`);
  if (typeof host !== "string") throw refuse("host must be a string");
  if (host === "") throw refuse("host is empty");
  if (host === "*") {
    if (o.wildcard !== true) throw refuse('"*" is only an address to listen on');
    return { hostname: host, port: checkPort(parts, what, o.zeroPort), ip: undefined };
  }
  const parsed = parseIp(host);
  if (parsed) {
    const ip = unmapIp(parsed);
    return { hostname: formatIp(ip), port: checkPort(parts, what, o.zeroPort), ip };
  }
  if (host.includes("[") || host.includes("]")) {
    throw refuse("write an IPv6 host without brackets here");
  }
  if (host.includes(":") || host.includes("%")) throw refuse("host is not an IPv6 address");
  const name = checkName(host, what);
  if (o.literal === true) {
    throw refuse(`host must be an IP address${o.wildcard === true ? ' or "*"' : ""}, not a name`);
  }
  return { hostname: name, port: checkPort(parts, what, o.zeroPort), ip: undefined };
}

/**
 * A key for maps by address.
 *
 * @param hostname A canonical address; other spellings give other keys.
 * @param port The port.
 * @returns The key.
 */
export function addrKey(hostname: string, port: number): string {
  return `${hostname}|${port}`;
}

/** What a terminal or a log may act on instead of showing it; a peer may have chosen its path. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/**
 * An address as text, as messages show it. Every `dest` and `route` takes back that of an IP address;
 * the path of a Unix socket goes into `{ path }`.
 *
 * @param addr An address of a pipe, or of Deno.
 * @returns `1.2.3.4:80` or `[::1]:80` (RFC 3986, section 3.2.2); the path of a Unix socket, with "@" for
 * the NUL of an abstract name; "(unnamed)" for a socket without an address.
 * @throws {TypeError} If it is no such object.
 *
 * @example
 * ```ts
 * import { formatAddr } from "@p2pd/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatAddr({ hostname: "::1", port: 80 }), "[::1]:80");
 * ```
 */
export function formatAddr(
  addr: { readonly hostname: string; readonly port: number; readonly path?: string },
): string {
  if (!isAddr(addr)) {
    throw new TypeError(`addr: { hostname, port } or { path } is needed, got ${show(addr)}`);
  }
  const { hostname, port, path = hostname } = addr;
  if (path === "") return "(unnamed)";
  if (addr.path === undefined) {
    return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
  }
  const text = isAbstract(path) ? `@${path.slice(1)}` : path;
  return HIDDEN.test(text) ? show(text) : text;
}

/** As far as it takes to show it. */
function isAddr(
  addr: { readonly hostname: unknown; readonly port: unknown; readonly path?: unknown } | null,
): boolean {
  if (typeof addr !== "object" || addr === null) return false;
  if (addr.path !== undefined) return typeof addr.path === "string";
  return typeof addr.hostname === "string" && typeof addr.port === "number";
}
