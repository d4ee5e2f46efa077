/**
 * TCP by Deno's own API, the default.
 *
 * @module
 */
import { delay } from "@std/async";
import { formatAddr } from "../net/address.ts";
import { isUnspecified, normalizeIp, parseIp } from "../net/ip.ts";
import { NET_CONF, type NetConf } from "../pipe/conf.ts";
import type { NetAddr } from "../pipe/types.ts";
import { denoAddr, zoneOf } from "./addr.ts";
import { ConnTransport } from "./deno_conn.ts";
import { busyWith, codeOf, translate, TransportError } from "./error.ts";
import type { Acceptor, Driver, DriverOptions, Transport } from "./transport.ts";
import { unstableNet } from "./unstable.ts";

/** The system has too little of something just now: wait before accepting again. */
const SHORTAGES: readonly unknown[] = ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"];
const FIRST_WAIT = 50, LAST_WAIT = 1000;

/** Sets what differs from the system's defaults. */
function setOptions(conn: Deno.Conn, conf: Readonly<NetConf>): void {
  try {
    if (conf.noDelay && "setNoDelay" in conn && typeof conn.setNoDelay === "function") {
      conn.setNoDelay(true);
    }
    if (conf.keepAlive && "setKeepAlive" in conn && typeof conn.setKeepAlive === "function") {
      conn.setKeepAlive(true);
    }
  } catch {
    // Some systems refuse once the peer has gone, which reading and writing will tell.
  }
}

class ListenerAcceptor implements Acceptor {
  readonly localAddr: NetAddr;
  readonly raw: Deno.Listener;
  readonly #conf: Readonly<NetConf>;
  readonly #zone: string;
  readonly #closing = new AbortController();
  #accepting: Promise<Transport | null> | undefined;
  #closed: Promise<void> | undefined;

  constructor(listener: Deno.Listener, conf: Readonly<NetConf>, zone = "") {
    this.localAddr = denoAddr(listener.addr, zone);
    this.raw = listener;
    this.#conf = conf;
    this.#zone = zone;
  }

  async accept(): Promise<Transport | null> {
    if (this.#accepting !== undefined) throw busyWith("accept");
    this.#accepting = this.#next();
    try {
      return await this.#accepting;
    } finally {
      this.#accepting = undefined;
    }
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #next(): Promise<Transport | null> {
    const { signal } = this.#closing;
    for (let wait = FIRST_WAIT; !signal.aborted;) {
      try {
        return this.#adopt(await this.raw.accept());
      } catch (error) {
        const failure = translate(error);
        // "closed" without a close of ours: the owner of the raw listener closed it.
        if (signal.aborted || failure.fault === "closed") return null;
        if (failure.fault === "reset") continue; // that client left before it was accepted
        if (!SHORTAGES.includes(codeOf(error))) throw failure;
        await delay(wait, { signal }).catch(() => {});
        wait = Math.min(wait * 2, LAST_WAIT);
      }
    }
    return null;
  }

  #adopt(conn: Deno.Conn): Transport | null {
    if (this.#closing.signal.aborted) {
      conn.close();
      return null;
    }
    setOptions(conn, this.#conf);
    return new ConnTransport(conn, this.#zone);
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    try {
      this.raw.close();
    } catch {
      // The owner of the raw listener closed it.
    }
    // The system frees the port when the last call on the listener has returned.
    await this.#accepting?.catch(() => {});
  }
}

/** `Deno.connect` takes no local address, so all that can be done is to see what it chose. */
function checkLocal(conn: Deno.TcpConn, from: NetAddr): void {
  const chosen = conn.localAddr, wanted = parseIp(from.hostname);
  const host = wanted === undefined || isUnspecified(wanted) ||
    normalizeIp(chosen.hostname) === normalizeIp(from.hostname.replace(/%.*/, ""));
  if (host && (from.port === 0 || from.port === chosen.port)) return;
  conn.close();
  const message = `Cannot bind to ${formatAddr(from)}: Deno.connect chose ${formatAddr(chosen)}`;
  throw new TransportError("failed", new Error(message));
}

async function connect(
  to: NetAddr,
  from: NetAddr | undefined,
  { conf, signal }: DriverOptions,
): Promise<Transport> {
  signal.throwIfAborted();
  let conn: Deno.TcpConn;
  try {
    conn = await Deno.connect({ hostname: to.hostname, port: to.port, signal });
  } catch (error) {
    signal.throwIfAborted();
    throw translate(error);
  }
  if (signal.aborted) {
    conn.close();
    throw signal.reason;
  }
  if (from !== undefined) checkLocal(conn, from);
  setOptions(conn, conf);
  return new ConnTransport(conn, zoneOf(to.hostname) || zoneOf(from?.hostname));
}

// deno-lint-ignore require-await -- what it throws is a rejection
async function listen(at: NetAddr, { conf, signal }: DriverOptions): Promise<Acceptor> {
  signal.throwIfAborted();
  if (conf.reuseAddr && !unstableNet()) {
    // Deno does not throw here: it ends the process.
    const message = "Cannot listen with reuseAddr: Deno.listen needs --unstable-net for it";
    throw new TransportError("failed", new Deno.errors.NotSupported(message));
  }
  try {
    const { hostname, port } = at;
    const listener = Deno.listen({ hostname, port, reusePort: conf.reuseAddr });
    return new ListenerAcceptor(listener, conf, zoneOf(hostname));
  } catch (error) {
    throw translate(error);
  }
}

/**
 * TCP by Deno's own API. A local address is at most checked: a client that has to have one goes by
 * `node_tcp.ts`.
 */
export const denoTcp: Driver = { name: "Deno TCP", connect, listen };

/**
 * Makes a transport of an open connection, whose options stay as they are.
 *
 * @param conn The connection, owned by the transport from here on.
 * @throws {TypeError} If it has no IP addresses.
 */
export function adoptConn(conn: Deno.Conn): Transport {
  return new ConnTransport(conn);
}

/**
 * Makes an acceptor of an open listener.
 *
 * @param listener The listener, owned by the acceptor from here on.
 * @param conf Options of the connections it accepts.
 * @throws {TypeError} If it has no IP address.
 */
export function adoptListener(
  listener: Deno.Listener,
  conf: Readonly<NetConf> = NET_CONF,
): Acceptor {
  return new ListenerAcceptor(listener, conf);
}
