/**
 * UDP by node:dgram, for processes without `--unstable-net`. Loaded only when it is needed; needs
 * `--allow-net` alone.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { lookup as systemLookup, type LookupOneOptions } from "node:dns";
import { formatAddr } from "../net/address.ts";
import { parseIp } from "../net/ip.ts";
import type { NetAddr } from "../pipe/types.ts";
import { netAddr, withZone, zoneOf } from "./addr.ts";
import { Slab } from "./buffers.ts";
import { Burst } from "./burst.ts";
import { isIcmp, noReceiver, sendAgain, unspecifiedFor } from "./datagram.ts";
import { closedHere, translate, type TransportError } from "./error.ts";
import { Inbox } from "./inbox.ts";
import {
  cardAddress,
  cardIndex,
  findCard,
  type Group,
  withGroups,
  zoneOfGroups,
} from "./multicast.ts";
import { until } from "./node_events.ts";
import { PushReader } from "./push_reader.ts";
import { Senders } from "./senders.ts";
import type { Driver, DriverOptions, SendReport, Sink, Transport } from "./transport.ts";
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
  readonly #burst: Burst;
  readonly #slab = new Slab();
  readonly #inbox = new Inbox();
  /** Resolves when the system has freed the port. */
  readonly #gone = Promise.withResolvers<void>();
  readonly #reader = new PushReader();
  #failure: TransportError | undefined;
  readonly #senders: Senders;
  #closed = false;
  #closing: Promise<void> | undefined;

  constructor(socket: Socket, at: NetAddr, remoteAddr?: NetAddr, zone = "") {
    const { port } = socket.address();
    this.localAddr = netAddr("udp", at.hostname, port, zone);
    this.remoteAddr = remoteAddr;
    this.raw = socket;
    this.#zone = zone;
    this.#senders = new Senders(zone);
    this.#ipv6 = at.hostname.includes(":");
    this.#writes = new WriteQueue(
      (data, to) => this.#write(data, to),
      "datagram",
      (error, data, to) => sendAgain(denied(to) ?? error, () => this.#write(data, to)),
    );
    this.#burst = new Burst(this.#writes);
    socket.on("message", this.#onMessage);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
  }

  pull(sink: Sink): Promise<"paused" | "end"> {
    if (this.#closed) return Promise.resolve("end");
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const pulled = this.#reader.start(sink);
    this.#inbox.empty((data, from) => this.#reader.push(data, from));
    return pulled;
  }

  send(
    data: Uint8Array,
    to: NetAddr | undefined = this.remoteAddr,
    report?: SendReport,
  ): Promise<number> {
    return this.#writes.send(data, to, report);
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

  release(): Socket {
    return this.raw
      .off("message", this.#onMessage)
      .off("error", this.#onError)
      .off("close", this.#onClose);
  }

  readonly #onMessage = (data: Buffer, from: RemoteInfo): void => {
    if (this.#closed) return;
    this.#burst.note();
    const sender = this.#senders.find(from.address, from.port);
    if (this.#reader.reading) this.#reader.push(this.#slab.keep(data), sender);
    else this.#inbox.push(this.#slab.keep(data), sender);
  };

  readonly #onError = (error: Error): void => {
    if (this.#closed || isIcmp(error)) return;
    this.#failure ??= translate(error);
    this.#reader.fail(this.#failure);
  };

  readonly #onClose = (): void => {
    this.#shut();
    this.#gone.resolve();
  };

  #write(data: Uint8Array, to: NetAddr | undefined): Promise<unknown> {
    if (to === undefined) return Promise.reject(noReceiver());
    const host = this.#receiver(to.hostname);
    return new Promise<void>((resolve, reject) => {
      this.raw.send(data, to.port, host, (error) => error ? reject(error) : resolve());
    });
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
    await this.#gone.promise;
    await this.#writes.drain();
  }

  #shut(): void {
    this.#closed = true;
    this.#inbox.clear();
    this.#reader.end();
  }
}

/** Deno's own error for a receiver that the process may not send to: node:dgram says "UNKNOWN". */
function denied(to: NetAddr | undefined): Error | undefined {
  if (to === undefined) return undefined;
  const host = formatAddr(to);
  if (Deno.permissions.querySync({ name: "net", host }).state === "granted") return undefined;
  return new Deno.errors.NotCapable(
    `Requires net access to "${host}", run again with the --allow-net flag`,
  );
}

type Found = (error: Error | null, address: string, family: number) => void;

/** Hosts are IP literals. The look-up that finds this out every time costs as much as the send. */
function lookup(host: string, options: LookupOneOptions, found: Found): void {
  // The socket may be given away, and its new owner send to a name.
  if (parseIp(host) === undefined) systemLookup(host, options, found);
  else found(null, host, host.includes(":") ? 6 : 4);
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
    if (conf.broadcast) socket.setBroadcast(true);
  } catch (error) {
    socket.on("error", () => {});
    await new Promise<void>((resolve) => {
      socket.once("close", resolve);
      socket.close();
    });
    throw error;
  }
  return socket;
}

/** What `addMembership` takes for the card of an IPv6 group: its name, on Windows its index. */
function cardZone(group: Group): string {
  if (group.card === undefined) return "::";
  if (Deno.build.os === "windows") return `::%${cardIndex(group)}`;
  // It does not say when there is no card of that name, but takes another.
  return `::%${findCard(group.card).name}`;
}

function join(socket: Socket, at: NetAddr, group: Group): void {
  if (group.family === "IPv6") return socket.addMembership(group.address, cardZone(group));
  if (at.hostname.includes(":")) {
    const message = `an IPv4 group needs the route "0.0.0.0:${at.port}" or --unstable-net`;
    throw new Deno.errors.NotSupported(message);
  }
  socket.addMembership(group.address, cardAddress(group));
}

/** The transport of a new socket, once it has joined its groups. */
async function made(
  at: NetAddr,
  options: DriverOptions,
  to?: NetAddr,
): Promise<Transport> {
  const { conf } = options;
  const socket = await open(at, options);
  const zone = zoneOf(at.hostname) || zoneOf(to?.hostname) || zoneOfGroups(conf);
  const peer = to && netAddr("udp", to.hostname, to.port, zone);
  const transport = new DgramTransport(socket, at, peer, zone);
  return await withGroups(transport, conf, (group) => join(socket, at, group));
}

/** UDP by node:dgram. */
export const nodeUdp: Driver = {
  name: "node:dgram UDP",
  connect: (to, from, options) => made(from ?? unspecifiedFor(to), options, to),
  listen: (at, options) => made(at, options),
};
