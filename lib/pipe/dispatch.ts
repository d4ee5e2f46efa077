import type { PipeBase } from "./base.ts";
import { envelop, type Envelope, type Flow } from "./flow.ts";
import type { HandlerRunner } from "./handlers.ts";
import type { RequestBook } from "./request_book.ts";
import { offer } from "./subscription.ts";
import type { NetAddr } from "./types.ts";

/** The pipe whose messages are dispatched. */
export interface Source extends PipeBase {
  readonly flow: Flow;
  /** `request` calls in progress. */
  readonly requests: RequestBook;
  /** Whether somebody reads this very connection, rather than its server. */
  readonly hasOwner: boolean;
  /** Whether this side has ended it. */
  readonly stopped: boolean;
}

/** The server of an accepted pipe, as far as its messages go. */
export interface ReadingServer extends PipeBase {
  /** Whether `recv` or a loop on the server reads what its connections receive. */
  readonly reading: boolean;
}

/** Gives each message of a connection or socket to everybody whom it concerns. */
export class Dispatcher {
  readonly #pipe: Source;
  readonly #server: ReadingServer | undefined;
  readonly #runner: HandlerRunner;

  constructor(pipe: Source, server: ReadingServer | undefined, runner: HandlerRunner) {
    this.#pipe = pipe;
    this.#server = server;
    this.#runner = runner;
  }

  /** Whose inbox keeps what nobody consumes. */
  get reader(): PipeBase {
    const server = this.#server;
    return server !== undefined && server.reading && !this.#pipe.hasOwner ? server : this.#pipe;
  }

  /** A message has come; handlers are last, since they run at once and may change everything. */
  deliver(data: Uint8Array, from: NetAddr): void {
    const pipe = this.#pipe, flow = pipe.flow;
    const handled = pipe.handlers.size > 0;
    let taken = handled;
    let envelope: Envelope | undefined;
    if (pipe.requests.size > 0 || this.#queuedOrLinked) {
      const sole = !handled && pipe.links.size === 1 && this.#others === 0;
      envelope = envelop(data, from, flow, sole);
      if (this.#offer(envelope)) taken = true;
    }
    const reader = this.#server === undefined ? pipe : this.reader;
    if (!taken || reader.loops > 0 || reader.inboxWaiting > 0) {
      reader.inbox.push(envelope ?? envelop(data, from, flow));
    }
    // A filter may have closed the pipe.
    if (handled && !pipe.stopped) this.#runner.run(data, from);
  }

  /** How many there are who may see a message besides the handlers and links of the pipe. */
  get #others(): number {
    const pipe = this.#pipe, server = this.#server;
    const own = pipe.subs.size + pipe.requests.size + pipe.loops + pipe.inboxWaiting;
    if (server === undefined) return own;
    return own + server.subs.size + server.links.size + server.loops + server.inboxWaiting;
  }

  get #queuedOrLinked(): boolean {
    const pipe = this.#pipe, server = this.#server;
    return pipe.subs.size > 0 || pipe.links.size > 0 ||
      (server !== undefined && (server.subs.size > 0 || server.links.size > 0));
  }

  /** Offers a message to requests, subscriptions and links; whether it is any of theirs. */
  #offer(envelope: Envelope): boolean {
    const { data, from } = envelope;
    const pipe = this.#pipe, server = this.#server;
    let taken = this.#queuedOrLinked;
    if (pipe.requests.size > 0 && pipe.requests.answer(data, from, this.#report)) taken = true;
    if (pipe.subs.size > 0) offer(pipe.subs, envelope, this.#report);
    for (const link of pipe.links) link.offer(envelope);
    if (server === undefined) return taken;
    if (server.subs.size > 0) offer(server.subs, envelope, this.#report);
    for (const link of server.links) link.offer(envelope);
    return taken;
  }

  readonly #report = (error: unknown): void => this.#pipe.report(error);
}
