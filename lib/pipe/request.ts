import { PipeClosedError, PipeStateError, PipeTimeoutError } from "../errors.ts";
import { formatAddr } from "../net/address.ts";
import { checkCount, checkMs, type NetConf } from "./conf.ts";
import { compileFilter, type Filter } from "./filter.ts";
import type { Kind } from "./mailbox.ts";
import { MessageQueue } from "./queue.ts";
import type { Dest, Message, NetAddr, RequestOptions } from "./types.ts";

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
  signal?.throwIfAborted();
  const filter = compileFilter({ match: options.match }, "request");
  if (filter.test !== undefined && pipe.kind === "stream" && pipe.conf.framing === null) {
    throw new PipeStateError(
      "Cannot match the reply: a byte stream has no message boundaries; leave match out, or set " +
        'conf.framing to "raw" to match whatever one read gives',
    );
  }
  const to = await pipe.destination(options.dest);
  const tries = pipe.kind === "stream" || timeout === Infinity ? 1 : Math.min(retries, 30) + 1;
  const reply = new MessageQueue<Message>({ maxItems: 1, overflow: "drop-newest" });
  const waiting = { filter, to, reply };
  pipe.requests.add(waiting);
  try {
    let wait = timeout / (2 ** tries - 1);
    for (let left = tries; left > 0; left--, wait *= 2) {
      await pipe.send(data, to);
      const message = await replyWithin(reply, wait, signal);
      if (message !== undefined) return message;
    }
    throw new PipeTimeoutError(
      `No reply from ${formatAddr(to)} within ${timeout} ms (sent ${tries} times)`,
      { addr: to },
    );
  } finally {
    pipe.requests.delete(waiting);
  }
}

async function replyWithin(
  reply: MessageQueue<Message>,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<Message | undefined> {
  try {
    const message = await reply.take({ timeout, signal });
    if (message !== null) return message;
  } catch (error) {
    if (error instanceof PipeTimeoutError) return undefined;
    throw error;
  }
  throw new PipeClosedError("The pipe ended before the reply came");
}
