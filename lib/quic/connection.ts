import { PipeStateError } from "../errors.ts";
import { netAddr, zoneOf } from "../transport/addr.ts";
import { closedHere, type TransportError } from "../transport/error.ts";
import type { NetAddr } from "../pipe/types.ts";
import type { TlsInfo } from "../pipe/tls_info.ts";
import { agreed } from "./alpn.ts";
import { Arrival } from "./arrival.ts";
import { Control, Say } from "./control.ts";
import type { Endpoint } from "./endpoint.ts";
import { CloseCode, closedByPeer, lostBy } from "./errors.ts";

/** Cuts of streams that have not come yet; more are of no honest peer. */
const MOST_EARLY = 256;

/** What rides on a connection: a stream, or its datagrams. */
export interface Rider {
  /**
   * The connection has ended, by the peer or by itself.
   *
   * @param failure What that is for a stream that has not ended.
   * @param inOrder Whether the peer closed it in good order.
   */
  lost(failure: TransportError, inOrder: boolean): void;
}

/** A stream, as its connection sees it. */
export interface StreamRider extends Rider {
  readonly id: bigint;
  /** The peer takes back what it sent. */
  cut(): void;
  /** Reads what is on its way before anybody asks for it: the peer waits for that. */
  readAhead(): void;
}

/** How a {@linkcode Connection} came to be. */
export interface ConnectionOptions {
  readonly conn: Deno.QuicConn;
  /** Retained for it. */
  readonly endpoint: Endpoint;
  /** Which side of the handshake. */
  readonly side: "client" | "server";
  /** The name that the client asked for. */
  readonly serverName: string | undefined;
  /** The peer as it was asked for, where it has to have the zone. */
  readonly to?: NetAddr;
}

/**
 * One QUIC connection. It lives while anything rides on it or holds it, and is closed when everything
 * that was sent has arrived: QUIC forgets what is under way when it closes (RFC 9000, section 10.2).
 */
export class Connection {
  /** Undefined when it is over, so that the port can be freed. */
  #raw: Deno.QuicConn | undefined;
  readonly side: "client" | "server";
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr;
  readonly tls: TlsInfo;
  /** Resolves when it is over and has let go of everything. */
  readonly over: Promise<void>;
  readonly #endpoint: Endpoint;
  #control: Control | undefined;
  readonly #riders = new Set<Rider>();
  readonly #streams = new Map<bigint, StreamRider>();
  /** Whether somebody wants it open although nothing rides on it. */
  #held = false;
  #left = false;
  #state: "open" | "closing" | "closed" = "open";
  #closing: Promise<void> | undefined;
  #failure: TransportError | undefined;
  readonly #arrival: Arrival;
  /** Outputs that are no more written to, and must not look complete. */
  readonly #cut = new Map<bigint, () => void>();
  readonly #earlyCuts = new Set<bigint>();
  /** The last stream of the peer's that was taken in. */
  #newest = -1n;

  constructor({ conn, endpoint, side, serverName, to }: ConnectionOptions) {
    this.#raw = conn;
    this.side = side;
    this.#endpoint = endpoint;
    this.localAddr = endpoint.addr;
    const { hostname, port } = conn.remoteAddr;
    const zone = zoneOf(to?.hostname) || zoneOf(endpoint.addr.hostname);
    this.remoteAddr = netAddr("udp", hostname, port, zone);
    const { name, own } = agreed(conn.protocol ?? "");
    this.tls = Object.freeze({
      protocol: "TLSv1.3",
      alpnProtocol: name,
      serverName,
      authorized: side === "client",
      peerCertificate: undefined,
    });
    if (own) this.#control = new Control(conn, (what, value) => this.#told(what, value));
    this.#arrival = new Arrival(this.#control);
    this.over = this.#watch(conn);
  }

