/**
 * From a checked plan to an open socket.
 *
 * @module
 */
import { PipeOpenError, PipeStateError, PipeTimeoutError } from "../errors.ts";
import { framed } from "../framing/framed_transport.ts";
import type { Endpoint } from "../net/address.ts";
import { formatIp, type Ip, isLinkLocal, parseIp } from "../net/ip.ts";
import { resolveEndpoint } from "../net/resolve.ts";
import type { Connection } from "../quic/connection.ts";
import { unixAddr } from "../transport/addr.ts";
import { codeOf, TransportError } from "../transport/error.ts";
import { layered } from "../transport/select.ts";
import type { TlsContext } from "../transport/tls.ts";
import type { Acceptor, Transport } from "../transport/transport.ts";
import { AllFailed, ATTEMPT_DELAY, interleave, race } from "./happy_eyeballs.ts";
import { noWay, openError, systemError } from "./open_error.ts";
import { withSock } from "./open_failure.ts";
import { bindFor, type LocalSide } from "./local_side.ts";
import { isUnix, type Plan } from "./options.ts";
import { reachable } from "./peer.ts";
import { PROTOS, UDP } from "./proto.ts";
import { dismiss, handshake, needsHandshake } from "./secure.ts";
import type { Dest, NetAddr, Proto } from "./types.ts";
import { within } from "./within.ts";

/** What is to be a pipe. */
export interface Opened {
  readonly socket: Transport | Acceptor;
  /** The local side that was taken. */
  readonly route: Dest | undefined;
}

/** Opens, or adopts, what a plan is for, ready to be a pipe. */
export async function open(p: Plan, tls: TlsContext | undefined): Promise<Opened> {
  const { socket, route } = await begin(p);
  if ("accept" in socket) return { socket, route };
  return { socket: framed(await finish(p, socket, tls), p.conf), route };
}

async function begin(p: Plan): Promise<Opened> {
  if (p.over !== undefined) return { socket: await openOver(p, p.over), route: undefined };
  if (p.sock !== undefined) return { socket: await adopt(p, p.sock), route: undefined };
  return p.role === "server" ? await listen(p) : await connect(p);
}

/** What is to be done on an open connection before it is a pipe. */
async function finish(
  p: Plan,
  transport: Transport,
  context: TlsContext | undefined,
): Promise<Transport> {
  const { conf, dest, signal, sock } = p;
  if (!needsHandshake(transport, context)) return transport;
  try {
    const name = dest?.path === undefined ? dest?.hostname : undefined;
    return await handshake(transport, { context, name, timeout: conf.sslHandshake, signal });
  } catch (error) {
    // Nobody could be handed a socket of ours together with the reason of a signal.
    if (conf.doClose || (sock === undefined && !(error instanceof PipeOpenError))) {
      await dismiss(transport, signal);
      throw error;
    }
    const left = transport.release?.() ?? transport.raw;
    throw error instanceof PipeOpenError ? withSock(error, left) : error;
  }
}

/** Opens one pipe more on a connection of QUIC: a stream, or its datagrams. */
async function openOver(p: Plan, connection: Connection): Promise<Transport> {
  const { proto, conf: { conTimeout }, signal } = p;
  const { openDatagrams, openStream } = await import("../quic/over.ts");
  if (proto === UDP) return openDatagrams(connection);
  const late = () => new PipeTimeoutError(`The peer allows no more streams (${conTimeout} ms)`);
  try {
    return await within(conTimeout, signal, late, (limit) => openStream(connection, limit));
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof PipeStateError) throw error;
    throw openError(p, [{ to: connection.remoteAddr, from: undefined }], [error]);
  }
}

async function adopt(p: Plan, sock: NonNullable<Plan["sock"]>): Promise<Transport | Acceptor> {
  const [to] = (await peers(p)).map((peer) => toward(peer));
  try {
    return await layered(p.proto, await p.sockets.adopt(sock, p.conf, to), p.conf);
  } catch (error) {
    throw error instanceof TransportError
      ? openError(p, to === undefined ? [] : [{ to, from: undefined }], [error])
      : error;
  }
}

/** A peer's address, and where to leave from. */
export interface Way {
  readonly to: NetAddr;
  readonly from: NetAddr | undefined;
  readonly route: Dest | undefined;
}

