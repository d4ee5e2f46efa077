/**
 * Many listeners as one thing.
 *
 * @module
 */
import { PipeError, PipeStateError } from "../errors.ts";
import { checkFunction, checkMs, checkOptions, flag } from "../pipe/checks.ts";
import { resolveConf } from "../pipe/conf.ts";
import { pipeOpen } from "../pipe/open.ts";
import type { Pipe, ServerPipe } from "../pipe/pipe_types.ts";
import type { EndCb, MsgCb, Proto, UpCb } from "../pipe/types.ts";
import type { PipeOptions } from "../pipe/pipe_options.ts";
import { checkNew } from "./daemon_checks.ts";
import { Closing } from "./daemon_close.ts";
import { openAll } from "./daemon_listen.ts";
import { allPlaces, localPlaces, loopbackPlaces, type Place } from "./daemon_places.ts";
import type {
  DaemonCloseOptions,
  DaemonListening,
  DaemonListenOptions,
  DaemonOptions,
} from "./daemon_types.ts";
import type { Interface } from "./interface.ts";

export type { DaemonCloseOptions, DaemonListening, DaemonListenOptions, DaemonOptions };

/** Milliseconds that `close` leaves by default. */
const GRACE = 5000;

/**
 * Listens with several protocols, at several addresses, and is one thing all the same: one set of
 * handlers and one `conf` for all, and one `close` that loses nothing.
 *
 * What is opened by one call is opened altogether or not at all, and no handler runs before everything
 * is open. Port 0 stands for one port that is free at all the places of the call.
 *
 * @example
 * ```ts
 * import { Daemon, pipeOpen, TCP, UDP } from "@p2pd/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * await using daemon = new Daemon({ msgCb: (msg, from, pipe) => pipe.send(msg, from) });
 * const { pipes } = await daemon.listenLoopback([TCP, UDP], 0);
 *
 * for (const { proto, localAddr: dest } of pipes) {
 *   await using client = await pipeOpen(proto, { dest });
 *   const [reply] = await client.request("hello");
 *   assertEquals(reply, new TextEncoder().encode("hello"));
 * }
 * ```
 */
export class Daemon implements AsyncDisposable {
  /** Resolves when it is closed for good. Never rejects. */
  readonly closed: Promise<void>;
  /** The pipes that listen now. Closing one of them alone takes it out. */
  readonly pipes: ReadonlySet<Pipe>;
  readonly #pipes = new Set<Pipe>();
  readonly #conf: PipeOptions["conf"];
  readonly #msgCbs = new Set<MsgCb>();
  readonly #upCbs = new Set<UpCb>();
  readonly #endCbs = new Set<EndCb>();
  /** Calls that are opening something. */
  readonly #opening = new Set<Promise<unknown>>();
  readonly #abort = new AbortController();
  readonly #settleClosed: () => void;
  #grace = Infinity;
  #closing: Closing | undefined;

  /**
   * Makes a daemon that does not listen yet.
   *
   * @param options First handlers, and the options of all pipes.
   * @throws {TypeError} If an option is of a wrong kind.
   * @throws {RangeError} If a number in `conf` is out of its range.
   */
  constructor(options: DaemonOptions = {}) {
    const { msgCb, upCb, endCb, conf } = checkOptions(options, "msgCb", "upCb", "endCb", "conf");
    if (resolveConf(conf).sockOnly) {
      throw new TypeError("conf.sockOnly: a daemon has no use for a socket without a pipe");
    }
    this.#conf = conf;
    if (msgCb !== undefined) this.addMsgCb(msgCb);
    if (upCb !== undefined) this.addUpCb(upCb);
    if (endCb !== undefined) this.addEndCb(endCb);
    this.pipes = this.#pipes;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#settleClosed = resolve;
  }

