import { PipeStateError, PipeTimeoutError } from "../errors.ts";
import { formatAddr } from "../net/address.ts";
import { checkCount, checkMs, checkOptions, checkSignal } from "./checks.ts";
import type { NetConf } from "./conf.ts";
import { compileFilter, type Filter } from "./filter.ts";
import { isGroup } from "./dest_book.ts";
import type { Kind } from "./mailbox.ts";
import type { Asking, RequestBook } from "./request_book.ts";
import type { Dest, Message, NetAddr, RequestOptions } from "./types.ts";

/** More tries than that would make the first wait too short for any clock. */
const MOST_RETRIES = 30;

/** What `request` needs of its pipe. */
export interface Asker {
  readonly kind: Kind;
  /** Whether a message may be lost, and is worth being sent again. */
  readonly lossy: boolean;
  readonly conf: Readonly<NetConf>;
  /** Its own peer, if it has one; nobody else is heard then but with `conf.anyPeer`. */
  readonly remoteAddr: NetAddr | undefined;
  readonly requests: RequestBook;
  /** Why it cannot do something, if it is not open. */
  refusal(action: string): Error | undefined;
  /** The checked address of whom to ask. */
  destination(dest: Dest | undefined): NetAddr | Promise<NetAddr>;
  send(data: Uint8Array | string, dest?: Dest): Promise<number>;
}

/**
 * Sends and waits for the reply, without becoming a consumer: what is no reply goes where it would
 * have gone. The waits between tries double and add up to the whole timeout, as in RFC 8489 section
 * 6.2.1, but scaled so that the last one ends with it.
 */
export function request(
  pipe: Asker,
  data: Uint8Array | string,
  options: RequestOptions,
): Promise<Message> {
  try {
    checkOptions(options, "match", "dest", "timeout", "retries", "signal");
    const { timeout = pipe.conf.recvTimeout, retries = pipe.conf.sendRetry, signal } = options;
    checkMs(timeout, "timeout");
    checkCount(retries, "retries");
    checkSignal(signal);
    signal?.throwIfAborted();
    const filter = compileFilter({ match: options.match }, "request");
    if (filter.test !== undefined && pipe.kind === "stream" && pipe.conf.framing === null) {
      throw new PipeStateError(
        "Cannot match the reply: a byte stream has no message boundaries; leave match out, or set " +
          'conf.framing to lines() or another framing, or to "raw" to match whatever one read gives',
      );
    }
    const again = pipe.lossy && timeout !== Infinity;
    const tries = again ? Math.min(retries, MOST_RETRIES) + 1 : 1;
    const refusal = pipe.refusal("request");
    if (refusal !== undefined) throw refusal;
    return new Request(pipe, data, { filter, timeout, tries, signal }).start(options.dest);
  } catch (error) {
    return Promise.reject(error);
  }
}

interface Terms {
  readonly filter: Filter;
  readonly timeout: number;
  readonly tries: number;
  readonly signal: AbortSignal | undefined;
}

/** One request, from its call to its end. */
class Request implements Asking {
  deadline = Infinity;
  listed = false;
  prev: Asking | null = null;
  next: Asking | null = null;
  open = true;
  to: NetAddr | undefined;
  group = false;
  sentAt = 0;
  order = 0;
  readonly #pipe: Asker;
  readonly #data: Uint8Array | string;
  readonly #terms: Terms;
  readonly #end: number;
  readonly #reply = Promise.withResolvers<Message>();
  #sent = 0;
  /** How long the try after this one waits for its turn. */
  #wait: number;
  #sending = false;
  /** Whether the wait of this try begins when it has been sent. */
  #late = false;
  /** Whether it is in the list of time limits. */
  #limited = false;

  constructor(pipe: Asker, data: Uint8Array | string, terms: Terms) {
    this.#pipe = pipe;
    this.#data = data;
    this.#terms = terms;
    this.#end = performance.now() + terms.timeout;
    this.#wait = terms.timeout / (2 ** terms.tries - 1);
  }

  get filter(): Filter {
    return this.#terms.filter;
  }

