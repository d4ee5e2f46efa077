/**
 * The words of this library: addresses, messages, handlers, options of calls. Only types; what a pipe can
 * do is in `pipe_types.ts`.
 *
 * @module
 */
import type { Pipe } from "./pipe_types.ts";

/** The protocol of a pipe. */
export type Proto = "tcp" | "udp" | "quic" | "rudp";

/** An address family, in the words of `Deno.networkInterfaces()`. */
export type Family = "IPv4" | "IPv6";

/**
 * An IP address and port. A plain object, assignable to `Deno.NetAddr`; `hostname` is canonical text
 * (RFC 5952), IPv4 peers of an IPv6 socket are shown as IPv4, and a link-local address has its zone.
 *
 * A Unix socket has no such address: it has a `path`, which is `hostname` as well, and port 0. What has
 * no name at all, as the client of a Unix server, has "" there.
 */
export interface NetAddr {
  /** The transport the port belongs to; of a Unix socket, the pipe's protocol. */
  transport: "tcp" | "udp";
  /** IP address in canonical text form. */
  hostname: string;
  /** Port, 0 to 65535. */
  port: number;
  /** The file of a Unix socket. */
  path?: string;
}

/**
 * Where to send to or listen at: `["host", port]`, `"host:port"`, `"[::1]:80"`, or
 * `{ hostname, port }`, as a {@linkcode Route} is, too. To listen, `"*:80"` stands for every address of both families. `{ path }` is a
 * Unix socket.
 */
export type Dest =
  | readonly [host: string, port: number]
  | string
  | { readonly hostname: string; readonly port: number }
  | { readonly path: string };

/**
 * A message and its sender, in the order in which `Deno.DatagramConn` yields them.
 *
 * No later message changes the bytes, unless `conf.reuseBuffers` lends them: then they are valid until the
 * handlers are done, or the loop is asked for its next step, which ends all earlier ones. What `recv` and
 * subscriptions without a handler give is never lent. But every handler, subscription and link gets the
 * same array, so copy it before you change it; and it may be a view on memory that holds other messages
 * of the same pipe, so copy it before you transfer its `buffer` (`msg.slice()`).
 */
export type Message = [data: Uint8Array<ArrayBuffer>, from: NetAddr];

/**
 * Called for each message. On a stream the next message waits until a returned promise settled.
 *
 * @param msg The message: one datagram, one message of `conf.framing`, or what one read of the stream
 * gave. With `conf.reuseBuffers` valid until the returned promise settled, or the call returned where it
 * gave no promise; in a handler of `subscribe` as well. All handlers get the same array.
 * @param from Who sent it.
 * @param pipe The pipe to answer on: on a TCP server the accepted one.
 */
export type MsgCb = (
  msg: Uint8Array<ArrayBuffer>,
  from: NetAddr,
  pipe: Pipe,
) => unknown | Promise<unknown>;

/**
 * Called once for each connection, before its first message. On a stream the first message waits until
 * a returned promise settled.
 *
 * @param msg Always null.
 * @param from The peer, or the local address of a datagram pipe that has no peer.
 * @param pipe The pipe that came up.
 */
export type UpCb = (msg: null, from: NetAddr, pipe: Pipe) => unknown | Promise<unknown>;

/**
 * Called exactly once when a connection's input has ended, whoever ended it; at once if it ended before.
 * After the peer's end it comes when the message handlers are done; `close` and `abort` do not wait for
 * it, and nothing can be sent from it then. A pipe that closes itself does so when the returned promise
 * has settled, which therefore must not wait for `pipe.closed`: react to that from an up handler, with
 * `then`, to hear how it ended.
 *
 * @param msg Always null.
 * @param from The peer, or the local address of a datagram pipe that has no peer.
 * @param pipe The pipe that ended. A peer that only ended its own side can still be sent to from here.
 */
export type EndCb = (msg: null, from: NetAddr, pipe: Pipe) => unknown | Promise<unknown>;

/** Which messages are wanted. Without any field: all of them. */
export interface Sub {
  /**
   * What the message contains: bytes or text (as UTF-8) anywhere in it; a regular expression over its
   * bytes, each as the character of that code (the `g` and `y` flags are ignored); or a function.
   */
  readonly match?:
    | RegExp
    | Uint8Array
    | string
    | ((msg: Uint8Array<ArrayBuffer>, from: NetAddr) => boolean)
    | undefined;
  /** Who sent it: an IP literal and a port, 0 for any port. Compared as addresses, not as text. */
  readonly from?: Dest | undefined;
}

