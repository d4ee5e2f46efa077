import { translate, type TransportError } from "../../transport/error.ts";
import { Alarm } from "./alarm.ts";
import { DelayLine } from "./delay_line.ts";
import type { Lane } from "./lane.ts";
import type { StreamFate } from "./stream_fate.ts";

/** Bytes under way in one direction of a connection: what a window of TCP may hold. */
const UNDER_WAY = 1024 * 1024;

/** Where a stream comes out. */
export interface StreamEnd {
  /** Whether something can come out now. */
  readonly ready: () => boolean;
  /** Takes a piece; resolves when it is gone. */
  readonly deliver: (data: Uint8Array) => Promise<unknown> | void;
  /** The connection breaks, after all that came before. */
  readonly broken: (how: "reset" | "end") => void;
}

/** One direction of a connection. Bytes stay in order, and never more than a bound are under way. */
export class StreamWay {
  readonly #fate: StreamFate;
  readonly #end: StreamEnd;
  /** Pieces, and at the last the end. */
  readonly #line = new DelayLine<Uint8Array | null>(() => void this.flush());
  /** Whoever wants to put in something: one at a time. */
  readonly #alarm = new Alarm();
  #bytes = 0;
  #flushing = false;
  #stalled = false;
  #stallCounted = false;
  #failure: TransportError | undefined;
  #onEnd: (() => void) | undefined;
  #onEmpty: (() => void) | undefined;
  #breaking: Promise<void> | undefined;

  /**
   * @param fate What goes wrong.
   * @param end Where the stream comes out.
   */
  constructor(fate: StreamFate, end: StreamEnd) {
    this.#fate = fate;
    this.#end = end;
  }

  /** Whether nothing goes wrong, and nothing is under way. */
  get isClear(): boolean {
    return this.#fate.isPlain && this.#isIdle && !this.#stalled;
  }

  /** Whether what leaves is under way for a time. */
  get isLate(): boolean {
    return this.#fate.isLate;
  }

  /** Whether something is under way. */
  get flows(): boolean {
    return this.#bytes > 0;
  }

  /** Counts bytes that go through as they are. */
  pass(size: number): void {
    this.#fate.pass(size);
    this.#count(size);
  }

  /**
   * Sends bytes on their way.
   *
   * @param data The bytes; copied unless `owned`.
   * @returns When all have left. Rejects when the connection broke.
   */
  async carry(data: Uint8Array, owned: boolean): Promise<void> {
    for (let rest = data; rest.length > 0;) {
      if (await this.#waits()) continue;
      const { size, data: piece, due } = this.#fate.take(rest, performance.now());
      rest = rest.subarray(size);
      this.#bytes += size;
      const isCopy = owned || piece.buffer !== data.buffer;
      this.#line.add(isCopy ? piece : new Uint8Array(piece), due);
      // What is never under way waits for whoever takes it.
      if (!this.#fate.isLate) await this.flush();
      while (this.#failure === undefined && this.#fate.free > performance.now()) {
        await this.#alarm.wait(this.#fate.free);
      }
    }
    if (this.#failure !== undefined) throw this.#failure;
    const { broken } = this.#fate;
    if (broken === "reset" || broken === "end") void this.#breaks(broken);
  }

  /** Resolves when the end has arrived, after all that came before, or the connection broke. */
  async end(): Promise<void> {
    while (this.#failure === undefined && await this.#waits());
    if (this.#failure !== undefined) return;
    const ended = new Promise<void>((resolve) => this.#onEnd = resolve);
    this.#line.add(null, this.#fate.end(performance.now()));
    await this.flush();
    await ended;
  }

  /** Delivers what is due. */
  async flush(): Promise<void> {
    if (this.#flushing) return;
    this.#flushing = true;
    try {
      while (!this.#stalled && this.#end.ready()) {
        const piece = this.#line.take();
        if (piece === undefined) break;
        if (piece === null) this.#ended();
        else await this.#deliver(piece);
      }
    } catch (error) {
      this.fail(translate(error));
    } finally {
      this.#flushing = false;
    }
    if (this.#isIdle) this.#empty();
  }

  /** Nothing moves any more, until `resume`. */
  stall(): void {
    this.#stalled = true;
    this.#countStall();
  }

  /** Goes on with the faults that there are now. */
  resume(lane: Lane): void {
    this.#fate.use(lane);
    this.#stalled = this.#stallCounted = false;
    this.#alarm.ring();
    void this.flush();
  }

  /** Loses what is under way, and refuses the rest. */
  fail(error: TransportError): void {
    this.#failure ??= error;
    this.#line.clear();
    this.#bytes = 0;
    this.#alarm.ring();
    this.#empty();
    this.#ended();
  }

  get #isIdle(): boolean {
    return this.#line.length === 0 && !this.#flushing;
  }

  /** Waits, if there is something to wait for; the caller looks again. */
  async #waits(): Promise<boolean> {
    if (this.#failure !== undefined) throw this.#failure;
    const { broken } = this.#fate;
    if (broken === "reset" || broken === "end") await this.#breaks(broken);
    else if (broken === "stall" || this.#stalled) {
      this.#countStall();
      await this.#alarm.wait();
    } else if (this.#bytes >= UNDER_WAY) await this.#alarm.wait();
    else return false;
    return true;
  }

  /** Breaks the connection after what came before, unless the faults change meanwhile. */
  #breaks(how: "reset" | "end"): Promise<void> {
    return this.#breaking ??= this.#drained().then(() => {
      this.#breaking = undefined;
      if (this.#failure === undefined && this.#fate.broken === how) this.#end.broken(how);
    });
  }

  async #deliver(piece: Uint8Array): Promise<void> {
    const gone = this.#end.deliver(piece);
    if (gone !== undefined) await gone;
    if (this.#failure !== undefined) return;
    this.#count(piece.length);
    this.#bytes -= piece.length;
    this.#alarm.ring();
  }

  #count(size: number): void {
    const { counts } = this.#fate.lane;
    counts.passed++;
    counts.bytes += size;
  }

  #countStall(): void {
    if (!this.#stallCounted) this.#fate.lane.counts.cuts++;
    this.#stallCounted = true;
  }

  #drained(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#onEmpty = resolve);
  }

  #ended(): void {
    this.#onEnd?.();
    this.#onEnd = undefined;
  }

  #empty(): void {
    this.#onEmpty?.();
    this.#onEmpty = undefined;
  }
}
