import type { Socket as DatagramSocket } from "node:dgram";
import type { Server, Socket } from "node:net";
import type { TlsContext } from "../transport/tls.ts";
import type { PipeBase } from "./base.ts";
import { watchCard } from "./card_watch.ts";
import { giveUp } from "./open_failure.ts";
import { open, type Opened } from "./opening.ts";
import { type Plan, plan } from "./options.ts";
import { ConnPipe } from "./pipe.ts";
import { tlsContext } from "./secure.ts";
import { ListenPipe } from "./server.ts";
import type { Dest, Pipe, Proto, ServerPipe } from "./types.ts";
import type { OpenConn, OpenListener, PipeOptions, RawOptions, RawSocket } from "./pipe_options.ts";

/**
 * Opens the raw socket of a TCP client or of the client of a Unix socket.
 *
 * @param proto "tcp".
 * @param options Where to, from where, `conf: { sockOnly: true }`.
 * @returns The platform's object, owned by the caller: Deno's, or with a `route` or `conf.linger` a
 * socket of `node:net`, which is paused and has `allowHalfOpen`.
 */
export function pipeOpen(
  proto: "tcp",
  options: RawOptions & { readonly dest: Dest },
): Promise<Deno.TcpConn | Deno.UnixConn | Socket>;
/**
 * Opens the raw socket of a TCP or Unix server.
 *
 * @param proto "tcp".
 * @param options Where to listen, `conf: { sockOnly: true }`.
 * @returns The platform's object, owned by the caller: Deno's, or with `conf.linger`, or `conf.reuseAddr`
 * without `--unstable-net`, a server of `node:net` that has `allowHalfOpen` and `pauseOnConnect`.
 */
export function pipeOpen(
  proto: "tcp",
  options: Omit<RawOptions, "dest">,
): Promise<Deno.Listener | Server>;
/**
 * Opens a raw datagram socket.
 *
 * @param proto "udp".
 * @param options Where to, from where, `conf: { sockOnly: true }`.
 * @returns The platform's object, owned by the caller: Deno's with `--unstable-net`, else Node's.
 */
export function pipeOpen(
  proto: "udp",
  options: RawOptions,
): Promise<Deno.DatagramConn | DatagramSocket>;
/**
 * Opens a raw socket of a protocol known at run time only.
 *
 * @param proto "tcp" or "udp".
 * @param options Where to, from where, `conf: { sockOnly: true }`.
 * @returns The platform's object, owned by the caller.
 */
export function pipeOpen(proto: Proto, options: RawOptions): Promise<RawSocket>;
/**
 * Opens a pipe: with a `dest` a client, without one a server.
 *
 * @param proto "tcp" or "udp".
 * @param options Where to, from where, handlers, conf. See {@linkcode PipeOptions}.
 * @returns The open pipe; for TCP without a `dest` a {@linkcode ServerPipe}.
 * @throws {TypeError} When an argument is of a wrong kind. No socket was opened.
 * @throws {RangeError} When a number is out of its range. No socket was opened.
 * @throws {PipeOpenError} When the name does not resolve, the address cannot be bound or reached, time
 * runs out, or a permission is missing: see its `phase`. Nothing stays open, unless `conf.doClose` is
 * false and the error has it as `sock`.
 * @throws {PipeStateError} When `sock` is closed or in use. It is still the caller's.
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
  options: PipeOptions & ({ readonly dest: Dest } | { readonly sock: OpenConn }),
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
  options?: Omit<PipeOptions, "dest" | "sock"> & { readonly sock?: OpenListener },
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
export async function pipeOpen(proto: Proto, options: PipeOptions = {}): Promise<unknown> {
  const p = plan(proto, options);
  const { conf, role } = p;
  const { socket, route, tls } = await openSocket(p);
  if (conf.sockOnly) return socket.release?.() ?? socket.raw;
  const pipe = "accept" in socket
    ? new ListenPipe(socket, { proto, route, conf, tls })
    : new ConnPipe(socket, { proto, route, dest: p.dest, conf, role });
  watchCard(pipe, options.route);
  return begin(pipe, p);
}

async function openSocket(p: Plan): Promise<Opened & { readonly tls: TlsContext | undefined }> {
  const { conf: { useSsl }, role, signal } = p;
  try {
    signal?.throwIfAborted();
    // Before any socket exists: a certificate may be no good.
    const tls = useSsl === false ? undefined : await tlsContext(useSsl, role);
    return { ...await open(p, tls), tls };
  } catch (error) {
    throw giveUp(p, error);
  }
}

function begin<P extends PipeBase & { start(): void }>(pipe: P, p: Plan): P {
  if (p.msgCb !== undefined) pipe.addMsgCb(p.msgCb);
  if (p.upCb !== undefined) pipe.ups.add(p.upCb);
  if (p.endCb !== undefined) pipe.addEndCb(p.endCb);
  pipe.start();
  return pipe;
}