/** How long a call waits, and what ends the wait. */
export interface WaitOptions {
  /**
   * Longest wait in milliseconds; 0: only what is there now, Infinity: for ever. A wait of a second or
   * more may take a tenth of a second longer.
   */
  readonly timeout?: number | undefined;
  /** Ends the wait; the call rejects with `signal.reason`. No message is lost by it. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Takes the number, or whatever else identifies it, out of a message.
 *
 * @param msg The message.
 * @param from Who sent it.
 * @returns The id; ids are the same when type and value are.
 */
export type MsgId = (
  msg: Uint8Array<ArrayBuffer>,
  from: NetAddr,
) => string | number | bigint | Uint8Array;

/** Options of {@linkcode Pipe.request}. */
export interface RequestOptions {
  /** What the reply contains; the first message from the peer when left out. See {@linkcode Sub}. */
  readonly match?: Sub["match"];
  /**
   * Whom to ask. A multicast group, or a broadcast address that this host is known to have (with
   * `conf.broadcast`): everybody there, and the first reply that matches counts, whoever sends it. That
   * may be the question itself where this pipe hears what it sends to the group, so give a `match`.
   * @default {the pipe's own peer}
   */
  readonly dest?: Dest | undefined;
  /**
   * Milliseconds for everything, all tries together. Half a millisecond and less is no time at all, so
   * that it rejects with a PipeTimeoutError at once and nothing is sent. @default {conf.recvTimeout}
   */
  readonly timeout?: number | undefined;
  /** How often to send again on silence; datagrams only. @default {conf.sendRetry} */
  readonly retries?: number | undefined;
  /** Ends the request; it rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@linkcode Pipe.addPipe}. */
export interface LinkOptions {
  /**
   * Whether the end of this pipe's input half-closes the target, and a failure of either one ends
   * the other. @default {true where the target is linked back to this pipe}
   */
  readonly end?: boolean | undefined;
}

/** How a pipe ended. */
export interface CloseInfo {
  /**
   * Who ended it first: this side, the peer in good order, the peer by a reset, silence for too long,
   * or any other error: of the system, or of a peer that broke `conf.framing`.
   */
  readonly by: "local" | "remote" | "reset" | "idle" | "error";
  /** The error, or the reason given to `abort`. */
  readonly error?: unknown;
}

/** Counters of a pipe; a server's are those of all its connections, past ones included. */
export interface PipeStats {
  /** Bytes received. */
  readonly bytesIn: number;
  /** Bytes that the system took for sending. */
  readonly bytesOut: number;
  /** Messages received: datagrams, messages of `conf.framing`, or reads of a stream. */
  readonly messagesIn: number;
  /** Sends completed. */
  readonly messagesOut: number;
  /** Datagrams dropped because nobody read them in time. */
  readonly dropped: number;
  /** Messages dropped because their sender had sent them before: on RUDP, and by `conf.enableMsgIds`. */
  readonly duplicates: number;
  /** Datagrams ignored because somebody other than the peer sent them, or from port 0. */
  readonly strangers: number;
  /** Connections and datagrams that were turned away: `conf.maxClients`, `conf.allow`, `conf.deny`. */
  readonly refused: number;
  /** Connections of a server that came to nothing because their TLS handshake failed. */
  readonly tlsFailed: number;
  /** How often a server could not accept because the system lacked files or memory, and waited. */
  readonly acceptErrors: number;
  /** Messages received that no consumer has taken yet. */
  readonly queued: number;
}

/** A filtered view of a pipe's messages with a queue of its own. */
export interface Subscription extends AsyncIterable<Message>, Disposable {
  /**
   * Waits for the next matching message.
   *
   * @param options Longest wait and signal. The wait is `conf.recvTimeout` by default.
   * @returns Its bytes, or null when the pipe ended and everything was read, or the subscription was
   * closed.
   * @throws {PipeTimeoutError} When nothing came in time.
   * @throws {PipeClosedError} When the pipe failed and everything was read.
   * @throws {PipeStateError} When a handler takes the messages.
   * @throws `options.signal.reason` When the signal is aborted.
   */
  recv(options?: WaitOptions): Promise<Uint8Array<ArrayBuffer> | null>;
  /**
   * Like {@linkcode Subscription.recv}, with the sender.
   *
   * @param options Longest wait and signal. The wait is `conf.recvTimeout` by default.
   * @returns The message and its sender, or null when the pipe ended and everything was read.
   * @throws {PipeTimeoutError} When nothing came in time.
   * @throws {PipeClosedError} When the pipe failed and everything was read.
   * @throws {PipeStateError} When a handler takes the messages.
   * @throws `options.signal.reason` When the signal is aborted.
   */
  recvFrom(options?: WaitOptions): Promise<Message | null>;
  /** Messages waiting to be read. */
  readonly size: number;
  /** Messages dropped because nobody read them in time; always 0 on a stream. */
  readonly dropped: number;
  /** Stops the subscription and forgets what it holds; loops over it end. */
  close(): void;
}

/** Receives errors that have no caller, such as those of handlers and links: `conf.onError`. */
export type ErrorCb = (error: unknown, pipe: Pipe) => void;
