import { PipeClosedError, PipeStateError, PipeTimeoutError } from "../errors.ts";
import { checkCount, checkMs, checkSignal } from "./checks.ts";
import type { NetConf } from "./conf.ts";
import { compileFilter, type Filter } from "./filter.ts";
import type { Kind } from "./mailbox.ts";
import { MessageQueue } from "./queue.ts";
import type { Dest, Message, NetAddr, RequestOptions } from "./types.ts";

/** setTimeout holds no more than 31 bits; a longer wait has no end. */
const MAX_TIMER = 0x7fffffff;

/** A `request` waiting for its reply. */
export interface Waiting {
  readonly filter: Filter;
  /** Who must answer. */
  readonly to: NetAddr;
  readonly reply: MessageQueue<Message>;
}

/** The `request` calls waiting on one pipe. */
export type Requests = Set<Waiting>;

/** What `request` needs of its pipe. */
export interface Asker {
  readonly kind: Kind;
  readonly conf: Readonly<NetConf>;
  readonly requests: Requests;
  /** The checked address of whom to ask. */
  destination(dest: Dest | undefined): NetAddr | Promise<NetAddr>;
  send(data: Uint8Array | string, dest?: Dest): Promise<number>;
}

/**
 * Sends and waits for the reply, without becoming a consumer: what is no reply goes where it would
 * have gone. The waits between tries double and add up to the whole timeout, as in RFC 8489 section
 * 6.2.1, but scaled so that the last one ends with it.
 */
export async function request(
  pipe: Asker,
  data: Uint8Array | string,
  options: RequestOptions,
): Promise<Message> {
  const { timeout = pipe.conf.recvTimeout, retries = pipe.conf.sendRetry, signal } = options;
  checkMs(timeout, "timeout");
  checkCount(retries, "retries");
  checkSignal(signal);
  signal?.throwIfAborted();
  const filter = compileFilter({ match: options.match }, "request");
  if (filter.test !== undefined && pipe.kind === "stream" && pipe.conf.framing === null) {
    throw new PipeStateError(
      "Cannot match the reply: a byte stream has no message boundaries; leave match out, or set " +
        'conf.framing to "raw" to match whatever one read gives',
    );
  }
  const reply = new MessageQueue<Message>({ maxItems: 1, overflow: "drop-newest" });
  // Ends with the reply, or when time, the signal or the pipe closes the queue.
  const replied = reply.take().then((message) => {
    if (message === null) throw new PipeClosedError("The pipe ended before the reply came");
    return message;
  });
  replied.catch(() => {}); // when sending fails first
  let sent = 0;
  const timer = timeout > MAX_TIMER
    ? undefined
    : setTimeout(() => reply.close(noReply(timeout, sent)), timeout);
  const onAbort = () => reply.close(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  let waiting: Waiting | undefined;
  try {
    const to = pipe.destination(options.dest);
    if (to instanceof Promise) to.catch(() => {}); // when the request has ended meanwhile
    const known = to instanceof Promise ? await Promise.race([to, replied]) : to;
    if (Array.isArray(known)) return known;
    waiting = { filter, to: known, reply };
    pipe.requests.add(waiting);
    const tries = pipe.kind === "stream" || timeout === Infinity ? 1 : Math.min(retries, 30) + 1;
    for (let wait = timeout / (2 ** tries - 1); sent < tries; wait *= 2) {
      sent++;
      const sending = pipe.send(data, known);
      sending.catch(() => {}); // when the request has ended meanwhile
      const early = await Promise.race([sending, replied]);
      if (typeof early !== "number") return early;
      if (sent === tries) break;
      const late = await within(wait, replied);
      if (late !== undefined) return late;
    }
    return await replied;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    if (waiting !== undefined) pipe.requests.delete(waiting);
    reply.close();
  }
}

/** What comes within so many milliseconds, or undefined. */
async function within<T>(ms: number, coming: Promise<T>): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ms);
  try {
    return await Promise.race([coming, promise]);
  } finally {
    clearTimeout(timer);
  }
}

function noReply(timeout: number, sent: number): PipeTimeoutError {
  return new PipeTimeoutError(`No reply within ${timeout} ms (sent ${sent} times)`);
}