  start(dest: Dest | undefined): Promise<Message> {
    const to = this.#pipe.destination(dest);
    this.order = this.#pipe.requests.add(this);
    this.#terms.signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (to instanceof Promise) {
      to.then((known) => this.#ask(known), this.#failed);
      if (this.#isOver) this.#timeOut();
      else this.#limit(Infinity);
    } else this.#ask(to);
    return this.#reply.promise;
  }

  get first(): boolean {
    return this.#sent === 1;
  }

  post(): void {
    if (this.to === undefined) return;
    if (this.#isEnding) {
      // The first try has no time limit yet.
      if (!this.#limited) this.#limit(Infinity);
      return;
    }
    this.#pipe.requests.listen(this, this.to);
    this.#sent++;
    this.#sending = true;
    this.#limit(this.#wait);
    this.#pipe.send(this.#data, this.to).then(this.#posted, this.#failed);
  }

  answer(message: Message): void {
    this.#settle();
    this.#reply.resolve(message);
  }

  fail(error: unknown): void {
    if (!this.open) return;
    this.#settle();
    this.#reply.reject(error);
  }

  /** A time limit is over: of this try, or of all. */
  expire(): void {
    this.#limited = false;
    if (this.#isOver) {
      this.#timeOut();
    } else if (this.#sending) {
      this.#late = true;
      this.#limit(Infinity);
    } else if (this.#sent < this.#terms.tries && this.to !== undefined) {
      this.#wait *= 2;
      this.#try(this.to);
    } else this.#limit(Infinity);
  }

  #ask(to: NetAddr): void {
    if (!this.open) return; // it has ended while the name was looked up
    if (this.#terms.signal?.aborted === true) return this.#onAbort(); // by a getter of its dest
    const { kind, remoteAddr, conf } = this.#pipe;
    this.group = kind === "datagram" && to.path === undefined && isGroup(to.hostname);
    if (this.group && remoteAddr !== undefined && !conf.anyPeer) return this.fail(unheard(to));
    this.to = to;
    if (this.#isOver) this.#timeOut();
    else this.#try(to);
  }

  #try(to: NetAddr): void {
    const { requests, lossy } = this.#pipe;
    if (!requests.go(this, to, lossy)) this.#limit(Infinity);
  }

  readonly #posted = (): void => {
    this.#sending = false;
    if (!this.#late || !this.open) return;
    this.#late = false;
    this.#limit(this.#wait);
  };

  readonly #failed = (error: unknown): void => this.fail(error);

  readonly #onAbort = (): void => this.fail(this.#terms.signal?.reason);

  /** Calls `expire` after so many milliseconds, or when all of the time is over. */
  #limit(ms: number): void {
    const { limits } = this.#pipe.requests;
    if (this.#limited) limits.remove(this);
    this.#limited = true;
    limits.add(this, Math.min(ms, Math.max(0, this.#end - performance.now())));
  }

  /** Whether it is about to be told, after others that end at the same moment. */
  get #isEnding(): boolean {
    return this.#terms.signal?.aborted === true || this.#isOver;
  }

  /** Whether its time is over; half a millisecond of it is less than a timer can tell. */
  get #isOver(): boolean {
    return performance.now() >= this.#end - 0.5;
  }

  #timeOut(): void {
    const { timeout } = this.#terms;
    this.fail(new PipeTimeoutError(`No reply within ${timeout} ms (${times(this.#sent)})`));
  }

  #settle(): void {
    this.open = false;
    if (this.#limited) this.#pipe.requests.limits.remove(this);
    this.#limited = false;
    this.#terms.signal?.removeEventListener("abort", this.#onAbort);
    this.#pipe.requests.delete(this);
  }
}

function unheard(to: NetAddr): PipeStateError {
  return new PipeStateError(
    `Cannot request: whoever answers what is sent to ${
      formatAddr(to)
    } has another address, and this ` +
      "pipe hears its own peer alone; set conf.anyPeer to hear everybody",
  );
}

function times(sent: number): string {
  if (sent === 0) return "not sent";
  return sent === 1 ? "sent once" : sent === 2 ? "sent twice" : `sent ${sent} times`;
}
