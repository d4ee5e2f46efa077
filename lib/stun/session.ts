/**
 * Many requests at once over one socket: what to send when, and which answer is whose. Pure: the bytes
 * that arrived and the time come in as arguments.
 *
 * @module
 */
import { PipeTimeoutError } from "../errors.ts";
import { addrKey, formatAddr } from "../net/address.ts";
import { show } from "../net/show.ts";
import type { NetAddr } from "../pipe/types.ts";
import { ATTRIBUTES } from "./attributes.ts";
import { StunError } from "./error.ts";
import { isTrusted, LongTerm, type Signed, type StunCredentials } from "./long_term.ts";
import { StunMessage } from "./message.ts";
import type { StunTiming } from "./timing.ts";
import { idKey, Transaction } from "./transaction.ts";

/** Datagrams and messages that were ignored, by reason. */
export interface StunStats {
  /** No STUN, or not as the format wants it. */
  readonly malformed: number;
  /** No answer to anything open: late, repeated, a request, or made up. */
  readonly unmatched: number;
  /** From another address than the server's. */
  readonly strangers: number;
  /** With a wrong integrity check, or without one that must be there. */
  readonly untrusted: number;
}

/** What is asked of whom. */
export interface Ask {
  /** The server. */
  readonly to: NetAddr;
  /** Takes the answer from any address. */
  readonly anyFrom: boolean;
  /** Adds attributes to a Binding request; called for each new transaction. */
  readonly compose: (message: StunMessage) => StunMessage;
  readonly timing: StunTiming;
}

/** An answer. */
export interface StunAnswer {
  /** The success answer. */
  readonly message: StunMessage;
  /** Who sent it. */
  readonly from: NetAddr;
  /** Milliseconds from request to answer; undefined where the request was sent several times. */
  readonly rtt: number | undefined;
}

/** How it ended. */
export type Outcome =
  | ({ readonly kind: "answer" } & StunAnswer)
  | { readonly kind: "failed"; readonly error: Error };

/** A question, until it is answered: one transaction, or several where the server wants credentials. */
export interface Exchange {
  readonly ask: Ask;
  transaction: Transaction;
  signed: Signed | undefined;
  /** How often the server has wanted other credentials. */
  challenges: number;
  outcome: Outcome | undefined;
}

/** What {@linkcode Session.step} wants done. */
export interface Step {
  /** To be sent now. */
  readonly send: readonly Exchange[];
  /** What has ended since the last time. */
  readonly ended: readonly Exchange[];
  /** When to call again at the latest; Infinity if nothing is open. */
  readonly due: number;
}

/** 401, then 438 for a nonce that has just expired: more is a server that never has enough. */
const MAX_CHALLENGES = 3;

/** The open requests of one socket. */
export class Session {
  readonly #reliable: boolean;
  readonly #credentials: StunCredentials | undefined;
  readonly #open = new Map<string, Exchange>();
  readonly #terms = new Map<string, LongTerm>();
  #ended: Exchange[] = [];
  readonly #stats = { malformed: 0, unmatched: 0, strangers: 0, untrusted: 0 };

  /**
   * @param reliable Whether it is over TCP.
   * @param credentials For servers that want some.
   */
  constructor(reliable: boolean, credentials?: StunCredentials) {
    this.#reliable = reliable;
    this.#credentials = credentials;
  }

