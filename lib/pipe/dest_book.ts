import { PipeStateError } from "../errors.ts";
import { addrKey, formatAddr, parseDest } from "../net/address.ts";
import { formatIp, type Ip } from "../net/ip.ts";
import { resolveEndpoint } from "../net/resolve.ts";
import type { NetConf } from "./conf.ts";
import type { Dest, Family, NetAddr } from "./types.ts";

/** Those that every host has: of the link, and of loopback. */
const BROADCAST: readonly string[] = ["255.255.255.255", "127.255.255.255"];

/** Enough for every peer of most servers, and no more memory than that for the others. */
const MOST = 4096;

/** The receivers of a datagram pipe: each is checked once and then found by its key. */
export class DestBook {
  readonly #known = new Map<string, NetAddr>();
  readonly #conf: Readonly<NetConf>;
  readonly #local: NetAddr;

  constructor(local: NetAddr, conf: Readonly<NetConf>) {
    this.#local = local;
    this.#conf = conf;
  }

  /** The address, if it was checked before or needs no look-up. */
  find(dest: Dest): NetAddr | Promise<NetAddr> {
    const key = keyOf(dest);
    const known = key === undefined ? undefined : this.#known.get(key);
    if (known !== undefined) return known;
    const endpoint = parseDest(dest, "dest", { zeroPort: false });
    if (endpoint.ip === undefined) {
      return resolveEndpoint(endpoint, {
        timeout: this.#conf.dnsTimeout,
        ...(this.#local.hostname.includes(":") ? {} : { family: "IPv4" as Family }),
      }).then(([ip]) => this.#check(ip, endpoint.port));
    }
    const addr = this.#check(endpoint.ip, endpoint.port);
    if (key !== undefined) {
      if (this.#known.size >= MOST) this.#known.clear();
      this.#known.set(key, addr);
    }
    return addr;
  }

  #check(ip: Ip | undefined, port: number): NetAddr {
    if (ip === undefined) throw new PipeStateError("Cannot send: the name has no address");
    const addr: NetAddr = Object.freeze({ transport: "udp", hostname: formatIp(ip), port });
    const refusal = this.refusal(addr);
    if (refusal !== undefined) throw refusal;
    const local = this.#local.hostname;
    if (ip.family === "IPv6" && !local.includes(":")) {
      throw new PipeStateError(
        `Cannot send: ${formatAddr(addr)} is an IPv6 address, and this pipe is bound to ${local}`,
      );
    }
    if (ip.family === "IPv4" && local.includes(":") && local !== "::") {
      throw new PipeStateError(
        `Cannot send: ${formatAddr(addr)} is an IPv4 address, and this pipe is bound to ${local}`,
      );
    }
    return addr;
  }

  /** Why an address must not be sent to, if it must not. */
  refusal(addr: NetAddr): Error | undefined {
    if (this.#conf.broadcast || !BROADCAST.includes(addr.hostname)) return undefined;
    return new PipeStateError(
      `Cannot send: ${formatAddr(addr)} is a broadcast address; set conf.broadcast to allow it`,
    );
  }
}

/** Text under which a destination can be found again; undefined for malformed ones. */
function keyOf(dest: Dest): string | undefined {
  if (typeof dest === "string") return `text ${dest}`;
  if (typeof dest !== "object" || dest === null) return undefined;
  const [host, port]: readonly unknown[] = "length" in dest ? dest : [dest.hostname, dest.port];
  return typeof host === "string" && typeof port === "number" ? addrKey(host, port) : undefined;
}
