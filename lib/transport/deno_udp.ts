/**
 * UDP by Deno's own API, where the process has it (`--unstable-net`).
 *
 * @module
 */
import { NET_CONF, type NetConf } from "../pipe/conf.ts";
import type { NetAddr } from "../pipe/types.ts";
import { denoAddr, netAddr, withZone, zoneOf } from "./addr.ts";
import { Slab } from "./buffers.ts";
import { isIcmp, noReceiver, sendAgain, unspecifiedFor } from "./datagram.ts";
import { busyWith, closedHere, translate, TransportError } from "./error.ts";
import { cardAddress, cardIndex, withGroups, zoneOfGroups } from "./multicast.ts";
import { Senders } from "./senders.ts";
import type { Driver, DriverOptions, SendReport, Sink, Transport } from "./transport.ts";
import { madeUnix, openUnix } from "./unix_datagram.ts";
import { Turns } from "./turns.ts";
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
  readonly #senders: Senders;
  readonly #turns = new Turns();
  #closed = false;
  #closing: Promise<void> | undefined;
  #pulling = false;
  #onPulled: (() => void) | undefined;

  constructor(conn: Deno.DatagramConn, to: NetAddr | undefined, zone: string) {
    this.localAddr = denoAddr(conn.addr, zone);
    this.remoteAddr = to && netAddr("udp", to.hostname, to.port, zone);
    this.raw = conn;
    this.#zone = zone;
    this.#senders = new Senders(zone);
    this.#writes = new WriteQueue(
      (data, to) => this.#write(data, to),
      "datagram",
      (error, data, to) => sendAgain(error, () => this.#write(data, to)),
    );
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

  send(
    data: Uint8Array,
    to: NetAddr | undefined = this.remoteAddr,
    report?: SendReport,
  ): Promise<number> {
    this.#turns.noteSend();
    return this.#writes.send(data, to, report);
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
    const conn = this.raw, buffer = this.#buffer, turns = this.#turns;
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
      const patience = turns.begin();
      if (!sink(this.#slab.keep(data), this.#sender(sender))) return "paused";
      for (let left = patience; left > 0 && !turns.answered; left--) {
        await undefined;
        if (left === 1) turns.noteSilence();
      }
    }
    return "end";
  }

  #sender(addr: Deno.Addr): NetAddr {
    if (addr.transport === "udp") return this.#senders.find(addr.hostname, addr.port);
    return denoAddr(addr, this.#zone);
  }

  #write(data: Uint8Array, to: NetAddr | undefined): Promise<unknown> {
    if (to === undefined) return Promise.reject(noReceiver());
    const receiver = this.#zone === ""
      ? to
      : { ...to, hostname: withZone(to.hostname, this.#zone) };
    return this.raw.send(data, receiver);
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

function bind({ hostname, port }: NetAddr, conf: Readonly<NetConf>): Deno.DatagramConn {
  try {
    return Deno.listenDatagram({
      transport: "udp",
      hostname,
      port,
      reuseAddress: conf.reuseAddr,
      // As every system has it: what is sent to a group is heard on this host too.
      loopback: true,
    });
  } catch (error) {
    throw translate(error);
  }
}

async function open(at: NetAddr, options: DriverOptions, to?: NetAddr): Promise<Transport> {
  const { conf, signal } = options;
  signal.throwIfAborted();
  if (!unstableNet()) {
    const message = "Cannot open a datagram socket: Deno.listenDatagram needs --unstable-net";
    throw new TransportError("failed", new Deno.errors.NotSupported(message));
  }
  if (at.path !== undefined) return await openUnix(at.path, options, to);
  return await made(bind(at, conf), conf, to, zoneOf(at.hostname) || zoneOf(to?.hostname));
}

/** The transport of an open socket, once it has joined its groups. */
function made(
  conn: Deno.DatagramConn,
  conf: Readonly<NetConf>,
  to?: NetAddr,
  ownZone = "",
): Promise<Transport> {
  const transport = new DatagramTransport(conn, to, ownZone || zoneOfGroups(conf));
  return withGroups(
    transport,
    conf,
    (group) =>
      group.family === "IPv4"
        ? conn.joinMulticastV4(group.address, cardAddress(group))
        : conn.joinMulticastV6(group.address, cardIndex(group)),
  );
}

/** UDP, and datagrams on Unix paths, by `Deno.listenDatagram`. */
export const denoUdp: Driver = {
  name: "Deno UDP",
  connect: (to, from, options) => open(from ?? unspecifiedFor(to), options, to),
  listen: (at, options) => open(at, options),
};

/**
 * Makes a transport of an open datagram socket.
 *
 * @param conn The socket, owned by the transport from here on.
 * @param to Its peer, if it is to have one.
 * @param conf The groups to join.
 * @throws {TypeError} If it has an address of another kind.
 * @throws {TransportError} If a group cannot be joined.
 */
export async function adoptDatagram(
  conn: Deno.DatagramConn,
  to?: NetAddr,
  conf: Readonly<NetConf> = NET_CONF,
): Promise<Transport> {
  if (conn.addr.transport === "unixpacket") return await madeUnix(conn, conf, { to });
  return await made(conn, conf, to);
}
