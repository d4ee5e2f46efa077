import { PipeTimeoutError } from "../errors.ts";
import { formatIp, type Ip, isUnspecified } from "../net/ip.ts";
import { resolveEndpoint } from "../net/resolve.ts";
import { adoptSocket, selectDriver } from "../transport/select.ts";
import type { Acceptor, Driver, Transport } from "../transport/transport.ts";
import type { PipeBase } from "./base.ts";
import { AllFailed, interleave, race } from "./happy_eyeballs.ts";
import { openError, systemError } from "./open_error.ts";
import { type Plan, plan } from "./options.ts";
import { ConnPipe } from "./pipe.ts";
import { ListenPipe } from "./server.ts";
import type { Dest, NetAddr, Pipe, PipeOptions, Proto, ServerPipe } from "./types.ts";

/**
 * Opens a pipe: with a `dest` a client, without one a server.
 *
 * @param proto "tcp" or "udp".
 * @param options Where to, from where, handlers, conf. See {@linkcode PipeOptions}.
 * @returns The open pipe; for TCP without a `dest` a {@linkcode ServerPipe}.
 * @throws {TypeError} When an argument is of a wrong kind. No socket was opened.
 * @throws {RangeError} When a number is out of its range. No socket was opened.
 * @throws {PipeOpenError} When the name does not resolve, the address cannot be bound or reached, time
 * runs out, or a permission is missing: see its `phase`. Nothing stays open.
 *
 * @example An echo server and its client, over TCP
 * ```ts
 * import { pipeOpen, TCP } from "@p2pd/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await pipeOpen(TCP, {
 *   route: "127.0.0.1:0",
 *   msgCb: (msg, _from, pipe) => pipe.send(msg),
 * });
 * await using client = await pipeOpen(TCP, { dest: server.localAddr });
 * await client.send("hello");
 * assertEquals(await client.recv(), new TextEncoder().encode("hello"));
 * ```
 *
 * @example Over UDP, awaited in the same way
 * ```ts
 * import { pipeOpen, UDP } from "@p2pd/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await pipeOpen(UDP, {
 *   route: "127.0.0.1:0",
 *   msgCb: (msg, from, pipe) => pipe.send(msg, from),
 * });
 * await using client = await pipeOpen(UDP, { dest: server.localAddr });
 * const [reply] = await client.request("hello");
 * assertEquals(reply, new TextEncoder().encode("hello"));
 * ```
 */
export function pipeOpen(
  proto: "tcp",
  options: PipeOptions & ({ readonly dest: Dest } | { readonly sock: Deno.TcpConn | Deno.TlsConn }),
): Promise<Pipe>;
/**
 * Opens a TCP server.
 *
 * @param proto "tcp".
 * @param options Where to listen, handlers, conf.
 * @returns The server.
 */
export function pipeOpen(
  proto: "tcp",
  options?: Omit<PipeOptions, "dest" | "sock"> & { readonly sock?: Deno.Listener },
): Promise<ServerPipe>;
/**
 * Opens a UDP pipe.
 *
 * @param proto "udp".
 * @param options Where to, from where, handlers, conf.
 * @returns The pipe.
 */
export function pipeOpen(
  proto: "udp",
  options?: Omit<PipeOptions, "sock"> & { readonly sock?: Deno.DatagramConn },
): Promise<Pipe>;
/**
 * Opens a pipe of a protocol known at run time only.
 *
 * @param proto "tcp" or "udp".
 * @param options Where to, from where, handlers, conf.
 * @returns The pipe.
 */
export function pipeOpen(proto: Proto, options?: PipeOptions): Promise<Pipe>;
export async function pipeOpen(proto: Proto, options: PipeOptions = {}): Promise<Pipe> {
  const p = plan(proto, options);
  p.signal?.throwIfAborted();
  const opened = await open(p);
  const { conf, route } = p;
  const pipe = "accept" in opened
    ? new ListenPipe(opened, { proto, route, conf })
    : new ConnPipe(opened, { proto, route, dest: p.dest, conf, role: roleOf(p) });
  return begin(pipe, p);
}

function roleOf(p: Plan): "client" | "server" {
  return p.dest !== undefined || (p.proto === "tcp" && p.sock !== undefined) ? "client" : "server";
}

function begin<P extends PipeBase & { start(): void }>(pipe: P, p: Plan): P {
  if (p.msgCb !== undefined) pipe.addMsgCb(p.msgCb);
  if (p.upCb !== undefined) pipe.ups.add(p.upCb);
  if (p.endCb !== undefined) pipe.addEndCb(p.endCb);
  pipe.start();
  return pipe;
}

async function open(p: Plan): Promise<Transport | Acceptor> {
  const { proto, dest, local, conf, signal } = p;
  if (p.sock !== undefined) {
    const to = dest === undefined ? undefined : (await peers(p))[0];
    return await adoptSocket(p.sock, conf, to);
  }
  const from = local?.ip === undefined ? undefined : address(proto, local.ip, local.port);
  const driver = await selectDriver(proto, {
    role: dest === undefined ? "server" : "client",
    from,
    conf,
  });
  if (dest === undefined) return await listen(p, driver, from);
  const addresses = await peers(p);
  // A datagram "connects" by remembering the address, so the first one is as good as any other.
  const tried = proto === "udp" ? addresses.slice(0, 1) : interleave(addresses);
  return await within(conf.conTimeout, signal, async (limit) => {
    try {
      return await race(tried, {
        attempt: (to, ended) => driver.connect(to, from, { conf, signal: ended }),
        discard: (late) => late.abort(),
        signal: limit,
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof AllFailed ? openError(p, tried, error.errors) : error;
    }
  });
}

async function peers({ proto, dest, local, conf, signal }: Plan): Promise<NetAddr[]> {
  if (dest === undefined) return [];
  const ips = await resolveEndpoint(dest, {
    timeout: conf.dnsTimeout,
    ...(local?.ip === undefined ? {} : { family: local.ip.family }),
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

async function listen(
  p: Plan,
  driver: Driver,
  from: NetAddr | undefined,
): Promise<Transport | Acceptor> {
  const { proto, conf, local } = p;
  const port = local?.port ?? 0;
  const v4: NetAddr = { transport: proto, hostname: "0.0.0.0", port };
  // "*" is one IPv6 socket that takes IPv4 as well, or IPv4 alone on a host without IPv6.
  const at = local?.hostname === "*" ? [{ ...v4, hostname: "::" }, v4] : [from ?? v4];
  return await within(Infinity, p.signal, async (signal) => {
    const errors: unknown[] = [];
    for (const addr of at) {
      try {
        return await driver.listen(addr, { conf, signal });
      } catch (error) {
        signal.throwIfAborted();
        errors.push(error);
        if (systemError(error).name === "AddrInUse") break;
      }
    }
    throw openError(p, at, errors);
  });
}

/** Runs an attempt under a time limit and the caller's signal; its timer never outlives it. */
async function within<T>(
  ms: number,
  signal: AbortSignal | undefined,
  attempt: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const limit = new AbortController();
  const timedOut = () => limit.abort(new PipeTimeoutError(`No connection within ${ms} ms`));
  const onAbort = () => limit.abort(signal?.reason);
  const timer = ms > 0x7fffffff ? undefined : setTimeout(timedOut, ms);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return await attempt(limit.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

function address(transport: Proto, ip: Ip, port: number): NetAddr {
  return { transport, hostname: formatIp(ip), port };
}
