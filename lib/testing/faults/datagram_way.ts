import { messageSize } from "../../pipe/bounds.ts";
import { DelayLine } from "./delay_line.ts";
import { DatagramFate } from "./datagram_fate.ts";
import type { Lane } from "./lane.ts";

/** Milliseconds that a reordered datagram waits for the one that is to overtake it. */
const REORDER_WAIT = 20;

/** Bytes under way in one direction of one socket. */
const UNDER_WAY = 16 * 1024 * 1024;

/** Where datagrams come out. */
export interface WayEnd<A> {
  /** Whether one can come out now. */
  readonly ready: () => boolean;
  /** Takes one; resolves when it is gone. */
  readonly deliver: (data: Uint8Array, addr: A) => Promise<unknown> | void;
}

interface Packet<A> {
  readonly data: Uint8Array;
  readonly addr: A;
}

/** The way of the datagrams of one socket in one direction. */
export class DatagramWay<A> {
  readonly #lane: Lane;
  readonly #fate: DatagramFate;
  readonly #end: WayEnd<A>;
  readonly #line = new DelayLine<Packet<A>>(() => this.flush());
  /** Those that wait to be overtaken. */
  #held: Packet<A>[] = [];
  #bytes = 0;
  #onEmpty: (() => void)[] = [];

  /**
   * @param lane What goes wrong.
   * @param connection Tells the socket from others on the lane.
   * @param end Where datagrams come out.
   */
  constructor(lane: Lane, connection: string, end: WayEnd<A>) {
    this.#lane = lane;
    this.#fate = new DatagramFate(lane, connection);
    this.#end = end;
  }

  /** Whether something is under way, and room for more. */
  get flows(): boolean {
    return this.#bytes > 0 && this.#bytes < UNDER_WAY;
  }

  /**
   * Sends a datagram on its way.
   *
   * @param data The bytes; not kept unless `owned`.
   * @returns When it is gone, if it leaves at once.
   */
  carry(data: Uint8Array, addr: A, owned: boolean): Promise<unknown> | void {
    const now = performance.now();
    const { due, data: changed, held } = this.#fate.of(data, now);
    // Every copy belongs to whoever gets it.
    const packets = due.map((time, i) => {
      const isNow = !held && time <= now && this.#line.next > time && this.#end.ready();
      const isOwn = i === 0 && (owned || isNow || changed !== data);
      return { time, isNow, packet: { data: isOwn ? changed : new Uint8Array(changed), addr } };
    });
    let gone: Promise<unknown> | void = undefined;
    for (const [i, { time, isNow, packet }] of packets.entries()) {
      if (!isNow) this.#put(packet, time, held && i === 0);
      else if (i === 0) gone = this.#deliver(packet);
      else lose(this.#deliver(packet));
      if (!held && i === 0) this.#release(time, now);
    }
    return gone;
  }

  /** Delivers what is due. */
  flush(): void {
    while (this.#end.ready()) {
      const packet = this.#line.take();
      if (packet === undefined) break;
      this.#leave(packet);
      lose(this.#deliver(packet));
    }
    if (this.#line.length === 0) this.#empty();
  }

  /** Resolves when nothing is under way any more. */
  drain(): Promise<void> {
    if (this.#line.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  /** Loses everything under way. */
  lose(): void {
    this.#lane.counts.lost += this.#line.length;
    this.clear();
  }

  /** Forgets everything. */
  clear(): void {
    this.#line.clear();
    this.#held = [];
    this.#bytes = 0;
    this.#empty();
  }

  #put(packet: Packet<A>, due: number, held: boolean): void {
    const size = messageSize(packet.data);
    if (this.#bytes + size > UNDER_WAY) {
      this.#lane.counts.overflowed++;
      return;
    }
    this.#bytes += size;
    if (held) this.#held.push(packet);
    this.#line.add(packet, held ? due + REORDER_WAIT : due);
  }

  /** Whoever waited to be overtaken was. */
  #release(due: number, now: number): void {
    if (this.#held.length === 0) return;
    const held = this.#held;
    this.#held = [];
    for (const packet of held) {
      this.#line.remove(packet);
      if (due <= now && this.#line.next > due && this.#end.ready()) {
        this.#bytes -= messageSize(packet.data);
        lose(this.#deliver(packet));
      } else this.#line.add(packet, due);
    }
    if (this.#line.length === 0) this.#empty();
  }

  #leave(packet: Packet<A>): void {
    this.#bytes -= messageSize(packet.data);
    const at = this.#held.indexOf(packet);
    if (at >= 0) this.#held.splice(at, 1);
  }

  #deliver({ data, addr }: Packet<A>): Promise<unknown> | void {
    const { counts } = this.#lane;
    counts.passed++;
    counts.bytes += data.length;
    return this.#end.deliver(data, addr);
  }

  #empty(): void {
    const waiting = this.#onEmpty;
    this.#onEmpty = [];
    for (const resolve of waiting) resolve();
  }
}

/** What has been under way fails as on any network: nobody is told. */
function lose(gone: Promise<unknown> | void): void {
  gone?.catch(() => {});
}