  /** Why nothing can be done on it any more. */
  get failure(): TransportError | undefined {
    if (this.#state === "open") return undefined;
    return this.#failure ?? closedHere();
  }

  get raw(): Deno.QuicConn | undefined {
    return this.#raw;
  }

  /** Whether anything rides on it. */
  get used(): boolean {
    return this.#riders.size > 0;
  }

  /** Keeps it open, or not. */
  async hold(wanted: boolean): Promise<void> {
    this.#held = wanted;
    if (!wanted && !this.used) await this.close();
  }

  /** Takes on a rider; what rides already stays one. */
  mount(rider: Rider): void {
    if (this.failure !== undefined) throw new PipeStateError("over: the connection is closed");
    this.#riders.add(rider);
  }

  /** Takes on a stream. */
  mountStream(stream: StreamRider): void {
    this.#riders.add(stream);
    this.#streams.set(stream.id, stream);
    this.#arrival.inputBegun();
    if (isOwn(stream.id, this.side)) return;
    this.#newest = stream.id;
    if (this.#earlyCuts.delete(stream.id)) this.#cutHere(stream.id);
    if (this.#arrival.asked) stream.readAhead();
  }

  /** Something is being sent. */
  sending(size: number): void {
    this.#arrival.sending(size);
  }

  /** A stream has ended its output, so that the peer can see it. */
  outputEnded(): void {
    this.#arrival.outputEnded();
  }

  /** A stream has all of its input, or wants no more. */
  inputEnded(id: bigint): void {
    this.#streams.delete(id);
    this.#arrival.inputEnded();
  }

  /**
   * A rider is done in good order. With the last one the connection closes, and this resolves when what
   * was sent on it has arrived.
   */
  async leave(rider: Rider): Promise<void> {
    this.#riders.delete(rider);
    if ("id" in rider) this.#left = true; // a stream, whose data may be under way
    if (!this.used && !this.#held) await this.close();
  }

  /** A rider gives up what it has not sent: the connection ends with it if that is the last one. */
  giveUp(rider: Rider): void {
    this.#riders.delete(rider);
    if (this.used || this.#held) return;
    if (this.#owes) void this.close();
    else this.shut(CloseCode.aborted);
  }

  /**
   * A stream must not look complete to the peer, which only the end of the connection can tell it, or
   * the peer's own side of this library.
   *
   * @param drop Lets go of the output.
   */
  cutOutput(stream: StreamRider, drop: () => void): void {
    this.outputEnded();
    const last = this.#riders.size === (this.#riders.has(stream) ? 1 : 0);
    if (this.#control === undefined || (last && !this.#held && !this.#owes)) {
      if (last) this.shut(CloseCode.aborted);
      else drop();
      return;
    }
    this.#cut.set(stream.id, drop);
    this.#control.say(Say.cut, stream.id);
  }

  /** Whether others have closed in good order, whose data may be under way, and a cut can be told beside it. */
  get #owes(): boolean {
    return this.#left && this.#control !== undefined;
  }

  /** Closes when what was sent has arrived. */
  close(): Promise<void> {
    return this.#closing ??= this.#finish();
  }

  /** Closes at once. */
  shut(code: number, reason = ""): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#raw?.close({ closeCode: code, reason });
  }

  async #finish(): Promise<void> {
    if (this.#state === "open") this.#state = "closing";
    const arrived = await this.#arrival.wait(this.over);
    this.shut(arrived ? CloseCode.done : CloseCode.aborted);
    await this.over;
  }

  async #watch(conn: Deno.QuicConn): Promise<void> {
    let failure: TransportError, inOrder = false;
    try {
      const info = await conn.closed;
      failure = closedByPeer(info);
      inOrder = info.closeCode === CloseCode.done;
    } catch (error) {
      failure = lostBy(error);
    }
    if (this.#state === "closed") failure = closedHere();
    this.#state = "closed";
    this.#failure = failure;
    for (const rider of [...this.#riders]) rider.lost(failure, inOrder);
    this.#cut.clear();
    await this.#control?.ended;
    this.#raw = this.#control = undefined;
    await this.#endpoint.release();
  }

  #told(what: number, value: bigint): void {
    if (what === Say.done) this.#arrival.done(value);
    else if (what === Say.cut) this.#peerCut(value);
    else if (what === Say.cutSeen) {
      this.#cut.get(value)?.();
      this.#cut.delete(value);
    } else if (what === Say.finish) {
      for (const stream of [...this.#streams.values()]) stream.readAhead();
      this.#arrival.ask(value);
    }
  }

  #peerCut(id: bigint): void {
    const isNew = !isOwn(id, this.side) && id > this.#newest;
    if (!isNew) this.#cutHere(id);
    else if (this.#earlyCuts.size < MOST_EARLY) this.#earlyCuts.add(id);
  }

  #cutHere(id: bigint): void {
    this.#streams.get(id)?.cut();
    this.#control?.say(Say.cutSeen, id);
  }
}

/** Which side opened a stream (RFC 9000, section 2.1). */
function isOwn(id: bigint, side: "client" | "server"): boolean {
  return (id & 1n) === (side === "client" ? 0n : 1n);
}
