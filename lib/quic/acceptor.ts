import { PipeTimeoutError } from "../errors.ts";
import { PeerRules } from "../pipe/peer_rules.ts";
import type { NetConf } from "../pipe/conf.ts";
import type { NetAddr } from "../pipe/types.ts";
import { AcceptQueue } from "../transport/accept_queue.ts";
import { netAddr } from "../transport/addr.ts";
import type { Acceptor, Transport } from "../transport/transport.ts";
import { Connection } from "./connection.ts";
import type { Endpoint } from "./endpoint.ts";
import { CloseCode, connectError } from "./errors.ts";
import { streamOver } from "./over.ts";
import { serverTls } from "./tls.ts";
import { transportOptions } from "./transport_options.ts";

/** setTimeout holds no more than 31 bits. */
const LONGEST = 0x7fffffff;

/**
 * Accepts connections, and on each of them the streams that the peer opens. A stream is there with its
 * first byte: until then QUIC tells nobody of it.
 */
export class QuicAcceptor implements Acceptor {
  readonly localAddr: NetAddr;
  onShortage?: ((error: unknown) => void) | undefined;
  onRefused?: (() => void) | undefined;
  onHandshakeFailed?: ((error: unknown, from: NetAddr | undefined) => void) | undefined;
  readonly #endpoint: Endpoint;
  #raw: Deno.QuicListener | undefined;
  readonly #conf: Readonly<NetConf>;
  readonly #rules: PeerRules;
  readonly #queue = new AcceptQueue(Infinity);
  readonly #shaking = new Set<Promise<void>>();
  /** In the order in which they came. */
  readonly #connections = new Set<Connection>();
  #closing: Promise<void> | undefined;

  /**
   * @param endpoint Retained for it.
   * @throws {Error} Of the platform, when it cannot listen.
   */
  constructor(endpoint: Endpoint, conf: Readonly<NetConf>) {
    this.#endpoint = endpoint;
    this.#conf = conf;
    this.#rules = new PeerRules(conf);
    this.localAddr = endpoint.addr;
    const options = { ...serverTls(conf.useSsl), ...transportOptions(conf, "server") };
    this.#raw = endpoint.listen(options, (incoming) => this.#take(incoming));
  }

  /** Undefined when closed, so that the port can be freed. */
  get raw(): Deno.QuicListener | undefined {
    return this.#raw;
  }

  accept(): Promise<Transport | null> {
    return this.#queue.accept();
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#endpoint.unlisten();
    this.#raw = undefined;
    this.#queue.close();
    const unused = [...this.#connections].map((connection) => {
      const { used } = connection;
      const ended = connection.hold(false);
      return used ? undefined : ended;
    });
    await Promise.all(unused);
    await this.#endpoint.release();
    // Only the end of the endpoint ends a handshake whose peer says nothing.
    if (!this.#endpoint.inUse) await Promise.all(this.#shaking);
  }

  /** One more connection, if there is room; Deno shows from whom only when it was accepted. */
  #take(incoming: Deno.QuicIncoming): void {
    if (!this.#hasRoom()) {
      this.onRefused?.();
      incoming.refuse();
      return;
    }
    const shaking = this.#shake(incoming).finally(() => this.#shaking.delete(shaking));
    this.#shaking.add(shaking);
  }

  /** A connection without a stream gives way to a newer one. */
  #hasRoom(): boolean {
    const { maxClients, backlog } = this.#conf;
    const most = maxClients > 0 ? maxClients : Infinity;
    const idle = [...this.#connections].filter(({ used }) => !used);
    const isFull = this.#connections.size + this.#shaking.size >= most;
    if (!isFull && idle.length + this.#shaking.size < backlog) return true;
    const [oldest] = idle;
    if (oldest === undefined) return false;
    this.#connections.delete(oldest);
    oldest.shut(CloseCode.refused, "no room");
    return true;
  }

  async #shake(incoming: Deno.QuicIncoming): Promise<void> {
    const { sslHandshake } = this.#conf;
    let failed = false;
    const fail = (error: unknown, from?: NetAddr) => {
      if (!failed && this.#closing === undefined) this.onHandshakeFailed?.(error, from);
      failed = true;
    };
    const late = sslHandshake > LONGEST ? undefined : setTimeout(() => {
      fail(new PipeTimeoutError(`No QUIC handshake within ${sslHandshake} ms`));
    }, sslHandshake);
    try {
      const conn = await incoming.accept();
      // There was no way to end it before.
      if (failed || this.#closing !== undefined) await turnAway(conn);
      else await this.#admit(conn);
    } catch (error) {
      fail(connectError(error));
    } finally {
      clearTimeout(late);
    }
  }

  async #admit(conn: Deno.QuicConn): Promise<void> {
    if (!this.#rules.admits(netAddr("udp", conn.remoteAddr.hostname, conn.remoteAddr.port))) {
      this.onRefused?.();
      return await turnAway(conn);
    }
    // Null where there is none, whatever its type says.
    const serverName = conn.serverName ?? undefined;
    const endpoint = this.#endpoint.retain();
    const connection = new Connection({ conn, endpoint, side: "server", serverName });
    void connection.hold(true);
    this.#connections.add(connection);
    void this.#streams(conn, connection);
    void connection.over.then(() => this.#connections.delete(connection));
  }

  async #streams(conn: Deno.QuicConn, connection: Connection): Promise<void> {
    try {
      for await (const stream of conn.incomingBidirectionalStreams) {
        const transport = streamOver(stream, connection);
        if (this.#closing === undefined) this.#queue.push(transport);
        else transport.abort();
      }
    } catch {
      // The connection is gone, and tells.
    }
  }
}

async function turnAway(conn: Deno.QuicConn): Promise<void> {
  conn.close({ closeCode: CloseCode.refused, reason: "" });
  await conn.closed.catch(() => {});
}
