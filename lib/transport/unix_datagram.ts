/**
 * Datagrams on Unix paths, by Deno's own API.
 *
 * A socket of Deno's (2.9) of this kind does one thing at a time: while it waits for a datagram it cannot
 * send, and while it waits to send it cannot receive. So what is to be sent waits until a datagram
 * comes in, and to make that happen at once a second socket sends one: the wake-up, which nobody sees.
 * While a receiver has no room (Linux: for 11 datagrams by default) nothing is received either, so that
 * two who both send much more than they read can stop each other.
 *
 * @module
 */
import { isAbstract } from "../net/unix_path.ts";
import type { NetConf } from "../pipe/conf.ts";
import { Ring } from "../pipe/ring.ts";
import type { NetAddr } from "../pipe/types.ts";
import { denoAddr } from "./addr.ts";
import { Slab } from "./buffers.ts";
import { noReceiver } from "./datagram.ts";
import { closedHere, translate, type TransportError } from "./error.ts";
import { withGroups } from "./multicast.ts";
import { PushReader } from "./push_reader.ts";
import { refused, reported } from "./send_report.ts";
import type { DriverOptions, SendReport, Sink, Transport } from "./transport.ts";
import { bindPath, checkAccess, SocketFile } from "./unix_file.ts";

/** More than a socket may hold for sending, 212,992 bytes by Linux' default: nothing is cut. */
const BUFFER = 262_144;

const NOTHING = new Uint8Array();

interface Entry {
  readonly data: Uint8Array;
  readonly to: NetAddr;
  readonly resolve: () => void;
  readonly reject: (error: TransportError) => void;
}

/** What is known of a socket. */
interface SocketOptions {
  /** Its peer, if it is to have one. */
  readonly to?: NetAddr | undefined;
  /** Its file, if it was made here. */
  readonly file?: SocketFile | undefined;
}

class UnixDatagramTransport implements Transport {
  readonly kind = "datagram";
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr | undefined;
  readonly raw: Deno.DatagramConn;
  readonly #file: SocketFile | undefined;
  readonly #buffer = new Uint8Array(BUFFER);
  readonly #slab = new Slab();
  readonly #reader = new PushReader();
  readonly #queue = new Ring<Entry>();
  readonly #alarm: Alarm;
  #sending: Entry | undefined;
  #receiving = false;
  #running: Promise<void> | undefined;
  #failure: TransportError | undefined;
  #drained: (() => void) | undefined;
  #closed = false;
  #closing: Promise<void> | undefined;

  constructor(conn: Deno.DatagramConn, { to, file }: SocketOptions) {
    this.localAddr = denoAddr(conn.addr);
    this.remoteAddr = to;
    this.raw = conn;
    this.#file = file;
    this.#alarm = new Alarm(this.localAddr.hostname);
  }

