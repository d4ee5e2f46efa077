/**
 * A network for engines, in simulated time: seeded, so that every run is the same, and as fast as the
 * engines compute.
 *
 * @module
 */
import { Engine } from "../../../lib/rudp/engine.ts";
import type { NetAddr } from "../../../lib/pipe/types.ts";
import { Random } from "../../helpers/random.ts";

/** What happens to packets; parts of 1 and milliseconds. */
export interface Weather {
  readonly loss?: number;
  readonly duplication?: number;
  /** How many are held up, so that others overtake them. */
  readonly reordering?: number;
  readonly latency?: number;
  readonly jitter?: number;
}

interface Event {
  readonly at: number;
  readonly order: number;
  run(): void;
}

/** Whoever is on the network. */
export interface Host {
  readonly addr: NetAddr;
  readonly engine: Engine;
  duplicates: number;
  /** Takes a message; false refuses it. */
  onMessage: (message: Uint8Array, from: NetAddr) => boolean;
}

/** The network. */
export class Simulator {
  /** Milliseconds since the start. */
  now = 0;
  /** Packets handed to the network. */
  packets = 0;
  /** What happens to packets from now on. */
  weather: Weather;
  readonly #random: Random;
  readonly #hosts = new Map<string, Host>();
  readonly #events: Event[] = [];
  #order = 0;
  #timers = new Map<Host, number>();

  constructor(seed: number, weather: Weather = {}) {
    this.#random = new Random(seed);
    this.weather = weather;
  }

  /** Adds a host. */
  host(hostname: string, ackTimeout = 60_000, base?: () => bigint): Host {
    const addr: NetAddr = Object.freeze({ transport: "udp", hostname, port: 1 });
    const engine = new Engine({
      ackTimeout,
      transmit: (packet, to) => this.#transmit(packet.slice(), addr, to),
      take: (message, from) => host.onMessage(message, from),
      onDuplicate: () => host.duplicates++,
      ...(base === undefined ? {} : { base }),
    });
    const host: Host = { addr, engine, duplicates: 0, onMessage: () => true };
    this.#hosts.set(hostname, host);
    return host;
  }

  /** Sends, and gives what became of it. */
  send(from: Host, to: Host, data: Uint8Array, done: (error?: Error) => void = () => {}): void {
    from.engine.send(data, to.addr, this.now, done);
    this.#arm(from);
  }

  /** Runs until nothing happens any more, or a condition holds. */
  run(until: () => boolean = () => false): void {
    for (let event; !until() && (event = this.#next()) !== undefined;) {
      this.now = event.at;
      event.run();
    }
  }

  /** Something happens later. */
  after(ms: number, run: () => void): void {
    this.#push({ at: this.now + ms, order: this.#order++, run });
  }

  #chance(part = 0): boolean {
    return part > 0 && this.#random.below(1_000_000) < part * 1_000_000;
  }

  #transmit(packet: Uint8Array, from: NetAddr, to: NetAddr): void {
    this.packets++;
    const { loss, duplication, reordering, latency = 10, jitter = 0 } = this.weather;
    const copies = this.#chance(duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.#chance(loss)) continue;
      const late = this.#chance(reordering) ? latency : 0;
      const ms = latency + late + this.#random.below(1000) / 1000 * jitter;
      this.after(ms, () => {
        const host = this.#hosts.get(to.hostname);
        if (host === undefined) return;
        host.engine.receive(packet, from, this.now);
        this.#arm(host);
      });
    }
  }

  /** One timer for each host, as a transport has. */
  #arm(host: Host): void {
    const { due } = host.engine;
    if (due >= (this.#timers.get(host) ?? Infinity)) return;
    this.#timers.set(host, due);
    this.after(Math.max(0, due - this.now), () => {
      if (this.#timers.get(host) !== due) return;
      this.#timers.delete(host);
      host.engine.tick(this.now);
      this.#arm(host);
    });
  }

  #push(event: Event): void {
    const heap = this.#events;
    heap.push(event);
    for (let i = heap.length - 1; i > 0;) {
      const parent = (i - 1) >> 1;
      if (!this.#before(i, parent)) break;
      this.#swap(i, parent);
      i = parent;
    }
  }

  #next(): Event | undefined {
    const heap = this.#events;
    if (heap.length === 0) return undefined;
    this.#swap(0, heap.length - 1);
    const first = heap.pop();
    for (let i = 0;;) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < heap.length && this.#before(child, least)) least = child;
      }
      if (least === i) return first;
      this.#swap(i, least);
      i = least;
    }
  }

  #before(i: number, j: number): boolean {
    const a = this.#events[i], b = this.#events[j];
    if (a === undefined || b === undefined) return false;
    return a.at < b.at || (a.at === b.at && a.order < b.order);
  }

  #swap(i: number, j: number): void {
    const a = this.#events[i], b = this.#events[j];
    if (a === undefined || b === undefined) return;
    this.#events[i] = b;
    this.#events[j] = a;
  }
}