async function connect(p: Plan): Promise<Opened> {
  const { proto, conf, signal } = p;
  const addresses = await peers(p);
  const name = p.dest?.path === undefined ? p.dest?.hostname : undefined;
  const ways = waysOf(p, addresses);
  if (ways.length === 0) throw noWay(p, addresses);
  const attempt = async (way: Way, ended: AbortSignal) => {
    const { to, from, route } = way;
    const driver = await p.sockets.select(proto, { role: "client", from, unix: isUnix(p), conf });
    return { socket: await driver.connect(to, from, { conf, name, signal: ended }), route };
  };
  const late = () => new PipeTimeoutError(`No connection within ${conf.conTimeout} ms`);
  return await within(conf.conTimeout, signal, late, async (limit) => {
    try {
      return await race(ways, {
        attempt,
        discard: ({ socket }) => socket.abort(),
        signal: limit,
        // So that each is tried in time.
        delay: Math.min(ATTEMPT_DELAY, conf.conTimeout / (ways.length + 1)),
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof AllFailed ? openError(p, ways, error.errors) : error;
    }
  });
}

/**
 * Every way to the peer: to one address after the other, in the order of the look-up but with the
 * families in turn, from all local sides that can reach it. So each route has its turn early, however
 * many addresses there are.
 */
function waysOf({ proto, locals }: Plan, addresses: readonly NetAddr[]): readonly Way[] {
  if (locals.length === 0) {
    return tried(proto, addresses).map((to) => ({
      to: toward(to),
      from: undefined,
      route: undefined,
    }));
  }
  const ways = (to: NetAddr) =>
    locals.map((local) => wayFrom(local, to)).filter((way) => way !== undefined);
  return tried(proto, addresses.filter((to) => ways(to).length > 0)).flatMap(ways);
}

/** A datagram "connects" by remembering the address, so the first one is as good as any other. */
function tried(proto: Proto, addresses: readonly NetAddr[]): readonly NetAddr[] {
  return PROTOS[proto].connects ? interleave(addresses) : addresses.slice(0, 1);
}

/** The way to an address, if there is one from this side. */
function wayFrom(local: LocalSide, peer: NetAddr): Way | undefined {
  const { path } = local.endpoint, { transport } = peer;
  if (path !== undefined) return { to: peer, from: unixAddr(transport, path), route: local.route };
  const there = parseIp(peer.hostname);
  if (there === undefined || there.family !== local.endpoint.ip?.family) return undefined;
  const { route, endpoint: { ip, port } } = bindFor(local, there);
  if (ip === undefined) return undefined;
  // On a link there is nobody but who is on it.
  const zoned = isLinkLocal(there) && ip.zone !== "";
  if (zoned && there.zone !== "" && !isSameZone(there.zone, ip.zone)) return undefined;
  const to = zoned && there.zone === ""
    ? address(transport, { ...there, zone: ip.zone }, peer.port)
    : toward(peer, ip);
  return { to, from: address(transport, ip, port), route };
}

/** A zone has a name and a number, of which only the system knows that they are the same. */
function isSameZone(a: string, b: string): boolean {
  const isNumber = (zone: string) => /^[0-9]+$/.test(zone);
  return a === b || isNumber(a) !== isNumber(b);
}

async function peers({ proto, dest, locals, conf, signal, sockets }: Plan): Promise<NetAddr[]> {
  if (dest === undefined) return [];
  const { transport } = PROTOS[proto];
  if (dest.path !== undefined) return [unixAddr(transport, dest.path)];
  const lookup = conf.lookup ?? sockets.lookup;
  const [family, other] = new Set(locals.map(({ endpoint }) => endpoint.ip?.family));
  const ips = await resolveEndpoint(dest, {
    timeout: conf.dnsTimeout,
    ...(lookup === undefined ? {} : { lookup }),
    ...(family === undefined || other !== undefined ? {} : { family }),
    ...(signal === undefined ? {} : { signal }),
  });
  return ips.map((ip) => address(transport, ip, dest.port));
}

/** A peer as it can be recognised when it answers. */
function toward(peer: NetAddr, local?: Ip): NetAddr {
  const { transport, hostname, port, path } = peer;
  const ip = transport === "udp" && path === undefined ? parseIp(hostname) : undefined;
  if (ip === undefined) return peer;
  return address(transport, reachable(ip, local), port);
}

async function listen(p: Plan): Promise<Opened> {
  const { proto, conf, locals: [local], signal = new AbortController().signal } = p;
  const errors: unknown[] = [];
  const places = placesOf(proto, local?.endpoint);
  for (const at of places) {
    try {
      const driver = await p.sockets.select(proto, {
        role: "server",
        from: at,
        unix: isUnix(p),
        conf,
      });
      return { socket: await driver.listen(at, { conf, signal }), route: local?.route };
    } catch (error) {
      signal.throwIfAborted();
      errors.push(error);
      // Nothing that another family would help with.
      const unjoined = error instanceof TransportError && error.fault === "unjoined";
      if (unjoined || isInUse(systemError(error))) break;
    }
  }
  throw openError(p, places.map((to) => ({ to, from: undefined })), errors);
}

function isInUse(error: Error): boolean {
  return error.name === "AddrInUse" || codeOf(error) === "EADDRINUSE";
}

/** Where to listen: the first that works. */
function placesOf(proto: Proto, local: Endpoint | undefined): readonly NetAddr[] {
  const port = local?.port ?? 0;
  const { transport } = PROTOS[proto];
  const v4: NetAddr = { transport, hostname: "0.0.0.0", port };
  if (local === undefined) return [v4];
  if (local.path !== undefined) return [unixAddr(transport, local.path)];
  // "*" is one IPv6 socket that takes IPv4 as well, or IPv4 alone on a host without IPv6.
  return local.ip === undefined
    ? [{ ...v4, hostname: "::" }, v4]
    : [address(transport, local.ip, port)];
}

function address(transport: NetAddr["transport"], ip: Ip, port: number): NetAddr {
  return { transport, hostname: formatIp(ip), port };
}
