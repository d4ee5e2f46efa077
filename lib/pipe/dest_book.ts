import { PipeStateError } from "../errors.ts";
import { addrKey, type Endpoint, formatAddr, parseDest } from "../net/address.ts";
import { formatIp, type Ip, isMulticast, parseIp } from "../net/ip.ts";
import { type Lookup, resolveEndpoint } from "../net/resolve.ts";
import { isKnownBroadcast } from "./broadcast.ts";
import type { NetConf } from "./conf.ts";
import { reachable } from "./peer.ts";
import type { Dest, NetAddr } from "./types.ts";

/** Enough for every peer of most servers, and no more memory than that for the others. */
const MOST = 4096;

/** What a {@linkcode DestBook} may be told. */
export interface DestBookOptions {
  /** Whether a receiver is one peer, which acknowledges, and never a group. */
  readonly single: boolean;
  /** Looks names up, unless `conf.lookup` does. @default {the system's} */
  readonly lookup: Lookup | undefined;
}

/** The receivers of a datagram pipe: each is checked once and then found by its key. */
export class DestBook {
  readonly #known = new Map<string, NetAddr>();
  readonly #conf: Readonly<NetConf>;
  readonly #local: NetAddr;
  readonly #single: boolean;
  readonly #lookup: Lookup | undefined;
  /** Ends look-ups; made when needed. */
  #looking: AbortController | undefined;
  /** What was found last: answers go to one sender after the other, and to one for a while. */
  #lastDest: Dest | undefined;
  #last: NetAddr | undefined;

  constructor(local: NetAddr, conf: Readonly<NetConf>, { single, lookup }: DestBookOptions) {
    this.#local = local;
    this.#conf = conf;
    this.#single = single;
    this.#lookup = conf.lookup ?? lookup;
  }

  /** The address, if it was checked before or needs no look-up. */
  find(dest: Dest): NetAddr | Promise<NetAddr> {
    // Only what cannot have changed since.
    if (dest === this.#lastDest && this.#last !== undefined) return this.#last;
    const key = keyOf(dest);
    const known = key === undefined ? undefined : this.#known.get(key);
    if (known !== undefined) return this.#remember(dest, known);
    const endpoint = parseDest(dest, "dest", { zeroPort: false });
    const { path, ip, port } = endpoint;
    if (path === undefined && ip === undefined) return this.#look(endpoint);
    const addr = path === undefined ? this.#ipAddr(ip, port) : pathAddr(path);
    this.#check(addr);
    if (key !== undefined) {
      if (this.#known.size >= MOST) this.#known.clear();
      this.#known.set(key, addr);
    }
    return this.#remember(dest, addr);
  }

  /** Looks nothing up any more: the pipe has ended. */
  stop(): void {
    (this.#looking ??= new AbortController()).abort();
  }

  #remember(dest: Dest, addr: NetAddr): NetAddr {
    if (typeof dest === "string" || isConstant(dest)) {
      this.#lastDest = dest;
      this.#last = addr;
    }
    return addr;
  }

  async #look(endpoint: Endpoint): Promise<NetAddr> {
    const timeout = this.#conf.dnsTimeout, lookup = this.#lookup;
    const { hostname, path } = this.#local;
    if (path !== undefined) throw this.#unreachable(endpoint, "no Unix socket");
    const family = hostname.includes(":") ? "IPv6" : "IPv4";
    const { signal } = this.#looking ??= new AbortController();
    const [ip] = await resolveEndpoint(endpoint, {
      timeout,
      signal,
      ...(lookup === undefined ? {} : { lookup }),
      ...(hostname === "::" ? {} : { family }), // which reaches both
    });
    return this.#check(this.#ipAddr(ip, endpoint.port));
  }

  #check(addr: NetAddr): NetAddr {
    const refusal = this.refusal(addr);
    if (refusal !== undefined) throw refusal;
    const local = this.#local;
    if ((addr.path === undefined) !== (local.path === undefined)) {
      throw this.#unreachable(addr, addr.path === undefined ? "no Unix socket" : "a Unix socket");
    }
    if (addr.path !== undefined) return addr;
    const ipv6 = addr.hostname.includes(":"), fromIpv6 = local.hostname.includes(":");
    if (ipv6 && !fromIpv6) throw this.#unreachable(addr, "an IPv6 address");
    if (!ipv6 && fromIpv6 && local.hostname !== "::") {
      throw this.#unreachable(addr, "an IPv4 address");
    }
    return addr;
  }

  #ipAddr(ip: Ip | undefined, port: number): NetAddr {
    if (ip === undefined) throw new PipeStateError("Cannot send: the name has no address");
    const there = reachable(ip, parseIp(this.#local.hostname));
    return Object.freeze({ transport: "udp", hostname: formatIp(there), port });
  }

  #unreachable(to: NetAddr | Endpoint, what: string): PipeStateError {
    const local = this.#local.path ?? this.#local.hostname;
    return new PipeStateError(
      `Cannot send: ${formatAddr(to)} is ${what}, and this pipe is bound to ${local}`,
    );
  }

  /** Why an address must not be sent to, if it must not. */
  refusal(addr: NetAddr): Error | undefined {
    if (this.#single && isGroup(addr.hostname)) {
      return new PipeStateError(
        `Cannot send: ${
          formatAddr(addr)
        } is everybody's address, and one peer must acknowledge; use UDP`,
      );
    }
    if (this.#conf.broadcast || addr.path !== undefined) return undefined;
    if (!isKnownBroadcast(addr.hostname)) return undefined;
    return new PipeStateError(
      `Cannot send: ${formatAddr(addr)} is a broadcast address; set conf.broadcast to allow it`,
    );
  }
}

/** Whether it will always be the same address. */
function isConstant(dest: object): boolean {
  const isValue = (key: string) => Object.getOwnPropertyDescriptor(dest, key)?.value !== undefined;
  return Object.isFrozen(dest) && isValue("hostname") && isValue("port");
}

/** Whether everybody hears what is sent to an address, or many: multicast and broadcast. */
export function isGroup(hostname: string): boolean {
  const ip = parseIp(hostname);
  return (ip !== undefined && isMulticast(ip)) || isKnownBroadcast(hostname);
}

function pathAddr(path: string): NetAddr {
  return Object.freeze({ transport: "udp", hostname: path, port: 0, path });
}

/** Text under which a destination can be found again; undefined for malformed ones. */
function keyOf(dest: Dest): string | undefined {
  if (typeof dest === "string") return `text ${dest}`;
  if (typeof dest !== "object" || dest === null) return undefined;
  if ("path" in dest && dest.path !== undefined) {
    return typeof dest.path === "string" ? `path ${dest.path}` : undefined;
  }
  if (!("hostname" in dest || "length" in dest)) return undefined;
  const [host, port]: readonly unknown[] = "length" in dest ? dest : [dest.hostname, dest.port];
  return typeof host === "string" && typeof port === "number" ? addrKey(host, port) : undefined;
}
