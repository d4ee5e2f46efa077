/**
 * What `pipeOpen` takes, and the sockets that it takes and gives.
 *
 * @module
 */
import type { Socket as DatagramSocket } from "node:dgram";
import type { Server, Socket } from "node:net";
import type { Interface } from "../netif/interface.ts";
import type { RoutePool } from "../netif/route_pool.ts";
import type { NetConf } from "./conf.ts";
import type { Pipe } from "./pipe_types.ts";
import type { Dest, EndCb, MsgCb, UpCb } from "./types.ts";

/** Two web streams of bytes, one for each direction: an open connection of any kind. */
export interface StreamPair {
  /** What the peer sends. */
  readonly readable: ReadableStream<Uint8Array>;
  /** What is sent to the peer. */
  readonly writable: WritableStream<Uint8Array>;
}

/** An open connection: what can be a pipe with a peer. */
export type OpenConn = Deno.TcpConn | Deno.TlsConn | Deno.UnixConn | Socket | StreamPair;

/** An open socket that accepts connections. */
export type OpenListener = Deno.Listener | Deno.TlsListener | Deno.UnixListener;

/** An open socket of any kind that a pipe can be made of. */
export type OpenSocket = OpenConn | OpenListener | Deno.DatagramConn;

/** Options of {@linkcode pipeOpen}. */
export interface PipeOptions {
  /**
   * The peer. With it the pipe is a client, without it a server. 0.0.0.0 and :: stand for this host, so
   * that a server's `localAddr` can always be given.
   */
  readonly dest?: Dest | undefined;
  /**
   * The local side: a {@linkcode Route}, an {@linkcode Interface}, an IP literal and port (0: any free
   * one), or the `{ path }` of a Unix socket. A client may have a {@linkcode RoutePool}: its routes are
   * tried in order, each with a head start of 250 ms over the next one. By default a client leaves the
   * choice to the system and a server listens on 0.0.0.0 at a free port.
   */
  readonly route?: Dest | Interface | RoutePool | undefined;
  /**
   * An open connection, listener or datagram socket to make a pipe of, instead of opening one. The pipe
   * owns it from then on, also if opening fails later (see `conf.doClose`); a socket that is refused by
   * a TypeError, RangeError or PipeStateError is still the caller's. A read of the caller's own must have
   * ended: Deno does not tell of one that waits, and it would get what comes first.
   */
  readonly sock?: OpenSocket | undefined;
  /**
   * An open {@linkcode QUIC} pipe, to open another one on its connection: with proto QUIC one more stream, which
   * the side that connected can open; with proto UDP, on either side, a datagram pipe that sends and
   * receives the connection's unreliable datagrams (RFC 9221), for one at a time. The connection is
   * closed with the last of its pipes. A `dest` has to be the peer.
   */
  readonly over?: Pipe | undefined;
  /** First message handler. See {@linkcode Pipe.addMsgCb}. */
  readonly msgCb?: MsgCb | undefined;
  /** First up handler. See {@linkcode Pipe.addUpCb}. */
  readonly upCb?: UpCb | undefined;
  /** First end handler. See {@linkcode Pipe.addEndCb}. */
  readonly endCb?: EndCb | undefined;
  /** Overrides of {@linkcode NET_CONF}, key by key. */
  readonly conf?: { readonly [K in keyof NetConf]?: NetConf[K] | undefined } | undefined;
  /** Aborts the opening, which rejects with `signal.reason`. Has no effect on an open pipe. */
  readonly signal?: AbortSignal | undefined;
}

/** A {@linkcode PipeOptions} that asks for the raw socket; there is no pipe that could call handlers. */
export type RawOptions =
  & Omit<PipeOptions, "conf" | "sock" | "over" | "msgCb" | "upCb" | "endCb">
  & {
    /** Overrides of {@linkcode NET_CONF}, key by key. */
    readonly conf: NonNullable<PipeOptions["conf"]> & { readonly sockOnly: true };
  };

/** What `conf.sockOnly` gives: the platform's object of a connection, a listener or a datagram socket. */
export type RawSocket =
  | Deno.TcpConn
  | Deno.UnixConn
  | Deno.Listener
  | Deno.DatagramConn
  | Socket
  | Server
  | DatagramSocket;
