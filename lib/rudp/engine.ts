import { PipeTimeoutError } from "../errors.ts";
import type { NetAddr } from "../pipe/types.ts";
import { TransportError } from "../transport/error.ts";
import { Outgoing } from "./outgoing.ts";
import { ackPacket, readPacket } from "./packet.ts";
import type { Peer } from "./peer.ts";
import { PeerTable } from "./peer_table.ts";
import { RecentAcks } from "./recent_acks.ts";
import { SeenNumbers } from "./seen.ts";
import { Sender } from "./sender.ts";

/** What an {@linkcode Engine} needs. */
export interface EngineOptions {
  /** Milliseconds from the first transmission of a message until it is given up. */
  readonly ackTimeout: number;
  /** Hands a packet to the network: a message, or an acknowledgement. */
  readonly transmit: (packet: Uint8Array<ArrayBuffer>, to: NetAddr, message?: Outgoing) => void;
  /** Takes a new message; false if there is no room for it, or it is not wanted. */
  readonly take: (message: Uint8Array, from: NetAddr) => boolean;
  /** A message has come again. */
  readonly onDuplicate: () => void;
  /** Whom the socket is for: others who acknowledge nothing do not push it out. @default {nobody} */
  readonly own?: NetAddr | undefined;
  /** The number of the first message to a peer. @default {a random one} */
  readonly base?: () => bigint;
}

/**
 * The protocol, without a socket or a clock: what comes in, goes out and is overdue. `now` is
 * milliseconds of any epoch, never less than in the call before.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #peers: PeerTable;
  /** Those with something on its way. */
  readonly #sending = new Set<Sender>();
  readonly #recent = new RecentAcks();
  readonly #base: () => bigint;
  #due = Infinity;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#peers = new PeerTable({
      own: options.own,
      onDropped: (sender) => {
        this.#sending.delete(sender);
        sender.giveWay();
      },
    });
    this.#base = options.base ?? randomNumber;
  }

  /** When to call `tick`, at the latest. */
  get due(): number {
    return this.#due;
  }

  /** Whether nothing is on its way. */
  get idle(): boolean {
    for (const sender of this.#sending) if (sender.pending > 0) return false;
    return true;
  }

  /** Peers, and blocks of their numbers, that are remembered. */
  get size(): { readonly peers: number; readonly blocks: number } {
    return { peers: this.#peers.size, blocks: this.#peers.blocks };
  }

  /**
   * Sends a message.
   *
   * @param settle Called once: without an error when the peer has acknowledged it.
   */
  send(
    data: Uint8Array,
    to: NetAddr,
    now: number,
    settle: (error?: TransportError) => void,
  ): void {
    const peer = this.#peers.get(to);
    const bytes = data.length;
    if (!this.#peers.admit(peer, bytes)) return settle(noRoom());
    const sender = peer.sender ??= this.#senderTo();
    const settled = (error?: TransportError) => {
      this.#peers.settled(peer, bytes);
      settle(error);
    };
    this.#sending.add(sender);
    sender.send(new Outgoing(data, to, peer.standing === "proven" ? settle : settled), now);
    this.#note(sender);
  }

  /** The system refused to send a message. */
  refused(message: Outgoing, error: TransportError, now: number): void {
    this.#peers.find(message.to)?.sender?.refused(message, error, now);
  }

  /** A packet came in. */
  receive(packet: Uint8Array, from: NetAddr, now: number): void {
    const read = readPacket(packet);
    if (read === undefined) return;
    const { number, message } = read;
    if (message === undefined) this.#acknowledged(number, from, now);
    else this.#received(number, message, from, now);
  }

  /** Does what is due. */
  tick(now: number): void {
    this.#due = Infinity;
    for (const sender of this.#sending) {
      if (sender.due <= now) sender.tick(now);
      if (sender.pending === 0) this.#sending.delete(sender);
      else this.#note(sender);
    }
  }

  /** Gives up everything that is on its way. */
  fail(error: TransportError): void {
    for (const sender of this.#sending) sender.fail(() => error);
    this.#sending.clear();
    this.#due = Infinity;
  }

  /** Whether anything was acknowledged so lately that the peer may not know it. */
  hasRecentAcks(now: number): boolean {
    return this.#recent.since(now).length > 0;
  }

  /** Acknowledges that once more. */
  repeatAcks(now: number): void {
    for (const { number, to } of this.#recent.since(now)) {
      this.#options.transmit(ackPacket(number), to);
    }
  }

  #senderTo(): Sender {
    const { ackTimeout, transmit } = this.#options;
    return new Sender({
      base: this.#base(),
      ackTimeout,
      transmit: (packet, message) => transmit(packet, message.to, message),
    });
  }

  #note(sender: Sender): void {
    this.#due = Math.min(this.#due, sender.due);
  }

  #acknowledged(number: bigint, from: NetAddr, now: number): void {
    const peer = this.#peers.find(from), sender = peer?.sender;
    if (peer === undefined || sender?.acknowledge(number, now) !== true) return;
    this.#peers.prove(peer);
    this.#note(sender);
  }

  #received(number: bigint, message: Uint8Array, from: NetAddr, now: number): void {
    const known = this.#peers.find(from);
    if (known?.seen?.has(number, now) === true) this.#options.onDuplicate();
    // No state for anybody whose message is not wanted.
    else if (!this.#options.take(message, from)) return;
    else this.#remember(this.#peers.get(from), number, now);
    this.#recent.add(number, from, now);
    this.#options.transmit(ackPacket(number), from);
  }

  #remember(peer: Peer, number: bigint, now: number): void {
    const seen = peer.seen ??= new SeenNumbers(now);
    const before = seen.size;
    seen.add(number, now);
    this.#peers.grown(seen.size - before);
  }
}

/** The error of a message for which nothing else can make room. */
function noRoom(): TransportError {
  const why = "not sent: too much waits already for a first acknowledgement of the peer";
  return new TransportError("unanswered", new PipeTimeoutError(why));
}

/**
 * Where to start counting: nobody can guess what to acknowledge, and what a socket sends that had the
 * same address before is not taken for a repetition.
 */
function randomNumber(): bigint {
  return crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n;
}
