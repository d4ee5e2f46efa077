/**
 * The words of this library: addresses, messages, handlers, and what a pipe can do. Only types; the
 * classes behind them are private.
 *
 * @module
 */
import type { NetConf } from "./conf.ts";
import type { TlsConf } from "./tls_conf.ts";
import type { TlsInfo } from "./tls_info.ts";

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
 * No later message changes the bytes. But every handler, subscription and link gets the same array, so
 * copy it before you change it; and it may be a view on memory that holds other messages of the same
 * pipe, so copy it before you transfer its `buffer` (`msg.slice()`).
 */
export type Message = [data: Uint8Array, from: NetAddr];

/**
 * Called for each message. On a stream the next message waits until a returned promise settled.
 *
 * @param msg The message: one datagram, one message of `conf.framing`, or what one read of the stream
 * gave.
 * @param from Who sent it.
 * @param pipe The pipe to answer on: on a TCP server the accepted one.
 */
export type MsgCb = (msg: Uint8Array, from: NetAddr, pipe: Pipe) => unknown | Promise<unknown>;

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
 * it, and nothing can be sent from it then.
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
    | ((msg: Uint8Array, from: NetAddr) => boolean)
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
export type MsgId = (msg: Uint8Array, from: NetAddr) => string | number | bigint | Uint8Array;

/** Options of {@linkcode Pipe.request}. */
export interface RequestOptions {
  /** What the reply contains; the first message from the peer when left out. See {@linkcode Sub}. */
  readonly match?: Sub["match"];
  /** Whom to ask. @default {the pipe's own peer} */
  readonly dest?: Dest | undefined;
  /** Milliseconds for everything, all tries together. @default {conf.recvTimeout} */
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
   * or the system by any other error.
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
  /** Connections that a server turned away; see `conf.maxClients`. */
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
   */
  recv(options?: WaitOptions): Promise<Uint8Array | null>;
  /**
   * Like {@linkcode Subscription.recv}, with the sender.
   *
   * @param options Longest wait and signal. The wait is `conf.recvTimeout` by default.
   * @returns The message and its sender, or null when the pipe ended and everything was read.
   * @throws {PipeTimeoutError} When nothing came in time.
   * @throws {PipeClosedError} When the pipe failed and everything was read.
   */
  recvFrom(options?: WaitOptions): Promise<Message | null>;
  /** Messages waiting to be read. */
  readonly size: number;
  /** Messages dropped because nobody read them in time; always 0 on a stream. */
  readonly dropped: number;
  /** Stops the subscription and forgets what it holds; loops over it end. */
  close(): void;
}

/**
 * One way of moving bytes between two machines: TCP or UDP, client or server, all alike.
 *
 * Handlers are called as messages arrive; `recv`, loops and subscriptions queue and await them; links
 * send them on. What arrives before the first of these is kept for it. A stream or RUDP pipe that nobody
 * reads stops being read, so its peer slows down; a UDP pipe drops the oldest and counts it.
 *
 * A pipe that only handlers and links consume closes itself when the peer has ended and everything was
 * handled and sent: when the promises that handlers returned have settled. So does a connection of a
 * server, also one whose messages a loop or `recv` on the server takes: when that asks for more. A pipe
 * that is read by its own `recv`, loop or stream stays half-open until it is closed, and so does one
 * that `accept` gave away.
 */
export interface Pipe extends AsyncIterable<Message>, AsyncDisposable {
  /** The protocol. */
  readonly proto: Proto;
  /** "client": opened with a `dest`; "accepted": a server's side of one connection; else "server". */
  readonly role: "client" | "server" | "accepted";
  /** The local side that was asked for: of several, the {@linkcode Route} that was taken. */
  readonly route: Dest | undefined;
  /** The object of the platform underneath, owned by the pipe. */
  readonly sock: unknown;
  /** The options in force: defaults and overrides together, frozen. */
  readonly conf: Readonly<NetConf>;
  /** The local address, with the port the system chose. */
  readonly localAddr: NetAddr;
  /** The peer, or undefined where everybody may send. */
  readonly remoteAddr: NetAddr | undefined;
  /** Resolves when the pipe is closed for good, with who closed it. Never rejects. */
  readonly closed: Promise<CloseInfo>;
  /** Counters as of now. */
  readonly stats: PipeStats;
  /** What TLS was agreed on, where there is any. */
  readonly tls: TlsInfo | undefined;

