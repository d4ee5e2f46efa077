import { PipeOpenError } from "../errors.ts";
import { show } from "../net/show.ts";
import { checkCount, checkFunction, checkMs, checkOptions } from "../pipe/checks.ts";
import { pipeOpen } from "../pipe/open.ts";
import type { Pipe } from "../pipe/pipe_types.ts";
import type { NetAddr } from "../pipe/types.ts";
import type { PipeOptions } from "../pipe/pipe_options.ts";
import type { StunAddress } from "../stun/attribute.ts";
import type { StunErrorCode } from "../stun/attribute_parts.ts";
import { Framer } from "../stun/framer.ts";
import { StunMessage } from "../stun/message.ts";
import { malformedAnswers } from "./stun_faults.ts";
import { StunGuard, type StunServerCredentials } from "./stun_guard.ts";
import { type Place, type Reply, type ReplyRules, replyTo } from "./stun_reply.ts";

/**
 * How a test server behaves: as it should; it says nothing; it answers after `delay`; each answer comes
 * twice; there come only malformed ones; or they come from another port than was asked.
 */
export type StunServerMode = "answer" | "silent" | "late" | "twice" | "malformed" | "stranger";

/** Options of {@linkcode serveStun}. */
export interface StunServerOptions {
  /** UDP, or TCP, there with TLS where `conf.useSsl` says so. @default {"udp"} */
  readonly proto?: NetAddr["transport"] | undefined;
  /**
   * Where it listens. With two addresses it has four sockets over UDP, two ports at each, and answers
   * CHANGE-REQUEST (RFC 5780). @default {["127.0.0.1"]}
   */
  readonly hosts?: readonly string[] | undefined;
  /** The first port, and the second one; 0 for any free one. @default {[0, 0]} */
  readonly ports?: readonly number[] | undefined;
  /** How it behaves. @default {"answer"} */
  readonly mode?: StunServerMode | undefined;
  /** Milliseconds of the mode "late". @default {1000} */
  readonly delay?: number | undefined;
  /** Requests that it does not hear at the beginning. @default {0} */
  readonly drop?: number | undefined;
  /** Says other addresses than it sees. */
  readonly mapped?: ((from: NetAddr) => StunAddress) | undefined;
  /** Answers with this error instead. */
  readonly error?: StunErrorCode | undefined;
  /** Sends everybody there, by an error 300. */
  readonly alternate?: StunAddress & { readonly domain?: string | undefined } | undefined;
  /** Answers those alone who know the password. */
  readonly credentials?: StunServerCredentials | undefined;
  /** Options of its pipes. */
  readonly conf?: PipeOptions["conf"];
}

/** A STUN server for tests. */
export interface StunServer extends AsyncDisposable {
  /** Where to ask: its first address and port. */
  readonly addr: NetAddr;
  /** All it has: first address with both ports, then the second one. */
  readonly addrs: readonly NetAddr[];
  /** How many requests it heard, those that it dropped included. */
  readonly requests: number;
  /** How many messages it could not read. */
  readonly malformed: number;
  /** Ends it and what it has not said yet. */
  close(): Promise<void>;
}

const MODES: readonly string[] = [
  "answer",
  "silent",
  "late",
  "twice",
  "malformed",
  "stranger",
] satisfies StunServerMode[];
/** How often a pair of ports is looked for that is free at both addresses. */
const ATTEMPTS = 20;

function check(options: StunServerOptions) {
  const { hosts = ["127.0.0.1"], mode, delay, drop, mapped, proto } = checkOptions(
    options,
    "proto",
    "hosts",
    "ports",
    "mode",
    "delay",
    "drop",
    "mapped",
    "error",
    "alternate",
    "credentials",
    "conf",
  );
  if (!Array.isArray(hosts) || (hosts.length !== 1 && hosts.length !== 2)) {
    throw new TypeError(`hosts: one or two addresses are needed, got ${show(hosts)}`);
  }
  if (mode !== undefined && !MODES.includes(mode)) {
    throw new TypeError(`mode: one of ${MODES.join(", ")}, got ${show(mode)}`);
  }
  if (proto === "tcp" && (hosts.length > 1 || mode === "stranger")) {
    throw new TypeError("proto: what is asked over tcp is answered from the same address and port");
  }
  if (delay !== undefined) checkMs(delay, "delay");
  if (drop !== undefined) checkCount(drop, "drop");
  if (mapped !== undefined) checkFunction(mapped, "mapped");
}

/**
 * Starts a small STUN server (RFC 8489, RFC 5780, RFC 3489), to test clients offline: a right one, or
 * one that fails in a way of your choice.
 *
 * @param options Where it listens and how it behaves.
 * @returns The server.
 * @throws {TypeError} If an option is of a wrong kind.
 * @throws {PipeOpenError} If it cannot listen there.
 *
 * @example
 * ```ts
 * import { getMapping, StunError } from "@p2pd/pipes/stun";
 * import { serveStun } from "@p2pd/pipes/testing";
 * import { assertRejects } from "@std/assert";
 *
 * await using server = await serveStun({ error: { code: 500, reason: "on purpose" } });
 * await assertRejects(() => getMapping({ server: server.addr }), StunError, "500");
 * ```
 */