  /**
   * Adds a handler for every message of every pipe, now and later.
   *
   * @param cb The handler; adding it twice has no effect.
   * @returns This daemon.
   */
  addMsgCb(cb: MsgCb): this {
    checkFunction(cb, "msgCb");
    this.#msgCbs.add(cb);
    for (const pipe of this.#pipes) pipe.addMsgCb(cb);
    return this;
  }

  /**
   * Removes a message handler from every pipe.
   *
   * @param cb The handler.
   * @returns This daemon.
   */
  delMsgCb(cb: MsgCb): this {
    this.#msgCbs.delete(cb);
    for (const pipe of this.#pipes) pipe.delMsgCb(cb);
    return this;
  }

  /**
   * Adds a handler for connections coming up; called at once for those that are up.
   *
   * @param cb The handler; adding it twice has no effect.
   * @returns This daemon.
   */
  addUpCb(cb: UpCb): this {
    checkFunction(cb, "upCb");
    this.#upCbs.add(cb);
    for (const pipe of this.#pipes) pipe.addUpCb(cb);
    return this;
  }

  /**
   * Removes an up handler from every pipe.
   *
   * @param cb The handler.
   * @returns This daemon.
   */
  delUpCb(cb: UpCb): this {
    this.#upCbs.delete(cb);
    for (const pipe of this.#pipes) pipe.delUpCb(cb);
    return this;
  }

  /**
   * Adds a handler for the end of connections.
   *
   * @param cb The handler; adding it twice has no effect.
   * @returns This daemon.
   */
  addEndCb(cb: EndCb): this {
    checkFunction(cb, "endCb");
    this.#endCbs.add(cb);
    for (const pipe of this.#pipes) pipe.addEndCb(cb);
    return this;
  }

  /**
   * Removes an end handler from every pipe.
   *
   * @param cb The handler.
   * @returns This daemon.
   */
  delEndCb(cb: EndCb): this {
    this.#endCbs.delete(cb);
    for (const pipe of this.#pipes) pipe.delEndCb(cb);
    return this;
  }

  /**
   * Listens at one place. The overload below is for the other protocols; what is thrown is the same.
   *
   * @param proto The protocol; "quic" takes `conf.useSsl` with a certificate.
   * @param route Where, as `pipeOpen` takes it: "10.0.0.5:80", a bound {@linkcode Route}.
   * @returns The pipe that listens.
   * @throws {TypeError} If an argument is of a wrong kind.
   * @throws {RangeError} If a port is out of range.
   * @throws {PipeOpenError} If it cannot be opened.
   * @throws {PipeStateError} If the daemon is closed, or listens there already. Of two calls at the same
   * time the second one fails as the system says, which with `conf.reuseAddr` lets both listen.
   */
  addListener(
    proto: "tcp" | "quic",
    route: NonNullable<PipeOptions["route"]>,
  ): Promise<ServerPipe>;
  /**
   * Listens at one place, with any protocol.
   *
   * @param proto The protocol.
   * @param route Where.
   * @returns The pipe that listens.
   */
  addListener(proto: Proto, route: NonNullable<PipeOptions["route"]>): Promise<Pipe>;
  async addListener(proto: Proto, route: NonNullable<PipeOptions["route"]>): Promise<Pipe> {
    if (route === undefined) throw new TypeError("route: is missing, where to listen");
    const open = async (signal: AbortSignal) => {
      checkNew(this.#pipes, proto, route);
      return { pipes: [await pipeOpen(proto, { route, conf: this.#conf, signal })], errors: [] };
    };
    const [pipe] = (await this.#listen(open)).pipes;
    if (pipe === undefined) throw new PipeError("Cannot listen: nothing was opened");
    return pipe;
  }

  /**
   * Listens at all addresses: of this machine, the ones that it gets later included, or of a card. Where
   * a machine has several addresses, the system chooses which of them its datagrams come from; a
   * listener for each, as with a card, answers from the one that was asked.
   *
   * @param proto The protocol, or several.
   * @param port The port; 0: one that is free everywhere.
   * @param nic The card, or cards. @default {all addresses of this machine, in one pipe}
   * @param options What becomes of it where not everything can be opened.
   * @returns The pipes that listen.
   * @throws {TypeError} If an argument is of a wrong kind.
   * @throws {RangeError} If the port is out of range.
   * @throws {PipeOpenError} If something cannot be opened; the message lists what.
   * @throws {PipeStateError} If the daemon is closed, or listens at one of these places already.
   */
  listenAll(
    proto: Proto | readonly Proto[],
    port: number,
    nic?: Interface | readonly Interface[],
    options?: DaemonListenOptions,
  ): Promise<DaemonListening> {
    return this.#listenAt(() => allPlaces(proto, port, nic), port, options);
  }

  /**
   * Listens at 127.0.0.1 and, where the host has it, ::1.
   *
   * @param proto The protocol, or several.
   * @param port The port; 0: one that is free at both.
   * @param nic Only the families that this card has. @default {those that the host has}
   * @param options What becomes of it where not everything can be opened.
   * @returns The pipes that listen.
   * @throws {TypeError} If an argument is of a wrong kind.
   * @throws {RangeError} If the port is out of range.
   * @throws {PipeOpenError} If something cannot be opened; the message lists what.
   * @throws {PipeStateError} If the daemon is closed, or listens at one of these places already.
   */
  listenLoopback(
    proto: Proto | readonly Proto[],
    port: number,
    nic?: Interface,
    options?: DaemonListenOptions,
  ): Promise<DaemonListening> {
    return this.#listenAt(() => loopbackPlaces(proto, port, nic), port, options);
  }

  /**
   * Listens where only neighbours can reach: at the private addresses of IPv4 (RFC 1918), the link-local
   * ones (RFC 3927, RFC 4291) and the unique local ones of IPv6 (RFC 4193) of a card.
   *
   * @param proto The protocol, or several.
   * @param port The port; 0: one that is free at all of them.
   * @param nic The card, or cards: `Interface.list()`.
   * @param options What becomes of it where not everything can be opened.
   * @returns The pipes that listen.
   * @throws {TypeError} If an argument is of a wrong kind.
   * @throws {RangeError} If the port is out of range, or there is no such address.
   * @throws {PipeOpenError} If something cannot be opened; the message lists what.
   * @throws {PipeStateError} If the daemon is closed, or listens at one of these places already.
   */
  listenLocal(
    proto: Proto | readonly Proto[],
    port: number,
    nic: Interface | readonly Interface[],
    options?: DaemonListenOptions,
  ): Promise<DaemonListening> {
    return this.#listenAt(() => localPlaces(proto, port, nic), port, options);
  }

  /**
   * Closes everything without losing what was received. It accepts no more connections at once, and
   * frees their ports. Connections go on as long as messages come or are handled, and each is closed
   * when it has been quiet for 100 ms: what was sent goes out first, and its end handlers finish. A peer
   * that never pauses is cut between two of its messages when half of the grace time is over: those that
   * it sends then are not handled. What is left after the grace time is aborted.
   *
   * Handlers alone are waited for, no link (`addPipe`) and no loop: what a relay's backend, or a loop over
   * a connection, takes longer than these 100 ms to answer is lost, unless an up handler waits for it: one
   * that links returns the backend's `closed`, one that loops the promise of its loop. Then the connection
   * lasts until either side ends it, or the grace time does.
   *
   * Calling it again waits for the same, and shortens the grace time if it names a shorter one. A handler
   * that calls it must not wait for it, since it waits for the handler.
   *
   * @param options The grace time.
   * @throws {TypeError} If it is no number.
   * @throws {RangeError} If it is negative.
   */
  async close(options: DaemonCloseOptions = {}): Promise<void> {
    const { grace } = checkOptions(options, "grace");
    if (grace !== undefined) checkMs(grace, "grace");
    const first = !this.#abort.signal.aborted;
    this.#grace = first ? grace ?? GRACE : Math.min(this.#grace, grace ?? Infinity);
    if (first) this.#close();
    else if (grace !== undefined) this.#closing?.hurry(grace);
    await this.closed;
  }

  /** Closes it as {@linkcode Daemon.close} does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.#abort.abort(new PipeStateError("Cannot listen: the daemon is closed"));
    await Promise.allSettled(this.#opening); // what was open already is closed like the rest
    this.#closing = new Closing(this.#pipes, this.#grace);
    await this.#closing.done;
    this.#settleClosed();
  }

  async #listenAt(
    find: () => readonly Place[],
    port: number,
    options: DaemonListenOptions = {},
  ): Promise<DaemonListening> {
    const { partial = false } = checkOptions(options, "partial");
    flag(partial, "partial");
    const places = find();
    return await this.#listen((signal) => {
      for (const { proto, at } of places) checkNew(this.#pipes, proto, at(port));
      return openAll(places, port, { conf: this.#conf, signal, partial });
    });
  }

  /** Opens something, and puts it under the handlers when all of it is open. */
  async #listen(open: (signal: AbortSignal) => Promise<DaemonListening>): Promise<DaemonListening> {
    const opening = open(this.#abort.signal);
    this.#opening.add(opening);
    try {
      const opened = await opening;
      for (const pipe of opened.pipes) this.#adopt(pipe);
      return opened;
    } finally {
      this.#opening.delete(opening);
    }
  }

  #adopt(pipe: Pipe): void {
    this.#pipes.add(pipe);
    pipe.closed.then(() => this.#pipes.delete(pipe));
    for (const cb of this.#upCbs) pipe.addUpCb(cb);
    for (const cb of this.#endCbs) pipe.addEndCb(cb);
    for (const cb of this.#msgCbs) pipe.addMsgCb(cb);
  }
}
