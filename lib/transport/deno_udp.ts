/**
 * UDP by Deno's own API, where the process has it (`--unstable-net`).
 *
 * @module
 */
import type { NetAddr } from "../pipe/types.ts";
import { denoAddr, netAddr, withZone, zoneOf } from "./addr.ts";
import { Slab } from "./buffers.ts";
import { isIcmp, noReceiver, sendAgain, unspecifiedFor } from "./datagram.ts";
import { busyWith, closedHere, translate, TransportError } from "./error.ts";
import type { Driver, DriverOptions, Sink, Transport } from "./transport.ts";
import { unstableNet } from "./unstable.ts";
import { WriteQueue } from "./write_queue.ts";

/** The largest datagram there can be. A smaller buffer would cut what is received, silently. */
const BUFFER = 65_536;

class DatagramTransport implements Transport {
  readonly kind = "datagram";
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr | undefined;
  readonly raw: Deno.DatagramConn;
  readonly #zone: string;
  readonly #buffer = new Uint8Array(BUFFER);
  readonly #slab = new Slab();
  readonly #writes: WriteQueue;
  /** The last sender, as the system showed it and as we do: the next datagram is often from it too. */
  #lastHost = "";
  #last: NetAddr;
  #closed = false;
  #closing: Promise<void> | undefined;
  #pulling = false;
  #onPulled: (() => void) | undefined;

  constructor(conn: Deno.DatagramConn, remoteAddr?: NetAddr, zone = "") {
    this.localAddr = denoAddr(conn.addr, zone);
    this.remoteAddr = remoteAddr;
    this.raw = conn;
    this.#zone = zone;
    this.#last = this.localAddr;
    this.#writes = new WriteQueue((data, to) => this.#write(data, to), "datagram");
  }

  async pull(sink: Sink): Promise<"paused" | "end"> {
    if (this.#pulling) throw busyWith("read");
    this.#pulling = true;
    try {
      return await this.#read(sink);
    } finally {
      this.#pulling = false;
      this.#onPulled?.();
    }
  }

  send(data: Uint8Array, to: NetAddr | undefined = this.remoteAddr): Promise<void> {
    return this.#writes.send(data, to);
  }

  close(): Promise<void> {
    return this.#closing ??= this.#finish();
  }

  abort(): void {
    this.#writes.fail(closedHere());
    this.#shut();
  }

  /** The hot path: everything that a datagram costs is in here. */
  async #read(sink: Sink): Promise<"paused" | "end"> {
    const conn = this.raw, buffer = this.#buffer;
    while (!this.#closed) {
      let data: Uint8Array, sender: Deno.Addr;
      try {
        [data, sender] = await conn.receive(buffer);
      } catch (error) {
        if (this.#closed) break;
        if (isIcmp(error)) continue;
        // "closed" without a close of ours is one too: the owner of the raw socket closed it.
        throw translate(error);
      }
      if (this.#closed) break;
      if (!sink(this.#slab.keep(data), this.#sender(sender))) return "paused";
    }
    return "end";
  }

  #sender(addr: Deno.Addr): NetAddr {
    if (addr.transport === "udp") {
      if (addr.port === this.#last.port && addr.hostname === this.#lastHost) return this.#last;
      this.#lastHost = addr.hostname;
    }
    return this.#last = denoAddr(addr, this.#zone);
  }

  #write(data: Uint8Array, to: NetAddr | undefined): Promise<unknown> {
    if (to === undefined) return Promise.reject(noReceiver());
    const receiver = this.#zone === ""
      ? to
      : { ...to, hostname: withZone(to.hostname, this.#zone) };
    const send = () => this.raw.send(data, receiver);
    return send().catch((error) => sendAgain(error, send));
  }

  async #finish(): Promise<void> {
    this.#writes.end();
    await this.#writes.drain();
    this.#shut();
    await this.#writes.drain();
    // The system frees the port when the last call on the socket has returned.
    if (this.#pulling) await new Promise<void>((resolve) => this.#onPulled = resolve);
  }

  #shut(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.raw.close();
    } catch {
      // The owner of the raw socket closed it.
    }
  }
}

function open(at: NetAddr, { conf, signal }: DriverOptions): Deno.DatagramConn {
  signal.throwIfAborted();
  if (!unstableNet()) {
    const message = "Cannot open a UDP socket: Deno.listenDatagram needs --unstable-net";
    throw new TransportError("failed", new Deno.errors.NotSupported(message));
  }
  const { hostname, port } = at;
  try {
    return Deno.listenDatagram({
      transport: "udp",
      hostname,
      port,
      reuseAddress: conf.reuseAddr,
    });
  } catch (error) {
    throw translate(error);
  }
}

/** UDP by `Deno.listenDatagram`. */
export const denoUdp: Driver = {
  name: "Deno UDP",
  // deno-lint-ignore require-await -- what it throws is a rejection
  async connect(to, from, options) {
    const conn = open(from ?? unspecifiedFor(to), options);
    const zone = zoneOf(from?.hostname) || zoneOf(to.hostname);
    return new DatagramTransport(conn, netAddr("udp", to.hostname, to.port, zone), zone);
  },
  // deno-lint-ignore require-await -- what it throws is a rejection
  async listen(at, options) {
    return new DatagramTransport(open(at, options), undefined, zoneOf(at.hostname));
  },
};

/**
 * Makes a transport of an open datagram socket.
 *
 * @param conn The socket, owned by the transport from here on.
 * @param to Its peer, if it is to have one.
 * @throws {TypeError} If it has no IP address.
 */
export function adoptDatagram(conn: Deno.DatagramConn, to?: NetAddr): Transport {
  return new DatagramTransport(conn, to);
}
