import type { NetConf } from "./conf.ts";
import { DATAGRAM_BOUND, messageSize } from "./bounds.ts";
import { envelop, type Envelope, type Flow } from "./flow.ts";
import { envelopeQueue, type Kind } from "./mailbox.ts";
import type { HandlerList } from "./handler_list.ts";
import type { SendWatcher } from "./outbox.ts";
import type { PullQueue } from "./pull_queue.ts";
import type { Pipe } from "./pipe_types.ts";
import type { NetAddr } from "./types.ts";

/** What a runner needs of its pipe. */
export interface RunnerHost {
  /** The pipe that handlers are called with. */
  readonly pipe: Pipe;
  readonly kind: Kind;
  /** Whether what waits may be dropped. */
  readonly lossy: boolean;
  readonly conf: Readonly<NetConf>;
  readonly flow: Flow;
  /** Takes back the memory of a message that nobody but the handlers had. */
  recycle(data: Uint8Array, relayed: boolean): void;
  /** Whether this side has ended the pipe: nothing is handled any more. */
  readonly stopped: boolean;
  /** The handlers as of now. */
  readonly handlers: HandlerList;
  report(error: unknown): void;
  noteDropped(): void;
  /** See `Outbox.watch`. */
  watchSend(promise: unknown, watcher: SendWatcher, size: number): boolean;
}

/**
 * Calls the handlers of one connection or datagram socket: on a stream one message after the other,
 * on datagrams overlapping, bounded like a queue of them. A handler that returns no promise costs a call.
 */
export class HandlerRunner implements SendWatcher {
  readonly #host: RunnerHost;
  #waiting: PullQueue<Envelope> | undefined;
  /** Messages being handled by handlers that returned a promise, and their size. */
  #running = 0;
  #runningBytes = 0;
  #whenIdle: (() => void) | undefined;
  /** To the promise of a handler on a stream: made once, and not for those that end with a send. */
  #reactions: { readonly done: () => void; readonly failed: (e: unknown) => void } | undefined;

  constructor(host: RunnerHost) {
    this.#host = host;
  }

  /**
   * Hands a message that just arrived to all handlers, now or when it is its turn.
   *
   * @param lent Whether its memory is given back when they are done with it.
   * @param shared Whether others got it, too.
   */
  run(data: Uint8Array<ArrayBuffer>, from: NetAddr, lent: boolean, shared: boolean): void {
    if (this.#full) this.#wait(envelop(data, from, this.#host.flow, lent, shared));
    else this.#start(data, from, lent);
  }

  /** Hands over messages that waited elsewhere, not before the caller is done. */
  feed(envelopes: readonly Envelope[]): void {
    if (envelopes.length === 0) return;
    this.#begin(0); // keeps the runner busy, so that they and what follows stay in order
    for (const envelope of envelopes) this.#wait(envelope);
    queueMicrotask(() => this.#settle(0));
  }

  /** Calls something else that messages have to wait for, such as an up handler. */
  before(call: () => unknown): void {
    try {
      const result = call();
      if (isThenable(result)) this.#track(Promise.resolve(result), 0);
    } catch (error) {
      this.#host.report(error);
    }
  }

  /** Calls back when every message handed over has been handled: at once if there is none. */
  whenIdle(callback: () => void): void {
    if (this.#idle) callback();
    else this.#whenIdle = callback;
  }

  /** Takes back what waits. */
  drain(): Envelope[] {
    const all: Envelope[] = [];
    for (let e = this.#waiting?.tryTake(); e !== undefined; e = this.#waiting?.tryTake()) {
      all.push(e);
    }
    return all;
  }

  get #full(): boolean {
    if (this.#running === 0) return false;
    const { kind, conf } = this.#host;
    return kind === "stream" || this.#runningBytes >= DATAGRAM_BOUND ||
      (conf.maxQsize > 0 && this.#running >= conf.maxQsize);
  }

  get #idle(): boolean {
    return this.#running === 0 && (this.#waiting === undefined || this.#waiting.size === 0);
  }

  #wait(envelope: Envelope): void {
    const { lossy, conf } = this.#host;
    this.#waiting ??= envelopeQueue(lossy, conf, () => this.#host.noteDropped());
    this.#waiting.push(envelope);
  }

  #start(data: Uint8Array<ArrayBuffer>, from: NetAddr, lent: boolean): void {
    const { handlers, pipe, kind } = this.#host;
    let pending: Promise<unknown> | undefined;
    for (const { cb, filter } of handlers.for(from)) {
      let result: unknown;
      if (this.#host.stopped) break;
      try {
        if (filter?.test !== undefined && !filter.test(data, from)) continue;
        result = cb(data, from, pipe);
        if (!isThenable(result)) continue;
      } catch (error) {
        this.#host.report(error);
        continue;
      }
      const promise = Promise.resolve(result);
      pending = pending === undefined ? promise : both(this.#guard(pending), this.#guard(promise));
    }
    if (pending === undefined) {
      if (lent) this.#host.recycle(data, false);
    } else if (lent) this.#trackLent(pending, data);
    else this.#track(pending, kind === "stream" ? 0 : messageSize(data));
  }

  #guard(promise: Promise<unknown>): Promise<unknown> {
    return promise.catch((error) => this.#host.report(error));
  }

  #track(promise: Promise<unknown>, size: number): void {
    this.#begin(size);
    if (this.#host.watchSend(promise, this, size)) return;
    if (size > 0) {
      promise.then(() => this.#settle(size), (error) => this.sendFailed(error, size));
    } else {
      const { done, failed } = this.#reactions ??= {
        done: () => this.#settle(0),
        failed: (error) => this.sendFailed(error, 0),
      };
      promise.then(done, failed);
    }
  }

  /** On a stream, where nothing else is handled meanwhile. */
  #trackLent(promise: Promise<unknown>, data: Uint8Array): void {
    this.#begin(0);
    this.#guard(promise).then(() => {
      this.#host.recycle(data, false);
      this.#settle(0);
    });
  }

  get isAwaited(): boolean {
    return this.#whenIdle !== undefined || (this.#waiting !== undefined && this.#waiting.size > 0);
  }

  sendEnded(size: number): void {
    this.#settle(size);
  }

  sendFailed(error: unknown, size: number): void {
    this.#host.report(error);
    this.#settle(size);
  }

  #begin(size: number): void {
    this.#running++;
    this.#runningBytes += size;
    this.#host.flow.hold();
  }

  #settle(size: number): void {
    this.#running--;
    this.#runningBytes -= size;
    while (!this.#full) {
      const envelope = this.#waiting?.tryTake();
      if (envelope === undefined) break;
      this.#start(envelope.data, envelope.from, envelope.lent);
    }
    this.#host.flow.release();
    if (this.#whenIdle !== undefined && this.#idle) {
      const callback = this.#whenIdle;
      this.#whenIdle = undefined;
      callback();
    }
  }
}

async function both(a: Promise<unknown>, b: Promise<unknown>): Promise<void> {
  await a;
  await b;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value &&
    typeof value.then === "function";
}
