import type { PipeBase } from "./base.ts";
import { envelop, type Envelope, type Flow } from "./flow.ts";
import type { HandlerRunner } from "./handlers.ts";
import type { RequestBook } from "./request_book.ts";
import { offer as offerTo } from "./subscription.ts";
import type { Ties } from "./ties.ts";
import type { NetAddr } from "./types.ts";

/** The pipe whose messages are dispatched. */
export interface Source extends PipeBase {
  readonly flow: Flow;
  /** `request` calls in progress, if there ever was one. */
  readonly asking: RequestBook | undefined;
  /** The server that accepted it. */
  readonly server: ReadingServer | undefined;
  readonly runner: HandlerRunner;
  /** Whether somebody reads this very connection, rather than its server. */
  readonly hasOwner: boolean;
  /** Whether this side has ended it. */
  readonly stopped: boolean;
  /** From which size on what handlers and loops get is only lent. See `conf.reuseBuffers`. */
  readonly lentFrom: number;
}

/** The server of an accepted pipe, as far as its messages go. */
export interface ReadingServer extends PipeBase {
  /** Whether `recv` or a loop on the server reads what its connections receive. */
  readonly reading: boolean;
}

/** A message has come for a pipe; handlers are last, since they run at once and may change everything. */
export function deliver(pipe: Source, data: Uint8Array<ArrayBuffer>, from: NetAddr): void {
  const { server, flow, asking, tied } = pipe;
  const handled = pipe.handlers.size > 0;
  let offered = false, kept = false;
  let envelope: Envelope | undefined;
  let lent = data.length >= pipe.lentFrom;
  const asked = asking !== undefined && asking.size > 0;
  if (asked || takers(tied) > 0 || takers(server?.tied) > 0) {
    lent = false;
    const relayed = !handled && tied?.links.size === 1 && others(pipe) === 0;
    envelope = envelop(data, from, flow, relayed);
    offered = offerAll(pipe, envelope);
  }
  const reader = server === undefined ? pipe : readerOf(pipe);
  const taken = handled || offered;
  if (!taken || reader.loops > 0 || reader.inboxWaiting > 0) {
    envelope ??= envelop(data, from, flow, lent && !handled);
    envelope.shared = taken;
    reader.inbox.push(envelope);
    lent = false;
    kept = true;
  }
  // A filter may have closed the pipe.
  if (handled && !pipe.stopped) pipe.runner.run(data, from, lent, offered || kept);
}

/** Whose inbox keeps what nobody consumes. */
export function readerOf(pipe: Source): PipeBase {
  const { server } = pipe;
  return server !== undefined && server.reading && !pipe.hasOwner ? server : pipe;
}

function takers(tied: Ties | undefined): number {
  return tied === undefined ? 0 : tied.takers;
}

/** How many there are who may see a message besides the handlers and links of the pipe. */
function others(pipe: Source): number {
  const { server, asking, tied, loops, inboxWaiting } = pipe;
  const own = (tied?.subs.size ?? 0) + (asking?.size ?? 0) + loops + inboxWaiting;
  if (server === undefined) return own;
  return own + takers(server.tied) + server.loops + server.inboxWaiting;
}

/** Offers a message to requests, subscriptions and links; whether it is any of theirs. */
function offerAll(pipe: Source, envelope: Envelope): boolean {
  const { data, from } = envelope;
  const { asking, server } = pipe;
  const report = (error: unknown) => pipe.report(error);
  const answered = asking !== undefined && asking.answer(data, from, report);
  const { tied } = pipe; // a function of whoever asked may have made some
  const taken = takers(tied) + takers(server?.tied) > 0;
  if (tied !== undefined) offer(tied, envelope, report);
  const shared = server?.tied;
  if (shared !== undefined) offer(shared, envelope, report);
  return taken || answered;
}

function offer({ subs, links }: Ties, envelope: Envelope, report: (error: unknown) => void): void {
  if (subs.size > 0) offerTo(subs, envelope, report);
  for (const link of links) link.offer(envelope);
}