  /** Counters as of now. */
  get stats(): StunStats {
    return { ...this.#stats };
  }

  /** Opens a question; the next `step` sends it. */
  begin(ask: Ask, now: number): Exchange {
    const exchange = { ask, ...this.#transact(ask, now), challenges: 0, outcome: undefined };
    this.#open.set(exchange.transaction.key, exchange);
    return exchange;
  }

  #transact(ask: Ask, now: number): Pick<Exchange, "transaction" | "signed"> {
    const { to, anyFrom, timing } = ask;
    const composed = ask.compose(new StunMessage({ class: "request" }));
    const { message, signed } = this.#termsOf(to)?.sign(composed) ?? { message: composed };
    const options = { message, to, anyFrom, reliable: this.#reliable, timing, now };
    return { transaction: new Transaction(options), signed };
  }

  #termsOf({ hostname, port }: NetAddr): LongTerm | undefined {
    if (this.#credentials === undefined) return undefined;
    const key = addrKey(hostname, port);
    const terms = this.#terms.get(key) ?? new LongTerm(this.#credentials);
    this.#terms.set(key, terms);
    return terms;
  }

  /** Ends a question with an error, if it is still open. */
  fail(exchange: Exchange, error: Error): void {
    this.#end(exchange, { kind: "failed", error });
  }

  /** Ends all of them. */
  failAll(error: Error): void {
    for (const exchange of this.#open.values()) this.fail(exchange, error);
  }

  #end(exchange: Exchange, outcome: Outcome): void {
    if (!this.#open.delete(exchange.transaction.key)) return;
    exchange.outcome = outcome;
    this.#ended.push(exchange);
  }

  /** What is to be done now. */
  step(now: number): Step {
    const send: Exchange[] = [];
    let due = Infinity;
    for (const exchange of this.#open.values()) {
      const { transaction } = exchange;
      const todo = transaction.step(now);
      if (todo === "timeout") {
        this.fail(exchange, silence(transaction));
        continue;
      }
      if (todo === "send") send.push(exchange);
      due = Math.min(due, transaction.due);
    }
    const ended = this.#ended;
    this.#ended = [];
    return { send, ended, due };
  }

  /** Something arrived; a `step` must follow. What is no answer to an open question is counted. */
  receive(data: Uint8Array, from: NetAddr, now: number): void {
    let message;
    try {
      message = StunMessage.decode(data);
    } catch {
      this.#stats.malformed++;
      return;
    }
    const exchange = this.#open.get(idKey(message.transactionId));
    const answers = message.class === "success" || message.class === "error";
    if (exchange === undefined || !answers || message.method !== 1) {
      this.#stats.unmatched++;
    } else if (!exchange.transaction.accepts(from)) {
      this.#stats.strangers++;
    } else if (!isTrusted(message, exchange.signed)) {
      this.#stats.untrusted++;
    } else {
      this.#answer(exchange, message, from, now);
    }
  }

  #answer(exchange: Exchange, message: StunMessage, from: NetAddr, now: number): void {
    const where = formatAddr(exchange.ask.to);
    // Sections 6.3.3 and 6.3.4: then it cannot be said what the answer means.
    const unknown = message.unknownRequired();
    if (unknown.length > 0) {
      const types = unknown.map(hex).join(", ");
      const why = `the answer of ${where} has attributes that are not understood: ${types}`;
      this.fail(exchange, unusable(why, exchange));
      return;
    }
    if (message.class === "success") {
      const rtt = exchange.transaction.roundTrip(now);
      this.#end(exchange, { kind: "answer", message, from, rtt });
      return;
    }
    const error = message.get(ATTRIBUTES.errorCode);
    if (error === undefined) {
      this.fail(exchange, unusable(`${where} gave an error without a code`, exchange));
    } else if (error.code === 401 || error.code === 438) {
      this.#challenge(exchange, message, now);
    } else {
      this.fail(exchange, refusal(message, error, exchange));
    }
  }

  /** Section 9.2.5: the same question once more, signed as the server wants it. */
  #challenge(exchange: Exchange, message: StunMessage, now: number): void {
    const { ask, signed } = exchange;
    const terms = this.#termsOf(ask.to);
    const error = message.get(ATTRIBUTES.errorCode);
    const again = terms?.challenge(message, signed) === true &&
      exchange.challenges++ < MAX_CHALLENGES;
    if (!again) {
      const why = terms === undefined
        ? "wants credentials, and there are none"
        : `does not take the credentials (${error?.code})`;
      this.fail(
        exchange,
        new StunError(`Cannot ask ${formatAddr(ask.to)}: it ${why}`, {
          fault: "unauthenticated",
          code: error?.code,
          addr: ask.to,
        }),
      );
      return;
    }
    let next;
    try {
      next = this.#transact(ask, now);
    } catch (cause) {
      // A realm that nobody can be a user in, or too long to be given back.
      const options = { fault: "unusable", addr: ask.to, cause } as const;
      const message = `Cannot sign a request for ${formatAddr(ask.to)} as it wants it`;
      this.fail(exchange, new StunError(message, options));
      return;
    }
    this.#open.delete(exchange.transaction.key);
    Object.assign(exchange, next);
    this.#open.set(exchange.transaction.key, exchange);
  }
}

function hex(type: number): string {
  return `0x${type.toString(16).padStart(4, "0")}`;
}

function silence({ to, sent }: Transaction): PipeTimeoutError {
  const message = `No answer from ${formatAddr(to)} (sent ${sent} ${
    sent === 1 ? "time" : "times"
  })`;
  return new PipeTimeoutError(message, { addr: to });
}

function unusable(message: string, { ask }: Exchange): StunError {
  return new StunError(`Cannot use an answer: ${message}`, { fault: "unusable", addr: ask.to });
}

/** An error answer as an error, with what it says besides (sections 10 and 14.13). */
function refusal(
  message: StunMessage,
  { code, reason }: { readonly code: number; readonly reason: string },
  { ask: { to: addr } }: Exchange,
): StunError {
  const unknownAttributes = message.get(ATTRIBUTES.unknownAttributes);
  const server = message.get(ATTRIBUTES.alternateServer);
  const domain = message.get(ATTRIBUTES.alternateDomain);
  // What the server says may be anything: it goes to a terminal, perhaps.
  const said = reason === "" ? "" : ` ${show(reason)}`;
  const types = unknownAttributes?.length ? ` (${unknownAttributes.map(hex).join(", ")})` : "";
  return new StunError(`${formatAddr(addr)} refused: ${code}${said}${types}`, {
    fault: "refused",
    code,
    addr,
    unknownAttributes,
    alternate: server && { ...server, domain },
  });
}
