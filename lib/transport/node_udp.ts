/**
 * UDP by node:dgram, for processes without `--unstable-net`. Loaded only when it is needed; needs
 * `--allow-net` alone.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
// Deno 2.9 runs the next ticks of node only in a process that has loaded this; without them, and with a
// look-up of our own, a socket never says that it was closed.
import "node:process";
import type { NetAddr } from "../pipe/types.ts";
import { netAddr, withZone, zoneOf } from "./addr.ts";
import { Slab } from "./buffers.ts";
import { isIcmp, noReceiver, sendAgain, unspecifiedFor } from "./datagram.ts";
import { closedHere, translate, type TransportError } from "./error.ts";
import { Inbox } from "./inbox.ts";
import { until } from "./node_events.ts";
import { PushReader } from "./push_reader.ts";
import type { Driver, DriverOptions, Sink, Transport } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

/** A bound socket of node:dgram as a transport. */
class DgramTransport implements Transport {
  readonly kind = "datagram";
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr | undefined;
  readonly raw: Socket;
  readonly #zone: string;
  readonly #ipv6: boolean;
  readonly #writes: WriteQueue;
  readonly #slab = new Slab();
  readonly #inbox = new Inbox();
  /** Resolves when the system has freed the port. */
  readonly #gone: Promise<void>;
  readonly #reader = new PushReader();
  #failure: TransportError | undefined;
  #lastHost = "";
  #last: NetAddr;
  #closed = false;
  #closing: Promise<void> | undefined;

  constructor(socket: Socket, at: NetAddr, remoteAddr?: NetAddr, zone = "") {
    const { port } = socket.address();
    this.localAddr = this.#last = netAddr("udp", at.hostname, port, zone);
    this.remoteAddr = remoteAddr;
    this.raw = socket;
    this.#zone = zone;
    this.#ipv6 = at.hostname.includes(":");
    this.#writes = new WriteQueue((data, to) => this.#write(data, to), "datagram");
    socket.on("message", (data: Buffer, from: RemoteInfo) => this.#onMessage(data, from));
    socket.on("error", (error: Error) => this.#onError(error));
    this.#gone = new Promise((resolve) => {
      socket.on("close", () => {
        this.#shut();
        resolve();
      });
    });
  }

  pull(sink: Sink): Promise<"paused" | "end"> {
    if (this.#closed) return Promise.resolve("end");
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const pulled = this.#reader.start(sink);
    this.#inbox.empty((data, from) => this.#reader.push(data, from));
    return pulled;
  }

  send(data: Uint8Array, to: NetAddr | undefined = this.remoteAddr): Promise<void> {
    return this.#writes.send(data, to);
  }

  close(): Promise<void> {
    return this.#closing ??= this.#finish();
  }

  abort(): void {
    this.#writes.fail(closedHere());
    if (this.#closed) return;
    this.#shut();
    this.raw.close();
  }

  #onMessage(data: Buffer, from: RemoteInfo): void {
    if (this.#closed) return;
    const sender = this.#sender(from);
    if (this.#reader.reading) this.#reader.push(this.#slab.keep(data), sender);
    else this.#inbox.push(this.#slab.keep(data), sender);
  }

  #sender({ address, port }: RemoteInfo): NetAddr {
    if (port === this.#last.port && address === this.#lastHost) return this.#last;
    this.#lastHost = address;
    return this.#last = netAddr("udp", address, port, this.#zone);
  }

  #onError(error: Error): void {
    if (this.#closed || isIcmp(error)) return;
    this.#failure ??= translate(error);
    this.#reader.fail(this.#failure);
  }

  #write(data: Uint8Array, to: NetAddr | undefined): Promise<unknown> {
    if (to === undefined) return Promise.reject(noReceiver());
    const host = this.#receiver(to.hostname);
    const send = () =>
      new Promise<void>((resolve, reject) => {
        this.raw.send(data, to.port, host, (error) => error ? reject(error) : resolve());
      });
    return send().catch((error) => sendAgain(error, send));
  }

  /** An IPv6 socket knows IPv4 receivers as v4-mapped ones. */
  #receiver(host: string): string {
    if (this.#ipv6 && !host.includes(":")) return `::ffff:${host}`;
    return withZone(host, this.#zone);
  }

  async #finish(): Promise<void> {
    this.#writes.end();
    await this.#writes.drain();
    if (!this.#closed) {
      this.#shut();
      this.raw.close();
    }
    await this.#gone;
    await this.#writes.drain();
  }

  #shut(): void {
    this.#closed = true;
    this.#inbox.clear();
    this.#reader.end();
  }
}

/** Hosts are IP literals. The look-up that finds this out every time costs as much as the send. */
function lookup(
  host: string,
  _options: unknown,
  found: (error: null, address: string, family: number) => void,
): void {
  found(null, host, host.includes(":") ? 6 : 4);
}

async function open(at: NetAddr, { conf, signal }: DriverOptions): Promise<Socket> {
  signal.throwIfAborted();
  const { hostname: address, port } = at;
  const type = address.includes(":") ? "udp6" : "udp4";
  const socket = createSocket({ type, reuseAddr: conf.reuseAddr, ipv6Only: false, lookup });
  try {
    await until(socket, "listening", signal, () => {
      socket.bind({ address, port, exclusive: true });
    });
  } catch (error) {
    socket.on("error", () => {});
    await new Promise<void>((resolve) => {
      socket.once("close", resolve);
      socket.close();
    });
    throw error;
  }
  if (conf.broadcast) socket.setBroadcast(true);
  return socket;
}

/** UDP by node:dgram. */
export const nodeUdp: Driver = {
  name: "node:dgram UDP",
  async connect(to, from, options) {
    const at = from ?? unspecifiedFor(to);
    const socket = await open(at, options);
    const zone = zoneOf(from?.hostname) || zoneOf(to.hostname);
    return new DgramTransport(socket, at, netAddr("udp", to.hostname, to.port, zone), zone);
  },
  async listen(at, options) {
    return new DgramTransport(await open(at, options), at, undefined, zoneOf(at.hostname));
  },
};