export async function serveStun(options: StunServerOptions = {}): Promise<StunServer> {
  check(options);
  const server = new Server(options);
  for (let attempt = 1;; attempt++) {
    try {
      await server.listen();
      return server;
    } catch (error) {
      await server.close();
      const busy = error instanceof PipeOpenError && error.phase === "bind";
      if (!busy || attempt === ATTEMPTS || !options.ports?.includes(0) && options.ports) {
        throw error;
      }
    }
  }
}

class Server implements StunServer {
  readonly #options: StunServerOptions;
  readonly #rules: ReplyRules;
  readonly #mode: StunServerMode;
  readonly #pipes: Pipe[] = [];
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #stranger: Pipe | undefined;
  requests = 0;
  malformed = 0;

  constructor(options: StunServerOptions) {
    const { credentials, mapped, error, alternate, mode = "answer" } = options;
    this.#options = options;
    this.#mode = mode;
    const guard = credentials && new StunGuard(credentials);
    this.#rules = { guard, mapped, error, alternate };
  }

  async listen(): Promise<void> {
    const { hosts = ["127.0.0.1"], ports: [first = 0, second = 0] = [], mode } = this.#options;
    const [host = "127.0.0.1", other] = hosts;
    await this.#open(host, first);
    if (mode === "stranger") this.#stranger = await pipeOpen("udp", { route: [host, 0] });
    if (other === undefined) return;
    await this.#open(host, second);
    for (const { localAddr: { port } } of [...this.#pipes]) await this.#open(other, port);
  }

  async #open(host: string, port: number): Promise<void> {
    const { proto = "udp", conf } = this.#options;
    const at = this.#pipes.length;
    const pipe = await pipeOpen(proto, { route: [host, port], conf });
    this.#pipes.push(pipe);
    if (proto === "udp") {
      pipe.addMsgCb((msg, from) => this.#hear(msg, from, at, pipe));
      return;
    }
    const framers = new WeakMap<Pipe, Framer>();
    pipe.addMsgCb((msg, from, client) => {
      const framer = framers.get(client) ?? new Framer();
      framers.set(client, framer);
      try {
        for (const message of framer.push(msg)) this.#hear(message, from, at, client);
      } catch {
        this.malformed++;
        client.abort();
      }
    });
  }

  get addr(): NetAddr {
    return this.#place(0).addr;
  }

  get addrs(): readonly NetAddr[] {
    return this.#pipes.map(({ localAddr }) => localAddr);
  }

  /** Sockets 0 and 1 are the first address with both ports, 2 and 3 the second one. */
  #place(at: number): Place & { readonly at: number } {
    const addr = this.#pipes[at]?.localAddr ?? { transport: "udp", hostname: "0.0.0.0", port: 0 };
    const changed: Place["changed"] = ({ ip, port }) =>
      this.#pipes.length === 4 ? this.#place(at ^ (ip ? 2 : 0) ^ (port ? 1 : 0)) : undefined;
    return { at, addr, changed };
  }

  #hear(msg: Uint8Array, from: NetAddr, at: number, pipe: Pipe): void {
    let request;
    try {
      request = StunMessage.decode(msg, { classic: true });
    } catch {
      this.malformed++;
      return;
    }
    this.requests++;
    if (this.requests <= (this.#options.drop ?? 0) || this.#mode === "silent") return;
    const reply = replyTo(request, from, this.#place(at), this.#rules);
    if (reply === undefined) return;
    if (this.#mode !== "late") return this.#say(reply, pipe);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#say(reply, pipe);
    }, this.#options.delay ?? 1000);
    this.#timers.add(timer);
  }

  #say({ message, from, to }: Reply, pipe: Pipe): void {
    const right = message.encode();
    const answers = this.#mode === "malformed"
      ? malformedAnswers(right)
      : this.#mode === "twice"
      ? [right, right]
      : [right];
    const sender = this.#stranger ??
      this.#pipes.find(({ proto, localAddr }) => proto === "udp" && localAddr === from.addr) ??
      pipe;
    for (const answer of answers) {
      if (sender.proto === "tcp" && answer.length === 0) continue;
      const sending = sender.proto === "tcp" ? sender.send(answer) : sender.send(answer, to);
      sending.catch(() => {}); // who asked has gone
    }
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    const pipes = [...this.#pipes.splice(0), ...this.#stranger ? [this.#stranger] : []];
    this.#stranger = undefined;
    await Promise.all(pipes.map((pipe) => pipe.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