  /**
   * Sends all of the data, or rejects. Sends from several places are not mixed. Do not change the data
   * before the promise settled.
   *
   * @param data Bytes, or text to send as UTF-8.
   * @param dest Whom to send to. Needed on servers; elsewhere the peer by default.
   * @returns The number of bytes, once the operating system took them all; on RUDP once the peer has
   * acknowledged them.
   * @throws {TypeError} When `data` or `dest` is of a wrong kind.
   * @throws {RangeError} When a datagram would be bigger than 65,507 bytes (RUDP: 65,498), or a port is
   * out of range.
   * @throws {PipeStateError} When there is nobody to send to.
   * @throws {PipeTimeoutError} When the peer of an RUDP pipe has not acknowledged it within
   * `conf.ackTimeout`; it may have arrived all the same.
   * @throws {PipeClosedError} When the pipe is closed or the peer has gone.
   */
  send(data: Uint8Array | string, dest?: Dest): Promise<number>;
  /**
   * Waits for the next message.
   *
   * @param sub A subscription made before with {@linkcode Pipe.subscribe}. Everything by default, for
   * which no subscription is needed; where one was made it is read.
   * @param options Longest wait and signal. The wait is `conf.recvTimeout` by default.
   * @returns Its bytes, or null when the input ended and everything was read.
   * @throws {PipeTimeoutError} When nothing came in time.
   * @throws {PipeStateError} When nobody subscribed `sub`.
   * @throws {PipeClosedError} When the pipe failed and everything was read.
   */
  recv(sub?: Sub, options?: WaitOptions): Promise<Uint8Array | null>;
  /**
   * Like {@linkcode Pipe.recv}, with the sender.
   *
   * @param sub A subscription made before; everything by default.
   * @param options Longest wait and signal. The wait is `conf.recvTimeout` by default.
   * @returns The message and its sender, or null when the input ended and everything was read.
   * @throws {PipeTimeoutError} When nothing came in time.
   * @throws {PipeStateError} When nobody subscribed `sub`.
   * @throws {PipeClosedError} When the pipe failed and everything was read.
   */
  recvFrom(sub?: Sub, options?: WaitOptions): Promise<Message | null>;
  /**
   * Waits for so many bytes of a stream without `conf.framing`, however the network has cut them. What
   * follows them is for the next reader, of whichever kind; so is what came when this fails: no byte is
   * lost. It reads what `recv` reads, in turn with it, and holds the bytes whatever `conf.readerLimit` is.
   *
   * @param size How many bytes.
   * @param options Longest wait for all of them and signal. The wait is `conf.recvTimeout` by default.
   * @returns The bytes, or null when the input ended before the first of them.
   * @throws {TypeError} When an argument is of a wrong kind.
   * @throws {RangeError} When `size` is no number of bytes.
   * @throws {PipeTimeoutError} When not all came in time.
   * @throws {PipeStateError} On a pipe that has messages (datagrams, `conf.framing`), on a server, and
   * where handlers, subscriptions or links take what arrives.
   * @throws {PipeClosedError} When the input ended in the middle ("after 3 of 10 bytes"), or the pipe
   * failed.
   *
   * @example A length and as many bytes
   * ```ts
   * import { pipeOpen, TCP } from "@p2pd/pipes";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await pipeOpen(TCP, { route: "127.0.0.1:0" });
   * await using client = await pipeOpen(TCP, { dest: server.localAddr });
   * await client.send(new Uint8Array([3, 7, 8, 9, 0]));
   * await using pipe = await server.accept();
   * const [length = 0] = await pipe?.readExactly(1) ?? [];
   * assertEquals(await pipe?.readExactly(length), new Uint8Array([7, 8, 9]));
   * assertEquals(await pipe?.recv(), new Uint8Array([0]));
   * ```
   */
  readExactly(size: number, options?: WaitOptions): Promise<Uint8Array | null>;
  /**
   * Waits for the bytes of a stream without `conf.framing` up to and including a delimiter. What follows
   * is for the next reader; so is what came when this fails, as in {@linkcode Pipe.readExactly}.
   *
   * @param delimiter What to read to: bytes, or text as UTF-8.
   * @param max Most bytes to read, the delimiter included.
   * @param options Longest wait for all of it and signal. The wait is `conf.recvTimeout` by default.
   * @returns The bytes with the delimiter at their end, or null when the input ended before the first.
   * @throws {TypeError} When an argument is of a wrong kind.
   * @throws {RangeError} When the delimiter is empty, or `max` is less than its length.
   * @throws {PipeError} When the delimiter is not within the first `max` bytes.
   * @throws {PipeTimeoutError} When it did not come in time.
   * @throws {PipeStateError} As in {@linkcode Pipe.readExactly}.
   * @throws {PipeClosedError} When the input ended in the middle, or the pipe failed.
   *
   * @example The head of a request
   * ```ts
   * import { pipeOpen, TCP } from "@p2pd/pipes";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await pipeOpen(TCP, { route: "127.0.0.1:0" });
   * await using client = await pipeOpen(TCP, { dest: server.localAddr });
   * await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nbody");
   * await using pipe = await server.accept();
   * const head = await pipe?.readUntil("\r\n\r\n", 8192);
   * assertEquals(head?.length, 27);
   * assertEquals(await pipe?.recv(), new TextEncoder().encode("body"));
   * ```
   */
  readUntil(
    delimiter: Uint8Array | string,
    max: number,
    options?: WaitOptions,
  ): Promise<Uint8Array | null>;
  /**
   * Sends, and waits for the reply. On datagram pipes silence is answered by sending again, each wait
   * twice as long as the one before, so that all tries together fit into `timeout`. A message is the
   * reply to one request: of those it matches, the one that waits longest. It is not queued for `recv`;
   * handlers and subscriptions see it as well.
   *
   * There may be any number at once. At most 64 of those to one peer are on their way over UDP, so that
   * they are not lost in its receive buffer (1,024 elsewhere); the next go as it answers, or when it has
   * not for a while. Where there are many, a `match` by text or bytes is found the fastest.
   *
   * @param data What to ask.
   * @param options Which message is the reply, whom to ask, how long, how often.
   * @returns The reply and its sender.
   * @throws {PipeTimeoutError} When no reply came in time.
   * @throws {PipeClosedError} When the pipe ended first.
   */
  request(data: Uint8Array | string, options?: RequestOptions): Promise<Message>;
  /**
   * Queues matching messages, or hands them to a handler, until closed. A message goes to every
   * subscription that matches it.
   *
   * @param sub Which messages; all by default.
   * @param handler Called for each instead of queueing it.
   * @returns The subscription: a queue to read or to loop over; leaving the loop closes it.
   * @throws {TypeError} When the filter is malformed.
   * @throws {PipeStateError} For a pattern on a byte stream, which has no messages to match (see
   * `conf.framing`).
   */
  subscribe(sub?: Sub, handler?: MsgCb): Subscription;
  /**
   * Ends a subscription, or all that were made with an equal filter.
   *
   * @param sub The subscription or its filter.
   * @returns This pipe.
   */
  unsubscribe(sub: Sub | Subscription): this;

