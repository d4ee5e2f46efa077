import { PipeClosedError } from "../errors.ts";
import type { Envelope } from "./flow.ts";
import { envelopeQueue, type Kind } from "./mailbox.ts";
import type { PullQueue } from "./pull_queue.ts";
import type { NetConf } from "./conf.ts";
import type { Ties } from "./ties.ts";
import type { CloseInfo } from "./types.ts";

/** What a link needs of the pipes at its ends. */
export interface LinkEnd {
  readonly kind: Kind;
  /** Whether what waits may be dropped. */
  readonly lossy: boolean;
  readonly conf: Readonly<NetConf>;
  /** Whether it has failed: what it received before can still be read, and no link is to end that. */
  readonly isBroken: boolean;
  /** Its links, made when needed. */
  readonly ties: Ties;
  /** Sends one message on, cut to the size of a datagram where it must be. */
  forward(data: Uint8Array): Promise<unknown>;
  closeWrite(): Promise<void>;
  close(): Promise<void>;
  abort(reason?: unknown): void;
  report(error: unknown): void;
  noteDropped(): void;
  /** A link from or to here has ended. */
  unlinked(): void;
}

/**
 * One direction of a relay: sends what the source receives down the target, one message at a time, so
 * that the source is read no faster than the target takes.
 */
export class Link {
  readonly source: LinkEnd;
  readonly target: LinkEnd;
  #end: boolean | undefined;
  #pair: Link | undefined;
  #queue: PullQueue<Envelope> | undefined;
  /** The message being sent. */
  #sending: Envelope | undefined;
  #whenFlushed: (() => void)[] = [];
  /** The owner has removed it, and it is still sending what it had taken over. */
  #isCut = false;

  private constructor(source: LinkEnd, target: LinkEnd) {
    this.source = source;
    this.target = target;
  }

  /** Links two pipes: by a new link, or by one that was cut and is still sending, to keep the order. */
  static between(source: LinkEnd, target: LinkEnd, end: boolean | undefined): Link {
    let link: Link | undefined;
    for (const old of target.ties.incoming) if (old.source === source) link = old;
    link ??= new Link(source, target);
    link.#isCut = false;
    source.ties.failedLinks.delete(link);
    link.#end = end;
    source.ties.links.add(link);
    target.ties.incoming.add(link);
    for (const back of target.ties.links) {
      if (back.target !== source) continue;
      link.#pair = back;
      back.#pair = link;
    }
    return link;
  }

  /** Whether the end of the source is passed on to the target, and a failure of either to the other. */
  get carriesEnd(): boolean {
    return !this.#isCut && (this.#end ?? this.#pair !== undefined);
  }

  /** Whether the target must not close itself: this will do it, or still has to send what it took over. */
  get holdsTarget(): boolean {
    return this.#isCut || this.carriesEnd;
  }

  /** Takes a message. */
  offer(envelope: Envelope): void {
    if (this.#sending === undefined) this.#send(envelope);
    else {
      this.#queue ??= envelopeQueue(
        this.source.lossy,
        this.source.conf,
        () => this.source.noteDropped(),
      );
      this.#queue.push(envelope);
    }
  }

  /** The owner removes it: what it took over is still sent. */
  cut(): void {
    if (this.#pair !== undefined) this.#pair.#pair = undefined;
    this.#pair = undefined;
    this.source.ties.links.delete(this);
    this.#isCut = true;
    this.#afterFlush(() => {
      if (this.#isCut) this.#remove();
    });
  }

  /** It has failed, and its source has ended or it is removed by its owner: nothing is left to pass on. */
  forget(): void {
    if (this.#pair !== undefined) this.#pair.#pair = undefined;
    this.#pair = undefined;
    this.#remove();
  }

  /** The source has ended: in good order, or by an error. */
  sourceEnded(error?: unknown): void {
    this.#afterFlush(() => {
      const { carriesEnd, target } = this;
      this.#remove();
      if (!carriesEnd) return;
      if (error !== undefined) abort(target, error);
      else if (target.kind === "stream") target.closeWrite().catch(() => {}); // it may have gone
    });
  }

  /** The target is closed: nothing can be sent any more. */
  targetClosed(info: CloseInfo): void {
    const { carriesEnd, source } = this;
    const pair = this.#pair;
    this.#discard();
    this.#remove();
    if (!carriesEnd) return;
    if (info.error !== undefined) abort(source, info.error);
    // What the target had received may still be on its way to the source.
    else if (pair !== undefined) pair.#afterFlush(() => close(source));
    else close(source);
  }

  #send(envelope: Envelope): void {
    envelope.flow.hold();
    this.#sending = envelope;
    this.target.forward(envelope.data).then(this.#sent, this.#failed);
  }

  readonly #sent = (): void => {
    const done = this.#sending;
    // Only now has the system taken it.
    if (done?.lent === true) done.flow.pipe.recycle(done.data, true);
    this.#settled();
  };

  #settled(): void {
    const flow = this.#sending?.flow;
    this.#sending = undefined;
    const next = this.#queue?.tryTake();
    if (next !== undefined) this.#send(next);
    flow?.release();
    if (next !== undefined) return;
    const callbacks = this.#whenFlushed;
    this.#whenFlushed = [];
    for (const callback of callbacks) callback();
  }

  readonly #failed = (error: unknown): void => {
    // A target that closes is no fault of the link; its end is dealt with where it is noticed.
    const gone = error instanceof PipeClosedError;
    if (!gone) this.source.report(error);
    // One datagram that could not be sent is one datagram lost, and so is what a framing cannot carry.
    const refused = error instanceof TypeError || error instanceof RangeError;
    if (!gone && (refused || this.target.kind === "datagram")) return this.#settled();
    this.#discard();
    // It stays known to the target, whose end is then passed on.
    this.source.ties.links.delete(this);
    if (!this.#isCut) this.source.ties.failedLinks.add(this);
    else this.#remove();
    this.source.unlinked();
    this.#settled();
  };

  #afterFlush(callback: () => void): void {
    if (this.#sending === undefined) callback();
    else this.#whenFlushed.push(callback);
  }

  #discard(): void {
    this.#queue?.close();
    this.#queue?.clear();
    this.#queue = undefined;
  }

  #remove(): void {
    this.source.ties.links.delete(this);
    this.source.ties.failedLinks.delete(this);
    if (!this.target.ties.incoming.delete(this)) return;
    this.source.unlinked();
    this.target.unlinked();
  }
}

function abort(pipe: LinkEnd, reason: unknown): void {
  if (!pipe.isBroken) pipe.abort(reason);
}

function close(pipe: LinkEnd): void {
  if (!pipe.isBroken) void pipe.close();
}
