import type { Socket as DatagramSocket } from "node:dgram";
import type { Server, Socket } from "node:net";
import { openPipe } from "./open_pipe.ts";
import type { Pipe, ServerPipe } from "./pipe_types.ts";
import type { Dest, Proto } from "./types.ts";
import type { OpenConn, OpenListener, PipeOptions, RawOptions, RawSocket } from "./pipe_options.ts";

/**
 * With `conf: { sockOnly: true }`: opens the raw socket of a TCP or Unix client.
 * See the overloads below for pipes.
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
 * With `conf: { sockOnly: true }`: opens the raw socket of a TCP or Unix server.
 *
 * @param proto "tcp".
 * @param options Where to listen, `conf: { sockOnly: true }`.
 * @returns The platform's object, owned by the caller: Deno's, or with `conf.linger`, or `conf.reuseAddr`
 * without `--unstable-net`, a server of `node:net` that has `allowHalfOpen` and `pauseOnConnect`.
 */
export function pipeOpen(
  proto: "tcp",
  options: Omit<RawOptions, "dest"> & { readonly dest?: undefined },
): Promise<Deno.Listener | Server>;
/**
 * With `conf: { sockOnly: true }`: opens a raw datagram socket.
 *
 * @param proto "udp", or "rudp", whose socket is the same.
 * @param options Where to, from where, `conf: { sockOnly: true }`.
 * @returns The platform's object, owned by the caller: Deno's with `--unstable-net`, else Node's.
 */
export function pipeOpen(
  proto: "udp" | "rudp",
  options: RawOptions,
): Promise<Deno.DatagramConn | DatagramSocket>;
/**
 * With `conf: { sockOnly: true }`: opens a raw socket of a protocol known at run time only.
 *
 * @param proto "tcp", "udp" or "rudp"; QUIC has no socket to give.
 * @param options Where to, from where, `conf: { sockOnly: true }`.
 * @returns The platform's object, owned by the caller.
 */
export function pipeOpen(proto: Proto, options: RawOptions): Promise<RawSocket>;
/**
 * Opens a pipe: with a `dest` a client, here one of TCP or a Unix socket, without one a server. The
 * overloads below are for TCP servers and the other protocols; what is thrown is the same for all.
 *
 * @param proto "tcp".
 * @param options Where to, from where, handlers, conf; or the open connection. See
 * {@linkcode PipeOptions}.
 * @returns The open pipe.
 * @throws {TypeError} When an argument is of a wrong kind. No socket was opened.
 * @throws {RangeError} When a number is out of its range. No socket was opened.
 * @throws {PipeOpenError} When the name does not resolve, the address cannot be bound or reached, time
 * runs out, or a permission is missing: see its `phase`. Nothing stays open, unless `conf.doClose` is
 * false and the error has it as `sock`.
 * @throws {PipeStateError} When `sock` is closed or in use. It is still the caller's.
 * @throws `options.signal.reason` When the signal is aborted. Nothing stays open.
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
  options?: Omit<PipeOptions, "dest" | "sock"> & {
    readonly dest?: undefined;
    readonly sock?: OpenListener;
  },
): Promise<ServerPipe>;
/**
 * Opens a UDP pipe, or one of acknowledged datagrams (RUDP): there `send` resolves when the peer has
 * taken the message and rejects with a {@linkcode PipeTimeoutError} when it has not acknowledged it
 * within `conf.ackTimeout`, and each message arrives once.
 *
 * @param proto "udp" or "rudp".
 * @param options Where to, from where, handlers, conf.
 * @returns The pipe.
 *
 * @example A message that arrives
 * ```ts
 * import { pipeOpen, RUDP } from "@p2pd/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await pipeOpen(RUDP, { route: "127.0.0.1:0" });
 * await using client = await pipeOpen(RUDP, { dest: server.localAddr });
 * await client.send("hello"); // the server has it
 * assertEquals(await server.recv(), new TextEncoder().encode("hello"));
 * ```
 */
export function pipeOpen(
  proto: "udp" | "rudp",
  options?: Omit<PipeOptions, "sock"> & { readonly sock?: Deno.DatagramConn },
): Promise<Pipe>;
/**
 * Opens a stream of QUIC (RFC 9000), on a connection of its own or on that of another pipe. Needs
 * `--unstable-net`. The connection is closed with the last of its pipes.
 *
 * The server sees the stream when something was sent on it, or on a later one: QUIC has no other way to
 * tell of it.
 *
 * @param proto "quic".
 * @param options Where to, or `over` which pipe; from where, handlers, conf.
 * @returns The stream.
 * @throws {PipeOpenError} Of phase "tls" where the server cannot prove to be who it should be, or the
 * sides have no protocol in common; see above for the others.
 * @throws {PipeStateError} When the connection of `over` is closed, or was opened by the other side.
 *
 * @example Two streams on one connection, and its datagrams
 * ```ts ignore
 * import { pipeOpen, QUIC, UDP } from "@p2pd/pipes";
 *
 * await using first = await pipeOpen(QUIC, { dest: "example.com:4433" });
 * await using second = await pipeOpen(QUIC, { over: first });
 * await using datagrams = await pipeOpen(UDP, { over: first });
 * ```
 */
export function pipeOpen(
  proto: "quic",
  options: PipeOptions & ({ readonly dest: Dest } | { readonly over: Pipe }),
): Promise<Pipe>;
/**
 * Opens a QUIC server: each stream of each connection is an accepted pipe. Needs `--unstable-net`.
 *
 * @param proto "quic".
 * @param options Where to listen, handlers, conf. `conf.useSsl` with a certificate and its key.
 * @returns The server.
 */
export function pipeOpen(
  proto: "quic",
  options: Omit<PipeOptions, "dest" | "sock" | "over"> & {
    readonly dest?: undefined;
    readonly over?: undefined;
  },
): Promise<ServerPipe>;
/**
 * Opens a pipe of a protocol known at run time only.
 *
 * @param proto The protocol.
 * @param options Where to, from where, handlers, conf.
 * @returns The pipe.
 */
export function pipeOpen(proto: Proto, options?: PipeOptions): Promise<Pipe>;
export function pipeOpen(proto: Proto, options?: PipeOptions): Promise<unknown> {
  return openPipe(proto, options);
}