  /**
   * Adds a handler for every message. On a server it applies to every connection, open ones included.
   *
   * @param cb The handler; adding it twice has no effect.
   * @returns This pipe.
   */
  addMsgCb(cb: MsgCb): this;
  /**
   * Removes a message handler; on a server, from every connection.
   *
   * @param cb The handler.
   * @returns This pipe.
   */
  delMsgCb(cb: MsgCb): this;
  /**
   * Adds a handler for a connection coming up; called at once for those that are up.
   *
   * @param cb The handler; adding it twice has no effect.
   * @returns This pipe.
   */
  addUpCb(cb: UpCb): this;
  /**
   * Removes an up handler.
   *
   * @param cb The handler.
   * @returns This pipe.
   */
  delUpCb(cb: UpCb): this;
  /**
   * Adds a handler for the end of a connection's input; called at once if it has ended.
   *
   * @param cb The handler; adding it twice has no effect.
   * @returns This pipe.
   */
  addEndCb(cb: EndCb): this;
  /**
   * Removes an end handler.
   *
   * @param cb The handler.
   * @returns This pipe.
   */
  delEndCb(cb: EndCb): this;
  /**
   * Sends everything that arrives here down another pipe, in order and at the pace of that pipe. With
   * `b.addPipe(a)` as well it is a two-way relay: the end of one side's input half-closes the other, and
   * one that fails or is closed takes the other along (as a reset only where `abort` can send one: the
   * far peer of a `Deno.TcpConn` sees an end). A datagram pipe has no end to pass on: close it,
   * for instance in an end handler of the stream it is linked to.
   *
   * @param pipe The target: a pipe with a peer. Adding it twice has no effect.
   * @param options What the end of this pipe does to the target.
   * @returns This pipe.
   * @throws {PipeStateError} When the target is this pipe, is closed, or has no peer to send to.
   */
  addPipe(pipe: Pipe, options?: LinkOptions): this;
  /**
   * Removes a link. What it had taken over is still sent.
   *
   * @param pipe The target.
   * @returns This pipe.
   */
  delPipe(pipe: Pipe): this;

