/**
 * TCP by Deno's own API, the default.
 *
 * @module
 */
import { formatAddr } from "../net/address.ts";
import { isUnspecified, normalizeIp, parseIp } from "../net/ip.ts";
import type { NetAddr } from "../pipe/types.ts";
import { zoneOf } from "./addr.ts";
import { ConnTransport } from "./deno_conn.ts";
import { ListenerAcceptor, setOptions } from "./deno_listener.ts";
import { translate, TransportError } from "./error.ts";
import type { Acceptor, Driver, DriverOptions, Transport } from "./transport.ts";
import { unstableNet } from "./unstable.ts";

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
    return new ListenerAcceptor(listener, conf, { zone: zoneOf(hostname) });
  } catch (error) {
    throw translate(error);
  }
}

/**
 * TCP by Deno's own API. A local address is at most checked: a client that has to have one goes by
 * `node_tcp.ts`.
 */
export const denoTcp: Driver = { name: "Deno TCP", connect, listen };
