/**
 * What a pipe can do. The classes behind it are private.
 *
 * @module
 */
import type { NetConf } from "./conf.ts";
import type { TlsConf } from "./tls_conf.ts";
import type { TlsInfo } from "./tls_info.ts";
import type {
  CloseInfo,
  Dest,
  EndCb,
  LinkOptions,
  Message,
  MsgCb,
  NetAddr,
  PipeStats,
  Proto,
  RequestOptions,
  Sub,
  Subscription,
  UpCb,
  WaitOptions,
} from "./types.ts";

/**
 * One way of moving bytes between two machines: TCP or UDP, client or server, all alike.
 *
 * Handlers are called as messages arrive; `recv`, loops and subscriptions queue and await them; links
 * send them on. What arrives before the first of these is kept for it; one that is made while a loop
 * reads gets what waits, and the loop gets everything all the same. As soon as there is a handler,
 * subscription or link, a message that none of them wants, and no `recv` or loop waits for, is dropped
 * and not counted. A stream or RUDP pipe that nobody reads stops being read, so its peer slows down; a UDP
 * pipe drops the oldest and counts it.
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
   * @param dest Whom to send to. Needed on servers; elsewhere the peer by default. On a TCP or QUIC
   * server the address of a client, no host name.
   * @returns The number of bytes, once the operating system took them all; on RUDP once the peer has
   * acknowledged them.
   * @throws {TypeError} When `data` or `dest` is of a wrong kind, such as a host name on a TCP server, or
   * `conf.framing` cannot carry the data.
   * @throws {RangeError} When a datagram would be bigger than 65,507 bytes (RUDP: 65,498), a message than
   * `conf.framing` allows, or a port is out of range.
   * @throws {ResolveError} When the host name in `dest` does not resolve, or has no address of the
   * family that the pipe is bound to.
   * @throws {PipeStateError} When there is nobody to send to; when `dest` is another peer than that of a
   * connected stream, of a family that the pipe is not bound to, or a broadcast address without
   * `conf.broadcast`; after `closeWrite`.
   * @throws {PipeTimeoutError} When the peer of an RUDP pipe has not acknowledged it within
   * `conf.ackTimeout`; it may have arrived all the same.
   * @throws {PipeClosedError} When the pipe is closed or the peer has gone.
   */
  send(data: Uint8Array | string, dest?: Dest): Promise<number>;
  /**
   * Waits for the next message.
   *
   * @param sub A subscription made before with {@linkcode Pipe.subscribe}. Everything by default, for
   * which no subscription is needed; where one was made it is read. Where there are only other consumers
   * (handlers, subscriptions with a filter, links), that is what they left of what came before them, and
   * then what comes while this waits: nothing more is kept for it.
   * @param options Longest wait and signal. The wait is `conf.recvTimeout` by default.
   * @returns Its bytes, or null when the input ended and everything was read.
   * @throws {TypeError} When `sub` or an option is malformed.
   * @throws {RangeError} When the time is negative, or a port in `sub` is out of range.
   * @throws {PipeTimeoutError} When nothing came in time.
   * @throws {PipeStateError} When nobody subscribed `sub`.
   * @throws {PipeClosedError} When the pipe failed and everything was read.
   * @throws `options.signal.reason` When the signal is aborted.
   */
  recv(sub?: Sub, options?: WaitOptions): Promise<Uint8Array<ArrayBuffer> | null>;
  /**
   * Like {@linkcode Pipe.recv}, with the sender.
   *
   * @param sub A subscription made before; everything by default.
   * @param options Longest wait and signal. The wait is `conf.recvTimeout` by default.
   * @returns The message and its sender, or null when the input ended and everything was read.
   * @throws {TypeError} When `sub` or an option is malformed.
   * @throws {RangeError} When the time is negative, or a port in `sub` is out of range.
   * @throws {PipeTimeoutError} When nothing came in time.
   * @throws {PipeStateError} When nobody subscribed `sub`.
   * @throws {PipeClosedError} When the pipe failed and everything was read.
   * @throws `options.signal.reason` When the signal is aborted.
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
   * @throws `options.signal.reason` When the signal is aborted.
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
  readExactly(size: number, options?: WaitOptions): Promise<Uint8Array<ArrayBuffer> | null>;
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
   * @throws `options.signal.reason` When the signal is aborted.
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
  ): Promise<Uint8Array<ArrayBuffer> | null>;
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
   * @throws {TypeError} When `data` or an option is of a wrong kind.
   * @throws {RangeError} When a number is out of its range, or the data is too big to send.
   * @throws {ResolveError} As in {@linkcode Pipe.send}.
   * @throws {PipeTimeoutError} When no reply came in time.
   * @throws {PipeStateError} As in {@linkcode Pipe.send}; for a `match` on a byte stream, which has no
   * messages (see `conf.framing`); for a multicast or broadcast address on a pipe that has a peer of
   * its own and no `conf.anyPeer`, so that it would not hear who answers.
   * @throws {PipeClosedError} When the pipe ended first.
   * @throws `options.signal.reason` When the signal is aborted.
   */
  request(data: Uint8Array | string, options?: RequestOptions): Promise<Message>;
  /**
   * Queues matching messages, or hands them to a handler, until closed. A message goes to every
   * subscription that matches it. One that matches none, and that no handler, link, `recv` or loop takes
   * as it comes, is dropped and not counted: from the first subscription on nothing is kept for a later
   * `recv`. To keep the rest, subscribe to it, too: with a function as `match`, or without a filter.
   *
   * @param sub Which messages; all by default.
   * @param handler Called for each instead of queueing it.
   * @returns The subscription: a queue to read or to loop over; leaving the loop closes it.
   * @throws {TypeError} When the filter is malformed, or the handler no function.
   * @throws {RangeError} When a port in the filter is out of range.
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
   * @throws {TypeError} When the target is no pipe of this library, or the options are wrong.
   * @throws {PipeStateError} When the target is this pipe, is closed, or has no peer to send to.
   */
  addPipe(pipe: Pipe, options?: LinkOptions): this;
  /**
   * Removes a link. What it had taken over is still sent.
   *
   * @param pipe The target; one that is not linked to has no effect.
   * @returns This pipe.
   * @throws {TypeError} When it is no pipe of this library.
   */
  delPipe(pipe: Pipe): this;

  /** The messages as a web stream. It takes messages only while it is being read. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
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
   * needs `cert` and `key`. There, await the `send` of your go-ahead together with this, not before it:
   * in between the client's first bytes of TLS would be read as a message.
   *
   * @param tls Trust, names, certificates. The name to verify is the host of `dest` by default.
   * @returns What was agreed on; {@linkcode Pipe.tls} has it from then on.
   * @throws {PipeStateError} When the pipe is no plain stream, or holds something unread: that came
   * unprotected and would be taken for protected.
   * @throws {PipeOpenError} Of phase "tls" when the handshake fails or takes longer than
   * `conf.sslHandshake`; the pipe is closed then.
   *
   * @example A server's side of it
   * ```ts
   * import type { Pipe } from "@p2pd/pipes";
   *
   * async function upgrade(pipe: Pipe, cert: string, key: string) {
   *   await pipe.readUntil("STARTTLS\r\n", 100);
   *   // The go-ahead is sent first, so it is still plain text.
   *   await Promise.all([pipe.send("220 go ahead\r\n"), pipe.startTls({ cert, key })]);
   * }
   * ```
   */
  startTls(tls?: true | TlsConf): Promise<TlsInfo>;
  /**
   * Closes: sends what `send` was given, ends loops with their end, runs end handlers, frees the port.
   * A server's connections are closed with it, those that `accept` gave away included. Calling it again
   * waits for the same.
   *
   * It waits for a peer that does not read, as long as `conf.linger` says, by default for ever; `abort`
   * does not, also when called meanwhile. Of what the peer goes on sending it reads and forgets some, up
   * to 2 s where much was sent, because a socket that is closed unread is reset and the peer might lose
   * what it was sent.
   */
  close(): Promise<void>;
  /**
   * Closes at once and forgets what was not sent or read, on a server for all of its connections. A TCP
   * peer sees a reset where the platform can send one (connections with a `route`; a `Deno.TcpConn` has no
   * way to).
   *
   * @param reason Becomes `error` in {@linkcode Pipe.closed} and the cause of the errors of waiting calls.
   */
  abort(reason?: unknown): void;
}

/** A listening TCP or QUIC pipe. As a pipe it stands for all of its connections together. */
export interface ServerPipe extends Pipe {
  /**
   * Waits for the next connection that nobody accepted yet. What it sent so far is still unread unless
   * the server's own handlers, loops or links have taken it. It is the caller's to close, and ends with
   * the server at the latest: `close` and `abort` of the server are for all of its connections. To let
   * them finish, wait for `closed` of each of {@linkcode ServerPipe.clients} before you close the server.
   *
   * @param options Longest wait (for ever by default) and signal.
   * @returns The connection as a pipe, or null when the server is closed.
   * @throws {TypeError} When an option is of a wrong kind.
   * @throws {RangeError} When the time is negative.
   * @throws {PipeTimeoutError} When none came in time.
   * @throws {PipeClosedError} When the server failed, or was aborted with a reason.
   * @throws `options.signal.reason` When the signal is aborted.
   */
  accept(options?: WaitOptions): Promise<Pipe | null>;
  /**
   * Accepts connections in a loop that ends when the server is closed, as they do. See
   * {@linkcode ServerPipe.accept}.
   */
  connections(): AsyncIterable<Pipe>;
  /** The connections that are open now. */
  readonly clients: ReadonlySet<Pipe>;
}
