/**
 * One socket that asks servers, so that loss does not matter.
 *
 * @module
 */
import { PipeTimeoutError } from "../../errors.ts";
import { pipeOpen } from "../../pipe/open.ts";
import type { Pipe } from "../../pipe/pipe_types.ts";
import type { NetAddr } from "../../pipe/types.ts";
import type { PipeOptions } from "../../pipe/pipe_options.ts";
import type { StunChange } from "../attribute_parts.ts";
import { ATTRIBUTES } from "../attributes.ts";
import { StunClient } from "../client.ts";
import type { StunCredentials } from "../long_term.ts";
import { type Mapping, toMapping } from "../mapping.ts";
import type { StunAnswer } from "../session.ts";
import type { StunTiming } from "../timing.ts";
import { waitPatiently } from "./patience.ts";

/** Milliseconds from one request to the next, and how many there are before silence is the answer. */
const PACE = 200, TRIES = 20;
/** The least and the most that an answer may take. */
const LEAST_PATIENCE = 500, MOST_PATIENCE = 3000;

/** Sent once; how long to wait is decided here. */
const ONCE: StunTiming = { rto: Infinity, rc: 1, rm: 1, ti: Infinity };

/** What all sockets of a discovery share. */
export class ProbeContext {
  readonly route: PipeOptions["route"];
  readonly conf: PipeOptions["conf"];
  readonly credentials: StunCredentials | undefined;
  readonly signal: AbortSignal;
  #longest = 0;

  constructor(options: Pick<ProbeContext, "route" | "conf" | "credentials" | "signal">) {
    this.route = options.route;
    this.conf = options.conf;
    this.credentials = options.credentials;
    this.signal = options.signal;
  }

  /** How long to wait for an answer: three times the longest that one took. */
  get patience(): number {
    return Math.min(Math.max(LEAST_PATIENCE, 3 * this.#longest), MOST_PATIENCE);
  }

  /** An answer took so long. */
  took(ms: number | undefined): void {
    if (ms !== undefined && ms > this.#longest) this.#longest = ms;
  }
}

/** A socket that asks. It is heard from everywhere. */
export class Probe implements AsyncDisposable {
  readonly pipe: Pipe;
  readonly #context: ProbeContext;
  readonly #client: StunClient;

  private constructor(pipe: Pipe, context: ProbeContext) {
    this.pipe = pipe;
    this.#context = context;
    this.#client = new StunClient(pipe, { credentials: context.credentials });
  }

  /** Opens one, at a port of its own. */
  static async open(context: ProbeContext): Promise<Probe> {
    const { route, conf, signal } = context;
    return new Probe(await pipeOpen("udp", { route, conf, signal }), context);
  }

  /** Asks a server until it answers; rejects after 4 seconds of silence. */
  async ask(server: NetAddr, signal = this.#context.signal): Promise<Mapping> {
    const answer = await this.#untilAnswered(server, signal);
    if (answer !== undefined) return toMapping(answer, this.pipe.localAddr, server);
    throw new PipeTimeoutError(`No answer to ${TRIES} requests`, { addr: server });
  }

  /**
   * Sends one request; undefined if nothing came back.
   *
   * @param responsePort The external port to answer to; undefined for that which it is sent from.
   */
  async once(
    server: NetAddr,
    change?: StunChange,
    signal = this.#context.signal,
    responsePort?: number,
  ): Promise<StunAnswer | undefined> {
    const silence = new AbortController();
    const stop = waitPatiently(this.#context.patience, () => silence.abort());
    try {
      const answer = await this.#client.request({
        server,
        anyFrom: change !== undefined,
        compose: (message) => {
          const changed = change === undefined
            ? message
            : message.with(ATTRIBUTES.changeRequest, change);
          return responsePort === undefined
            ? changed
            : changed.with(ATTRIBUTES.responsePort, responsePort);
        },
        timing: ONCE,
        signal: AbortSignal.any([signal, silence.signal]),
      });
      this.#context.took(answer.rtt);
      return answer;
    } catch (error) {
      if (silence.signal.aborted && error === silence.signal.reason) return undefined;
      throw error;
    } finally {
      stop();
    }
  }

  /** New requests at a steady pace: to wait longer after each one helps a network, and no loss. */
  async #untilAnswered(server: NetAddr, signal: AbortSignal): Promise<StunAnswer | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<StunAnswer | undefined>();
    const over = new AbortController();
    const all = AbortSignal.any([signal, over.signal]);
    let sent = 0, open = 0;
    const send = () => {
      sent++;
      open++;
      this.once(server, undefined, all).then((answer) => {
        open--;
        if (answer !== undefined || (open === 0 && sent >= TRIES)) resolve(answer);
      }, reject);
      if (sent >= TRIES) clearInterval(timer);
    };
    const timer = setInterval(send, PACE);
    try {
      send();
      return await promise;
    } finally {
      clearInterval(timer);
      over.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    await this.pipe.close();
  }
}