  pull(sink: Sink): Promise<"paused" | "end"> {
    if (this.#closed) return Promise.resolve("end");
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const pulled = this.#reader.start(sink);
    this.#run();
    return pulled;
  }

  send(
    data: Uint8Array,
    to: NetAddr | undefined = this.remoteAddr,
    report?: SendReport,
  ): Promise<number> {
    if (this.#closed || this.#closing !== undefined) return refused(closedHere(), to, report);
    if (to === undefined) return refused(noReceiver(), to, report);
    const sending = new Promise<void>((resolve, reject) => {
      this.#queue.push({ data, to, resolve, reject });
      if (this.#receiving) this.#wake();
      else this.#run();
    });
    return reported(sending, data.length, to, report);
  }

  close(): Promise<void> {
    return this.#closing ??= this.#finish();
  }

  abort(): void {
    this.#shut();
  }

  #run(): void {
    this.#running ??= this.#work().finally(() => this.#running = undefined);
  }

  /** The one place where the socket is used. */
  async #work(): Promise<void> {
    // Two who send to each other at once would wait for each other, if they did not read meanwhile.
    let heardAll = false;
    while (!this.#closed) {
      const reading = this.#reader.reading;
      if (this.#queue.length > 0 && (heardAll || !reading)) {
        heardAll = false;
        await this.#sendNext();
      } else if (reading) {
        if (this.#queue.length > 0) this.#wake();
        heardAll = await this.#receive();
      } else break;
    }
  }

  async #sendNext(): Promise<void> {
    const entry = this.#sending = this.#queue.shift();
    if (entry === undefined) return;
    const { data, to: { hostname: path }, resolve, reject } = entry;
    try {
      await this.raw.send(data, { transport: "unixpacket", path });
      resolve();
    } catch (error) {
      reject(translate(error));
    }
    this.#sending = undefined;
    if (this.#queue.length === 0) this.#drained?.();
  }

  /** Hands up one datagram; true if it was the wake-up, which comes after all that was there before. */
  async #receive(): Promise<boolean> {
    this.#receiving = true;
    try {
      const [data, sender] = await this.raw.receive(this.#buffer);
      if (this.#closed) return false;
      const from = denoAddr(sender);
      if (this.#alarm.rang(from)) return true;
      this.#reader.push(this.#slab.keep(data), from);
    } catch (error) {
      if (this.#closed) return false;
      // "closed" without a close of ours is one too: the owner of the raw socket closed it.
      this.#failure = translate(error);
      this.#reader.fail(this.#failure);
    } finally {
      this.#receiving = false;
    }
    return false;
  }

  #wake(): void {
    this.#alarm.ring().catch((error) => {
      if (!this.#closed) this.#refuse(translate(error));
    });
  }

  #refuse(error: TransportError): void {
    for (let entry; (entry = this.#queue.shift()) !== undefined;) entry.reject(error);
    this.#drained?.();
  }

  async #finish(): Promise<void> {
    if (!this.#closed && (this.#queue.length > 0 || this.#sending !== undefined)) {
      await new Promise<void>((resolve) => this.#drained = resolve);
    }
    const running = this.#sending === undefined ? this.#running : undefined;
    this.#shut();
    await running;
  }

  #shut(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#file?.remove(); // while the socket is open, so that it is surely this one's
    } catch {
      // Its directory was removed.
    }
    try {
      this.raw.close();
    } catch {
      // The owner of the raw socket closed it.
    }
    this.#alarm.close();
    // No close ends a send that waits for its receiver.
    this.#sending?.reject(closedHere());
    this.#refuse(closedHere());
    this.#reader.end();
  }
}

/** Sends a datagram to a socket of this process that waits for one. */
class Alarm {
  readonly #target: string;
  #bell: { readonly conn: Deno.DatagramConn; readonly file: SocketFile | undefined } | undefined;
  /** The wake-up is on its way. */
  #rings = false;

  constructor(target: string) {
    this.#target = target;
  }

  /** Rings, unless it does already. Resolves when the system took it. */
  async ring(): Promise<void> {
    if (this.#rings) return;
    this.#rings = true;
    try {
      this.#bell ??= this.#install();
      await this.#bell.conn.send(NOTHING, { transport: "unixpacket", path: this.#target });
    } catch (error) {
      this.#rings = false;
      throw error;
    }
  }

  /** Whether a datagram was the wake-up. */
  rang({ path }: NetAddr): boolean {
    const addr = this.#bell?.conn.addr;
    const isIt = addr?.transport === "unixpacket" && addr.path === path;
    if (isIt) this.#rings = false;
    return isIt;
  }

  close(): void {
    this.#bell?.file?.remove();
    this.#bell?.conn.close();
  }

  #install(): { conn: Deno.DatagramConn; file: SocketFile | undefined } {
    const id = crypto.randomUUID();
    // A name that needs no file, where there are such names.
    const path = Deno.build.os === "linux" || isAbstract(this.#target)
      ? `\0pipes-${id}`
      : `${this.#target}.${id.slice(0, 8)}`;
    checkAccess(path);
    const conn = Deno.listenDatagram({ transport: "unixpacket", path });
    return { conn, file: SocketFile.at(path) };
  }
}

/** The transport of an open socket. */
export function madeUnix(
  conn: Deno.DatagramConn,
  conf: Readonly<NetConf>,
  options: SocketOptions,
): Promise<Transport> {
  return withGroups(new UnixDatagramTransport(conn, options), conf, () => {});
}

/** Binds a path. */
export async function openUnix(
  path: string,
  { conf, signal }: DriverOptions,
  to?: NetAddr,
): Promise<Transport> {
  const conn = await bindPath(path, () => Deno.listenDatagram({ transport: "unixpacket", path }));
  const transport = await madeUnix(conn, conf, { to, file: SocketFile.at(path) });
  if (!signal.aborted) return transport;
  transport.abort();
  throw signal.reason;
}
