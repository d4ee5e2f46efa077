import { PipeClosedError, PipeStateError } from "../errors.ts";
import { parseDest } from "../net/address.ts";
import { formatIp } from "../net/ip.ts";
import { show } from "../net/show.ts";
import { checkPipe } from "../pipe/base.ts";
import { checkFunction, checkSignal } from "../pipe/checks.ts";
import { reachable } from "../pipe/peer.ts";
import type { Pipe } from "../pipe/pipe_types.ts";
import type { Dest, NetAddr, Subscription } from "../pipe/types.ts";
import { Framer } from "./framer.ts";
import { type Mapping, toMapping } from "./mapping.ts";
import { LongTerm, type StunCredentials } from "./long_term.ts";
import type { StunMessage } from "./message.ts";
import { type Exchange, Session, type StunAnswer, type StunStats } from "./session.ts";
import { checkTiming, RFC8489_TIMING, type StunTiming } from "./timing.ts";

/** Options of {@linkcode StunClient}. */
export interface StunClientOptions {
  /** For servers that want to know who asks; sent to no others. @default {none} */
  readonly credentials?: StunCredentials | undefined;
  /** When to send again and to give up. @default {RFC8489_TIMING} */
  readonly timing?: StunTiming | undefined;
}

/** Options of {@linkcode StunClient.request}. */
export interface StunRequestOptions {
  /** The server, as IP address and port. @default {the pipe's peer} */
  readonly server?: Dest | undefined;
  /**
   * Adds attributes to the request. It may be called several times, as each try with credentials is
   * another request with an id of its own.
   */
  readonly compose?: ((message: StunMessage) => StunMessage) | undefined;
  /**
   * Takes the answer from any address, as one to CHANGE-REQUEST comes from another one. The pipe must
   * let it through: one without a `dest`, or with `conf.anyPeer`. @default {false}
   */
  readonly anyFrom?: boolean | undefined;
  /** When to send again and to give up. @default {the client's} */
  readonly timing?: StunTiming | undefined;
  /** Ends the wait; the call rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** A longer timer would fire at once. */
const MAX_DELAY = 0x7fffffff;

/**
 * Asks STUN servers over a pipe of any kind (RFC 8489): over one UDP pipe many servers, as often as you
 * like at once; over TCP or TLS the peer. An answer is one by its transaction id and its sender's
 * address; all else is ignored and counted in `stats`.
 *
 * It subscribes to the pipe and leaves it to its owner. The pipe's handlers and other subscriptions get
 * everything as ever, the servers' answers too: a message with 0x2112A442 in its bytes 4 to 7 is one
 * (RFC 8489, section 5). Servers may be asked at most for a Binding.
 *
 * @example
 * ```ts
 * import { pipeOpen, UDP } from "@p2pd/pipes";
 * import { StunClient } from "@p2pd/pipes/stun";
 * import { serveStun } from "@p2pd/pipes/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await serveStun();
 * await using pipe = await pipeOpen(UDP, { route: "127.0.0.1:0" });
 * using client = new StunClient(pipe);
 * const { mapped } = await client.getMapping({ server: server.addr });
 * assertEquals(mapped, pipe.localAddr); // there is no NAT here
 * ```
 */
export class StunClient implements Disposable {
  /** The pipe. It is its owner's to close. */
  readonly pipe: Pipe;
  readonly #timing: StunTiming;
  readonly #session: Session;
  readonly #subscription: Subscription;
  readonly #framer: Framer | undefined;
  readonly #waiting = new Map<Exchange, PromiseWithResolvers<StunAnswer>>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed: Error | undefined;

