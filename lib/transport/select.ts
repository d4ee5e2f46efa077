/**
 * Which driver opens what. The only file that knows all of them; it loads none that is not needed.
 *
 * @module
 */
import { isLinkLocal, isUnspecified, parseIp } from "../net/ip.ts";
import { show } from "../net/show.ts";
import type { NetConf } from "../pipe/conf.ts";
import type { NetAddr, Proto } from "../pipe/types.ts";
import { TransportError } from "./error.ts";
import type { Acceptor, Driver, Transport } from "./transport.ts";
import { unstableNet } from "./unstable.ts";

/** What the choice depends on, besides the protocol. */
export interface SelectOptions {
  /** Whether the driver is to connect or to listen. */
  readonly role: "client" | "server";
  /** The local side asked for, if any. */
  readonly from: NetAddr | undefined;
  /** Whether it is a Unix socket. */
  readonly unix?: boolean;
  /** The options that not every driver can carry out. */
  readonly conf: Pick<NetConf, "linger" | "reuseAddr" | "useSsl" | "doClose">;
}

/**
 * Loads the driver that can open what is asked for.
 *
 * @throws {TransportError} If this process has none.
 */
export async function selectDriver(proto: Proto, options: SelectOptions): Promise<Driver> {
  if (options.unix === true) return await unixDriver(proto);
  if (proto === "udp") return await udpDriver();
  if (proto === "rudp") return (await import("../rudp/driver.ts")).rudpOver(await udpDriver());
  if (proto === "quic") return await quicDriver();
  return needsNode(options)
    ? (await import("./node_tcp.ts")).nodeTcp
    : (await import("./deno_tcp.ts")).denoTcp;
}

/**
 * Lays a protocol over a socket that somebody else has opened, if it is more than that.
 *
 * @throws {TypeError} If the protocol cannot be on such a socket.
 */
export async function layered(
  proto: Proto,
  socket: Transport | Acceptor,
  conf: Readonly<NetConf>,
): Promise<Transport | Acceptor> {
  if (proto !== "rudp" || "accept" in socket) return socket;
  const { path } = socket.localAddr;
  if (path !== undefined) throw new TypeError(`sock: rudp has no Unix sockets, got ${show(path)}`);
  return new (await import("../rudp/transport.ts")).RudpTransport(socket, conf);
}

async function udpDriver(): Promise<Driver> {
  return unstableNet()
    ? (await import("./deno_udp.ts")).denoUdp
    : (await import("./node_udp.ts")).nodeUdp;
}

async function quicDriver(): Promise<Driver> {
  if (unstableNet()) return (await import("../quic/driver.ts")).quicDriver;
  const message = "run with --unstable-net to use QUIC";
  throw new TransportError("denied", new Deno.errors.NotCapable(message));
}

async function unixDriver(proto: Proto): Promise<Driver> {
  if (proto === "tcp") return (await import("./unix.ts")).unixStreams;
  if (unstableNet()) return (await import("./deno_udp.ts")).denoUdp;
  const message = "run with --unstable-net to use Unix datagrams";
  throw new TransportError("denied", new Deno.errors.NotCapable(message));
}

/** Whether TCP has to go through node:net. */
function needsNode({ role, from, conf }: SelectOptions): boolean {
  // Only node:net can send a reset.
  if (conf.linger !== null) return true;
  // Deno ends a process that asks for reusePort without the flag.
  if (role === "server") return conf.reuseAddr && !unstableNet();
  // A handshake that fails leaves a read behind, and only node:net can take it back.
  if (conf.useSsl !== false && !conf.doClose) return true;
  const ip = from && parseIp(from.hostname);
  if (from === undefined || ip === undefined) return false;
  if (from.port !== 0) return true;
  // node:net cannot use link-local addresses, which the system chooses rightly by the zone of the peer.
  return !isUnspecified(ip) && !(ip.family === "IPv6" && isLinkLocal(ip));
}