  /** The messages as a web stream. It takes messages only while it is being read. */
  readonly readable: ReadableStream<Uint8Array>;
  /** Sends each chunk to the peer; closing it calls {@linkcode Pipe.closeWrite}. */
  readonly writable: WritableStream<Uint8Array>;
  /**
   * Ends this side of a stream after what was sent; the peer reads to the end and can still answer.
   *
   * @throws {PipeStateError} On a datagram pipe or a server, which have no end to send.
   */
  closeWrite(): Promise<void>;
  /**
   * Goes on in TLS on a plain connection, as protocols with STARTTLS do (RFC 3207) once both sides
   * agreed to. What was sent before goes out first; what is sent meanwhile waits and goes out
   * encrypted. The side that connected is the TLS client; an accepted pipe can be upgraded too and
   * needs `cert` and `key`. There, start before you wait for your go-ahead to be sent, so that the
   * client's first bytes of TLS are not read as a message.
   *
   * @param tls Trust, names, certificates. The name to verify is the host of `dest` by default.
   * @returns What was agreed on; {@linkcode Pipe.tls} has it from then on.
   * @throws {PipeStateError} When the pipe is no plain stream, or holds something unread: that came
   * unprotected and would be taken for protected.
   * @throws {PipeOpenError} Of phase "tls" when the handshake fails or takes longer than
   * `conf.sslHandshake`; the pipe is closed then.
   */
  startTls(tls?: true | TlsConf): Promise<TlsInfo>;
  /**
   * Closes: sends what `send` was given, ends loops with their end, runs end handlers, frees the port.
   * Calling it again waits for the same. It waits for a peer that does not read, as long as
   * `conf.linger` says; `abort` does not. Of what the peer goes on sending it reads and forgets some, up
   * to 2 s where much was sent, because a socket that is closed unread is reset and the peer might lose
   * what it was sent.
   */
  close(): Promise<void>;
  /**
   * Closes at once and forgets what was not sent or read. A TCP peer sees a reset where the platform
   * can send one (connections with a `route`; a `Deno.TcpConn` has no way to).
   *
   * @param reason Becomes `error` in {@linkcode Pipe.closed} and the cause of the errors of waiting calls.
   */
  abort(reason?: unknown): void;
}

/** A listening TCP pipe. As a pipe it stands for all of its connections together. */
export interface ServerPipe extends Pipe {
  /**
   * Waits for the next connection that nobody accepted yet. What it sent so far is still unread unless
   * the server's own handlers, loops or links have taken it. It is the caller's to close.
   *
   * @param options Longest wait (for ever by default) and signal.
   * @returns The connection as a pipe, or null when the server is closed.
   * @throws {PipeTimeoutError} When none came in time.
   */
  accept(options?: WaitOptions): Promise<Pipe | null>;
  /** Accepts connections in a loop that ends when the server is closed. */
  connections(): AsyncIterable<Pipe>;
  /** The connections that are open now. */
  readonly clients: ReadonlySet<Pipe>;
}

/** Receives errors that have no caller: those of handlers and links. */
export type ErrorCb = (error: unknown, pipe: Pipe) => void;
