import { addrKey } from "../net/address.ts";
import { netAddr, zoneOf } from "../transport/addr.ts";
import { closedHere, translate } from "../transport/error.ts";
import type { NetAddr } from "../pipe/types.ts";

/** Endpoints for clients that wait for the next one, for each address they are bound to. */
const MOST_PARKED = 8;

/**
 * How long to go on trying to free an address that a closed endpoint of this process still has: its last
 * connection stays for three probe timeouts (RFC 9000, section 10.2), which is 3 s where the round trip
 * was never measured. The waits double from the first.
 */
const FREEING = 5000, FIRST_WAIT = 10;

/** Every endpoint that is bound and in use, by its address. */
const bound = new Map<string, Endpoint>();

/** Endpoints of clients without a port of their own, to be used again. */
const parked = new Map<string, Endpoint[]>();

/** Addresses that closed endpoints have until the garbage collector comes. */
const lingering = new Set<string>();
const freed = new FinalizationRegistry<string>((key) => lingering.delete(key));

/** Takes an incoming connection, or refuses it. */
export type Taker = (incoming: Deno.QuicIncoming) => void;

/**
 * One UDP socket that QUIC connections share. Deno frees its port only when it collects the object, so
 * clients use those of earlier ones, and an address that is still open here is not bound a second time.
 */
export class Endpoint {
  /** Let go of when closed, as everything that leads to it has to be: see {@linkcode collectGarbage}. */
  #raw: Deno.QuicEndpoint | undefined;
  readonly addr: NetAddr;
  readonly #key: string;
  /** Whether the system chose the port. */
  readonly #anyPort: boolean;
  #users = 0;
  /** All of them: one that is collected takes the certificate of the others along. */
  readonly #listeners: Deno.QuicListener[] = [];
  #taker: Taker | undefined;
  #accepting: Promise<void> | undefined;

  constructor(at: NetAddr) {
    this.#raw = new Deno.QuicEndpoint({ hostname: at.hostname, port: at.port });
    const { hostname, port } = this.#raw.addr;
    this.addr = netAddr("udp", hostname, port, zoneOf(at.hostname));
    this.#anyPort = at.port === 0;
    this.#key = addrKey(this.addr.hostname, port);
    bound.set(this.#key, this);
  }

  /** Whether anybody else uses it. */
  get shared(): boolean {
    return this.#users > 1;
  }

  /** Whether anybody uses it. */
  get inUse(): boolean {
    return this.#users > 0;
  }

  /** Keeps it open until {@linkcode Endpoint.release}. */
  retain(): this {
    this.#users++;
    return this;
  }

  /**
   * Gives it back. The last one closes it, but for one that a client may use again.
   *
   * @param spent Whether nobody is to use it again.
   */
  async release(spent = false): Promise<void> {
    if (--this.#users > 0) return;
    const { hostname } = this.addr;
    const waiting = parked.get(hostname) ?? [];
    const isClient = this.#anyPort && this.#listeners.length === 0;
    if (!isClient || spent || this.#raw === undefined || waiting.length >= MOST_PARKED) {
      return await this.#close();
    }
    parked.set(hostname, [...waiting, this]);
  }

  /** Connects from here. */
  connect(options: Omit<Deno.ConnectQuicOptions<false>, "endpoint">): Promise<Deno.QuicConn> {
    if (this.#raw === undefined) throw closedHere();
    return Deno.connectQuic<false>({ ...options, endpoint: this.#raw });
  }

  /** Accepts connections from now on, for one at a time. */
  listen(options: Deno.QuicListenOptions, taker: Taker): Deno.QuicListener {
    if (this.#raw === undefined) throw closedHere();
    if (this.#taker !== undefined) {
      throw new Deno.errors.AddrInUse("QUIC of this process listens there already");
    }
    const listener = this.#raw.listen(options);
    this.#listeners.push(listener);
    this.#taker = taker;
    this.#accepting ??= this.#acceptAll(listener);
    return listener;
  }

  /** Refuses connections from now on; those that there are go on. */
  unlisten(): void {
    this.#taker = undefined;
  }

  async #acceptAll(listener: Deno.QuicListener): Promise<void> {
    try {
      while (true) {
        const incoming = await listener.incoming();
        if (this.#taker === undefined) incoming.refuse();
        else this.#taker(incoming);
      }
    } catch {
      // The endpoint was closed, and nothing else ends it.
    }
  }

  async #close(): Promise<void> {
    const raw = this.#raw;
    if (raw === undefined) return;
    this.#raw = undefined;
    bound.delete(this.#key);
    lingering.add(this.#key);
    freed.register(raw, this.#key);
    raw.close();
    await this.#accepting;
    this.#listeners.length = 0;
  }
}

/** An endpoint for a client: one that waits, or a new one. */
export function clientEndpoint(at: NetAddr, signal: AbortSignal): Promise<Endpoint> {
  const waiting = at.port === 0 ? parked.get(at.hostname)?.pop() : undefined;
  return waiting === undefined ? endpointAt(at, signal) : Promise.resolve(waiting.retain());
}

/**
 * The endpoint at an address: the one that this process has there, or a new one.
 *
 * @throws {TransportError} When the address cannot be bound; or the signal's reason.
 */
export async function endpointAt(at: NetAddr, signal: AbortSignal): Promise<Endpoint> {
  const key = addrKey(at.hostname, at.port);
  const there = at.port === 0 ? undefined : bound.get(key);
  if (there !== undefined) {
    unpark(there);
    return there.retain();
  }
  const until = performance.now() + FREEING;
  const ours = lingering.has(key);
  for (let pause = FIRST_WAIT;; pause *= 2) {
    try {
      return new Endpoint(at).retain();
    } catch (error) {
      const wait = ours && error instanceof Deno.errors.AddrInUse && performance.now() < until;
      if (!wait) throw translate(error);
    }
    const { collectGarbage } = await import("./collect.ts");
    collectGarbage();
    await new Promise<void>((resolve) => setTimeout(resolve, pause));
    signal.throwIfAborted();
  }
}

function unpark(endpoint: Endpoint): void {
  const { hostname } = endpoint.addr;
  const left = parked.get(hostname)?.filter((other) => other !== endpoint) ?? [];
  parked.set(hostname, left);
}
