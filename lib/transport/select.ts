/**
 * Which driver opens what. The only file that knows all of them; it loads none that is not needed.
 *
 * @module
 */
import { isLinkLocal, isUnspecified, parseIp } from "../net/ip.ts";
import { show } from "../net/show.ts";
import type { NetConf } from "../pipe/conf.ts";
import type { NetAddr, Proto } from "../pipe/types.ts";
import type { Acceptor, Driver, Transport } from "./transport.ts";
import { unstableNet } from "./unstable.ts";

/** What the choice depends on, besides the protocol. */
export interface SelectOptions {
  /** Whether the driver is to connect or to listen. */
  readonly role: "client" | "server";
  /** The local side asked for, if any. */
  readonly from: NetAddr | undefined;
  /** The options that not every driver can carry out. */
  readonly conf: Pick<NetConf, "linger" | "reuseAddr">;
}

/** Loads the driver that can open what is asked for. */
export async function selectDriver(proto: Proto, options: SelectOptions): Promise<Driver> {
  if (proto === "udp") {
    return unstableNet()
      ? (await import("./deno_udp.ts")).denoUdp
      : (await import("./node_udp.ts")).nodeUdp;
  }
  return needsNode(options)
    ? (await import("./node_tcp.ts")).nodeTcp
    : (await import("./deno_tcp.ts")).denoTcp;
}

/** Whether TCP has to go through node:net. */
function needsNode({ role, from, conf }: SelectOptions): boolean {
  // Only node:net can send a reset.
  if (conf.linger !== null) return true;
  // Deno ends a process that asks for reusePort without the flag.
  if (role === "server") return conf.reuseAddr && !unstableNet();
  const ip = from && parseIp(from.hostname);
  if (from === undefined || ip === undefined) return false;
  if (from.port !== 0) return true;
  // node:net cannot use link-local addresses, which the system chooses rightly by the zone of the peer.
  return !isUnspecified(ip) && !(ip.family === "IPv6" && isLinkLocal(ip));
}

/** A socket of Deno's that is open already. */
export type OpenSocket = Deno.Conn | Deno.Listener | Deno.DatagramConn;

/**
 * Makes a transport or an acceptor of an open socket.
 *
 * @param sock The socket, owned by the result from here on.
 * @param conf Options of the connections that a listener accepts; an open connection stays as it is.
 * @param to The peer that a datagram socket is to have.
 * @throws {TypeError} If it is none of these, or has no IP address.
 */
export async function adoptSocket(
  sock: OpenSocket,
  conf: Readonly<NetConf>,
  to?: NetAddr,
): Promise<Transport | Acceptor> {
  if ("receive" in sock) return (await import("./deno_udp.ts")).adoptDatagram(sock, to);
  const { adoptConn, adoptListener } = await import("./deno_tcp.ts");
  if ("accept" in sock) return adoptListener(sock, conf);
  if ("read" in sock) return adoptConn(sock);
  throw new TypeError(`sock: must be a connection, listener or datagram socket, got ${show(sock)}`);
}
