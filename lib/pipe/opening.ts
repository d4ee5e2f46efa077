/**
 * From a checked plan to an open socket.
 *
 * @module
 */
import { PipeOpenError, PipeTimeoutError } from "../errors.ts";
import type { Endpoint } from "../net/address.ts";
import { formatIp, type Ip, isUnspecified, parseIp } from "../net/ip.ts";
import { resolveEndpoint } from "../net/resolve.ts";
import { unixAddr } from "../transport/addr.ts";
import { codeOf, TransportError } from "../transport/error.ts";
import { selectDriver } from "../transport/select.ts";
import type { TlsContext } from "../transport/tls.ts";
import type { Acceptor, Transport } from "../transport/transport.ts";
import { AllFailed, interleave, race } from "./happy_eyeballs.ts";
import { openError, systemError } from "./open_error.ts";
import { withSock } from "./open_failure.ts";
import { bindFor } from "./local_side.ts";
import { isUnix, type Plan } from "./options.ts";
import { handshake, needsHandshake } from "./secure.ts";
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
  return { socket: "accept" in socket ? socket : await finish(p, socket, tls), route };
}

async function begin(p: Plan): Promise<Opened> {
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
      await transport.close();
      throw error;
    }
    const left = transport.release?.() ?? transport.raw;
    throw error instanceof PipeOpenError ? withSock(error, left) : error;
  }
}

async function adopt(p: Plan, sock: NonNullable<Plan["sock"]>): Promise<Transport | Acceptor> {
  const [to] = await peers(p);
  const { adoptSocket } = await import("../transport/adopt.ts");
  try {
    return await adoptSocket(sock, p.conf, to);
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
  const ways = waysOf(p, await peers(p));
  const attempt = async (way: Way, ended: AbortSignal): Promise<Opened> => {
    const { to, from, route } = way;
    const driver = await selectDriver(proto, { role: "client", from, unix: isUnix(p), conf });
    return { socket: await driver.connect(to, from, { conf, signal: ended }), route };
  };
  const late = () => new PipeTimeoutError(`No connection within ${conf.conTimeout} ms`);
  return await within(conf.conTimeout, signal, late, async (limit) => {
    try {
      return await race(ways, {
        attempt,
        discard: ({ socket }) => "accept" in socket ? socket.close() : socket.abort(),
        signal: limit,
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof AllFailed ? openError(p, ways, error.errors) : error;
    }
  });
}

/** Every way to the peer: one local side after the other, each to all addresses of its family. */
function waysOf({ proto, locals }: Plan, addresses: readonly NetAddr[]): readonly Way[] {
  // A datagram "connects" by remembering the address, so the first one is as good as any other.
  const all = (list: readonly NetAddr[]) => proto === "udp" ? list.slice(0, 1) : interleave(list);
  if (locals.length === 0) {
    return all(addresses).map((to) => ({ to, from: undefined, route: undefined }));
  }
  return locals.flatMap((local) => {
    const { ip, path } = local.endpoint;
    const family = ip?.family;
    const reached = addresses.filter(({ hostname }) =>
      path !== undefined || (family === "IPv6") === hostname.includes(":")
    );
    return all(reached).map((to) => {
      const { route, endpoint: { ip, port } } = bindFor(local, parseIp(to.hostname));
      const from = path !== undefined
        ? unixAddr(proto, path)
        : ip === undefined
        ? undefined
        : address(proto, ip, port);
      return { to, from, route };
    });
  });
}

async function peers({ proto, dest, locals, conf, signal }: Plan): Promise<NetAddr[]> {
  if (dest === undefined) return [];
  if (dest.path !== undefined) return [unixAddr(proto, dest.path)];
  const [family, other] = new Set(locals.map(({ endpoint }) => endpoint.ip?.family));
  const ips = await resolveEndpoint(dest, {
    timeout: conf.dnsTimeout,
    ...(conf.lookup === null ? {} : { lookup: conf.lookup }),
    ...(family === undefined || other !== undefined ? {} : { family }),
    ...(signal === undefined ? {} : { signal }),
  });
  return ips.map((ip) => address(proto, proto === "udp" ? reachable(ip) : ip, dest.port));
}

/**
 * The unspecified address as a destination means this host, as it does in the system; but a datagram's
 * answer comes from a specific one, and would be taken for a stranger's.
 */
function reachable(ip: Ip): Ip {
  if (!isUnspecified(ip)) return ip;
  return { ...ip, value: ip.family === "IPv4" ? 0x7f000001n : 1n };
}

async function listen(p: Plan): Promise<Opened> {
  const { proto, conf, locals: [local], signal = new AbortController().signal } = p;
  const errors: unknown[] = [];
  const places = placesOf(proto, local?.endpoint);
  for (const at of places) {
    try {
      const driver = await selectDriver(proto, { role: "server", from: at, unix: isUnix(p), conf });
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
  const v4: NetAddr = { transport: proto, hostname: "0.0.0.0", port };
  if (local === undefined) return [v4];
  if (local.path !== undefined) return [unixAddr(proto, local.path)];
  // "*" is one IPv6 socket that takes IPv4 as well, or IPv4 alone on a host without IPv6.
  return local.ip === undefined
    ? [{ ...v4, hostname: "::" }, v4]
    : [address(proto, local.ip, port)];
}

function address(transport: Proto, ip: Ip, port: number): NetAddr {
  return { transport, hostname: formatIp(ip), port };
}
