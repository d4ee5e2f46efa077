import { PipeOpenError } from "../errors.ts";
import type { TlsContext } from "../transport/tls.ts";
import type { Acceptor, Transport } from "../transport/transport.ts";
import type { NetConf } from "./conf.ts";
import { Handshakes } from "./handshakes.ts";
import { PeerRules } from "./peer_rules.ts";
import { handshake, needsHandshake, tlsError } from "./secure.ts";
import type { Tally } from "./tally.ts";
import type { NetAddr } from "./types.ts";

/** What admission needs of its server. */
export interface Admitting {
  readonly conf: Readonly<NetConf>;
  readonly tally: Tally;
  readonly localAddr: NetAddr;
  readonly clients: { readonly size: number };
  /** Whether it has not begun to close. */
  readonly isOpen: boolean;
  /** Whether one connection more is of use to somebody, or may wait until it is. */
  readonly hasRoom: boolean;
  report(error: unknown): void;
  /** Makes a pipe of a connection that was let in, and owns it from here on. */
  welcome(transport: Transport): void;
}

/**
 * The way of connections into a server: takes them from the listening socket while the server has room,
 * turns away those that `conf.allow`, `conf.deny` or `conf.maxClients` keep out, and lets the others in,
 * after their TLS handshake if there is one.
 */
export class Admission {
  readonly #server: Admitting;
  readonly #acceptor: Acceptor;
  readonly #rules: PeerRules;
  readonly #tls: TlsContext | undefined;
  readonly #handshakes: Handshakes;
  /** The system had no files or memory for the last connection. */
  #short = false;
  #roomForMore: (() => void) | undefined;

  /**
   * @param server Who gets the connections.
   * @param acceptor Where they come from.
   * @param tls Has them speak TLS.
   */
  constructor(server: Admitting, acceptor: Acceptor, tls: TlsContext | undefined) {
    this.#server = server;
    this.#acceptor = acceptor;
    acceptor.onShortage = (error) => this.#onShortage(error);
    acceptor.onRefused = () => server.tally.refused();
    acceptor.onHandshakeFailed = (error, from) => this.#handshakeFailed(error, from);
    this.#rules = new PeerRules(server.conf);
    this.#tls = tls;
    this.#handshakes = new Handshakes({
      run: (transport, signal) =>
        handshake(transport, { context: tls, timeout: server.conf.sslHandshake, signal }),
      done: (transport) => server.isOpen ? server.welcome(transport) : transport.abort(),
      failed: (error, { remoteAddr }) => this.#handshakeFailed(error, remoteAddr),
    });
  }

  /** Accepts until the server or the listening socket is closed; rejects when that fails. */
  async run(): Promise<void> {
    while (this.#server.isOpen) {
      await this.#room();
      const transport = await this.#acceptor.accept();
      if (transport === null) break;
      if (this.#server.isOpen) this.#admit(transport);
      else transport.abort();
    }
  }

  /** Goes on accepting if it waits for room and need not any more. */
  resume(): void {
    if (this.#roomForMore === undefined || !this.#mayGoOn) return;
    this.#roomForMore();
    this.#roomForMore = undefined;
  }

  /** Frees the port and ends the handshakes. */
  async close(): Promise<void> {
    await Promise.all([this.#acceptor.close(), this.#handshakes.close()]);
  }

  /** Waits while connections pile up that nobody has use for; the system's backlog holds the rest. */
  #room(): Promise<void> {
    if (this.#mayGoOn) return Promise.resolve();
    return new Promise((resolve) => this.#roomForMore = resolve);
  }

  get #mayGoOn(): boolean {
    return this.#server.hasRoom || !this.#server.isOpen;
  }

  #admit(transport: Transport): void {
    this.#short = false;
    const { conf: { maxClients, backlog }, clients, tally } = this.#server;
    const room = maxClients > 0 ? maxClients - clients.size : Infinity;
    if (room <= 0 || !this.#rules.admits(transport.remoteAddr)) {
      tally.refused();
      transport.abort();
    } else if (needsHandshake(transport, this.#tls)) {
      this.#handshakes.add(transport, Math.min(room, backlog));
    } else this.#server.welcome(transport);
  }

  /** A full file table is no reason to stop, and told once each time it begins. */
  #onShortage(error: unknown): void {
    this.#server.tally.acceptError();
    if (!this.#short) this.#server.report(error);
    this.#short = true;
  }

  #handshakeFailed(error: unknown, from = this.#server.localAddr): void {
    this.#server.tally.tlsFailed();
    this.#server.report(error instanceof PipeOpenError ? error : tlsError(from, error));
  }
}
