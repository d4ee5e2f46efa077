/**
 * The seam. Everything a protocol does differently is behind these few members; queues, handlers,
 * subscriptions and links are written once, above. What each member owes is listed with it, and
 * `lib/testing/compliance` holds every adapter to it.
 *
 * @module
 */
import type { NetConf } from "../pipe/conf.ts";
import type { NetAddr } from "../pipe/types.ts";
import type { TlsInfo } from "../pipe/tls_info.ts";

/**
 * Takes what a transport received.
 *
 * The bytes belong to the receiver: no later read changes them, unless he gives them back by `recycle`. A
 * stream never hands up an empty
 * chunk; a datagram is one packet, the empty one included.
 *
 * @param data The bytes.
 * @param from The sender: a plain object in canonical form, IPv4-mapped addresses unfolded, a
 * link-local address with the zone of the socket.
 * @returns False to stop reading after this one. A transport that cannot stop goes on until told.
 */
export type Sink = (data: Uint8Array, from: NetAddr) => boolean;

/** What comes with datagrams that are acknowledged: see {@linkcode Transport.reliability}. */
export interface Reliability {
  /**
   * Whether a sender's messages are wanted: asked before one is acknowledged, and counts those that are
   * not. Set by whoever reads. @default {everybody's}
   */
  admits?: ((from: NetAddr) => boolean) | undefined;
  /** Told of a message that came again and was not handed up; set by whoever counts. */
  onDuplicate?: (() => void) | undefined;
}

/**
 * Told of a send in the turn in which it ends, before its promise settles: another promise for each
 * message, only to count it, would cost a twentieth of an echo.
 */
export interface SendReport {
  /** The system took all of the data, which was so many bytes. */
  sent(size: number): void;
  /**
   * It failed, by a {@linkcode TransportError} or an error of the framing. What this gives is what the
   * promise rejects with.
   */
  failed(error: unknown, to: NetAddr | undefined): unknown;
}

/** One connection, or one datagram socket. */
export interface Transport {
  /** Whether message boundaries exist. */
  readonly kind: "stream" | "datagram";
  /** Local address. */
  readonly localAddr: NetAddr;
  /** The peer of a connection. */
  readonly remoteAddr?: NetAddr | undefined;
  /** The platform's object. */
  readonly raw: unknown;
  /** What TLS was agreed on, where there is any. */
  readonly tls?: TlsInfo | undefined;
  /**
   * On a datagram transport whose messages are acknowledged. `send` resolves when the peer has taken the
   * message and rejects ("unanswered") when it gave up; a reader that stops makes senders wait, and
   * nothing that was acknowledged may be dropped.
   */
  readonly reliability?: Reliability | undefined;
  /** Bytes of the biggest datagram, where that is less than UDP carries. */
  readonly maxMessage?: number | undefined;
  /**
   * Does what has to be done before anything else: the TLS handshake of a socket that somebody else
   * opened. Rejects with a {@linkcode TransportError}; a close or abort ends it.
   */
  handshake?(): Promise<void>;
  /**
   * Reads until the sink says stop ("paused"; nothing more is read until the next call) or the input
   * ended, by the peer or by a local close or abort ("end"). Rejects with a {@linkcode TransportError}
   * when the connection failed, or the owner of the platform's object closed that. One call at a time.
   */
  pull(sink: Sink): Promise<"paused" | "end">;
  /**
   * Ends the `pull` of a stream, if one is in progress, with "paused", although nothing was received.
   * What arrives later waits for the next one.
   */
  interrupt?(): void;
  /**
   * Resolves with the size of `data` when the system took all of it, and does not look at it any more
   * then. Calls may overlap: what they write is whole and in the order of the calls. Rejects with a
   * {@linkcode TransportError}, or with what the report makes of it.
   *
   * @param to The receiver, on a datagram transport.
   * @param report Told of the end.
   */
  send(data: Uint8Array, to?: NetAddr, report?: SendReport): Promise<number>;
  /**
   * Takes back the memory of a chunk that it handed up, from a receiver that has done with it and knows
   * that nobody else will look at it. Saves an allocation for each read.
   *
   * @param relayed Whether the chunk was sent on by a link: longer reads pay then.
   */
  recycle?(data: Uint8Array, relayed: boolean): void;
  /** Ends the output of a stream, after what was sent. */
  closeWrite?(): Promise<void>;
  /**
   * Closes after everything sent so far was taken by the system; ends a `pull` in progress with "end".
   * The address can be bound again once it resolved. Idempotent; never rejects.
   */
  close(): Promise<void>;
  /** Closes at once, resetting a connection where the platform can; ends sends and reads. Idempotent. */
  abort(reason?: unknown): void;
  /**
   * Lets go of the platform's object and gives it back as it was made, for somebody else to own. The
   * transport was not used before and is not used after.
   */
  release?(): unknown;
}

/** A listening stream socket. */
export interface Acceptor {
  /** Local address. */
  readonly localAddr: NetAddr;
  /** The platform's object. */
  readonly raw: unknown;
  /**
   * Told each time the system could not accept for lack of files or memory, before the wait; set by
   * whoever counts.
   */
  onShortage?: ((error: unknown) => void) | undefined;
  /** Told of a connection that was turned away before it was one; set by whoever counts. */
  onRefused?: (() => void) | undefined;
  /** Told of a handshake of the protocol's own that came to nothing; set by whoever counts. */
  onHandshakeFailed?: ((error: unknown, from: NetAddr | undefined) => void) | undefined;
  /** The next connection, or null after `close`. Survives passing errors such as a full file table. */
  accept(): Promise<Transport | null>;
  /** Stops listening; the port can be bound again once it resolved. Idempotent; never rejects. */
  close(): Promise<void>;
  /** Lets go of the platform's object, as {@linkcode Transport.release} does. */
  release?(): unknown;
}

/** What a driver needs to know to open something. */
export interface DriverOptions {
  /** The pipe's options. */
  readonly conf: Readonly<NetConf>;
  /** The peer's host as the caller named it, for a driver that verifies it. */
  readonly name?: string | undefined;
  /** Aborts the attempt, after which nothing it opened stays open. */
  readonly signal: AbortSignal;
}

/** Opens transports of one protocol in one way. */
export interface Driver {
  /** For messages and tests. */
  readonly name: string;
  /**
   * Opens a connection, or a datagram socket with a peer.
   *
   * @param to The peer: an IP literal and port.
   * @param from The local side; left to the system when undefined.
   */
  connect(to: NetAddr, from: NetAddr | undefined, options: DriverOptions): Promise<Transport>;
  /**
   * Listens for connections, or opens a datagram socket.
   *
   * @param at An IP literal and port; "::" listens on both families where the system does.
   */
  listen(at: NetAddr, options: DriverOptions): Promise<Acceptor | Transport>;
}