  /**
   * Begins to listen on a pipe.
   *
   * @param pipe A client of TCP or TLS, or any UDP pipe. Its `recv()` does not queue meanwhile.
   * @param options Credentials and times.
   * @throws {TypeError} If an argument is of a wrong kind.
   * @throws {RangeError} If a time is out of range.
   */
  constructor(pipe: Pipe, options: StunClientOptions = {}) {
    const { credentials, timing = RFC8489_TIMING } = options;
    checkPipe(pipe);
    checkTiming(timing);
    if (credentials !== undefined) new LongTerm(credentials); // throws where they are none
    if (pipe.proto === "tcp" && pipe.role === "server") {
      throw new TypeError("pipe: a connection or a UDP pipe is needed, got a TCP server");
    }
    this.pipe = pipe;
    this.#timing = timing;
    const stream = pipe.proto === "tcp";
    this.#session = new Session(stream, credentials);
    this.#framer = stream ? new Framer() : undefined;
    this.#subscription = pipe.subscribe({}, (msg, from) => this.#receive(msg, from));
    pipe.closed.then(({ error: cause }) => this.#end(closedError("the pipe has ended", cause)));
  }

  /** What was ignored, as of now. */
  get stats(): StunStats {
    return this.#session.stats;
  }

  /**
   * Asks a server for a Binding and gives the whole answer.
   *
   * @param options Whom, what, and how long.
   * @returns The success answer.
   * @throws {TypeError} If an option is of a wrong kind.
   * @throws {StunError} If the server refuses, or answers what cannot be understood.
   * @throws {PipeTimeoutError} If nothing came in time.
   * @throws {PipeClosedError} If the pipe or the client ended first.
   */
  async request(options: StunRequestOptions = {}): Promise<StunAnswer> {
    const { compose = (message) => message, anyFrom = false, signal } = options;
    const { timing = this.#timing } = options;
    checkTiming(timing);
    checkFunction(compose, "compose");
    checkSignal(signal);
    const to = this.#serverOf(options.server);
    signal?.throwIfAborted();
    if (this.#closed !== undefined) throw this.#closed;
    const exchange = this.#session.begin({ to, anyFrom, compose, timing }, performance.now());
    const waiting = Promise.withResolvers<StunAnswer>();
    this.#waiting.set(exchange, waiting);
    const onAbort = () => {
      waiting.reject(signal?.reason);
      this.#session.fail(exchange, closedError("it was given up", signal?.reason));
      this.#run();
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      this.#run();
      return await waiting.promise;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /**
   * Asks a server under which address it sees the pipe.
   *
   * @param options Whom, what, and how long.
   * @returns The addresses.
   * @throws {TypeError} If an option is of a wrong kind.
   * @throws {StunError} If the server refuses, or answers without an address.
   * @throws {PipeTimeoutError} If nothing came in time.
   * @throws {PipeClosedError} If the pipe or the client ended first.
   */
  async getMapping(options: StunRequestOptions = {}): Promise<Mapping> {
    const answer = await this.request(options);
    return toMapping(answer, this.pipe.localAddr, this.#serverOf(options.server));
  }

  /** Stops listening on the pipe; what is open rejects. The pipe stays open. */
  close(): void {
    this.#end(closedError("the client is closed"));
  }

  /** Does what {@linkcode StunClient.close} does. */
  [Symbol.dispose](): void {
    this.close();
  }

  #serverOf(server: Dest | undefined): NetAddr {
    const { proto, remoteAddr } = this.pipe;
    if (server === undefined) {
      if (remoteAddr !== undefined) return remoteAddr;
      throw new PipeStateError("Cannot ask: the pipe has no peer, and no server is named");
    }
    const { port, ip } = parseDest(server, "server", { literal: true, zeroPort: false });
    if (ip === undefined) {
      throw new TypeError(`server: an IP address and port are needed, got ${show(server)}`);
    }
    const hostname = formatIp(reachable(ip));
    const same = remoteAddr?.hostname === hostname && remoteAddr.port === port;
    if (proto === "tcp" && !same) {
      throw new TypeError(`server: the pipe is connected to another one, got ${show(server)}`);
    }
    return { transport: this.pipe.localAddr.transport, hostname, port };
  }

  #receive(data: Uint8Array, from: NetAddr): void {
    const now = performance.now();
    try {
      const messages = this.#framer?.push(data) ?? [data];
      for (const message of messages) this.#session.receive(message, from, now);
    } catch (error) {
      // Where the next message begins cannot be known any more.
      this.#end(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    this.#run();
  }

  /** Does what is due, and comes back when something is again. */
  #run(): void {
    clearTimeout(this.#timer);
    const now = performance.now();
    const { send, ended, due } = this.#session.step(now);
    for (const exchange of send) this.#send(exchange);
    for (const exchange of ended) {
      const { outcome } = exchange, waiting = this.#waiting.get(exchange);
      this.#waiting.delete(exchange);
      if (outcome?.kind === "answer") waiting?.resolve(outcome);
      else waiting?.reject(outcome?.error);
    }
    if (due === Infinity) return;
    this.#timer = setTimeout(() => this.#run(), Math.min(due - now, MAX_DELAY));
  }

  #send(exchange: Exchange): void {
    const { data, to } = exchange.transaction;
    const sending = this.#framer ? this.pipe.send(data) : this.pipe.send(data, to);
    sending.catch((cause: unknown) => {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      this.#session.fail(exchange, error);
      this.#run();
    });
  }

  #end(error: Error): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    this.#subscription.close();
    this.#session.failAll(error);
    this.#run();
  }
}

function closedError(why: string, cause?: unknown): PipeClosedError {
  return new PipeClosedError(`Cannot ask: ${why}`, { cause });
}
