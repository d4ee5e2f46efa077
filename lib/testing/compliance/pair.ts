import { assert } from "@std/assert/assert";
import { NET_CONF, type NetConf } from "../../pipe/conf.ts";
import type { NetAddr } from "../../pipe/types.ts";
import { TransportError } from "../../transport/error.ts";
import type { Acceptor, Driver, DriverOptions, Transport } from "../../transport/transport.ts";
import { concat } from "./concat.ts";
import { settles } from "./turns.ts";
import type { DatagramSubject, StreamSubject } from "./subject.ts";

/** Options of a driver: the defaults, and a signal that nobody aborts. */
export function options(
  conf: Partial<NetConf> = {},
  signal = new AbortController().signal,
): DriverOptions {
  return { conf: { ...NET_CONF, ...conf }, signal };
}

/** An address of a stream subject; port 0 to have one chosen. */
export function tcp(hostname: string, port = 0): NetAddr {
  return { transport: "tcp", hostname, port };
}

/** An address of a datagram subject. */
export function udp(hostname: string, port = 0): NetAddr {
  return { transport: "udp", hostname, port };
}

/** Listens for connections. */
export async function listen(driver: Driver, at: NetAddr): Promise<Acceptor> {
  const acceptor = await driver.listen(at, options());
  assert("accept" in acceptor, `${driver.name}: listen gave no acceptor`);
  return acceptor;
}

/** A connection with both ends. */
export class Pair implements AsyncDisposable {
  /** What listens. */
  readonly acceptor: Acceptor;
  /** The end that was accepted, of the driver that is tried. */
  readonly own: Transport;
  /** The end that connected. */
  readonly peer: Transport;

  constructor(acceptor: Acceptor, own: Transport, peer: Transport) {
    this.acceptor = acceptor;
    this.own = own;
    this.peer = peer;
  }

  /** Closes everything, however far a check got. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.own.abort();
    this.peer.abort();
    await Promise.all([this.own.close(), this.peer.close(), this.acceptor.close()]);
  }
}

/** Where a subject can listen. */
export function place({ place, host }: StreamSubject): NetAddr {
  return place?.() ?? tcp(host);
}

/** Connects the two drivers of a subject. */
export async function connected(
  subject: StreamSubject,
  at = place(subject),
  host?: string,
): Promise<Pair> {
  const { driver, peer = driver } = subject;
  const acceptor = await listen(driver, at);
  const { localAddr } = acceptor;
  const to = host === undefined ? localAddr : tcp(host, localAddr.port);
  const [own, connection] = await Promise.all([
    acceptor.accept(),
    peer.connect(to, undefined, options()),
  ]);
  assert(own !== null, "accept gave null while listening");
  return new Pair(acceptor, own, connection);
}

/** Two datagram sockets. */
export class Sockets implements AsyncDisposable {
  readonly a: Transport;
  readonly b: Transport;

  constructor(a: Transport, b: Transport) {
    this.a = a;
    this.b = b;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.a.close(), this.b.close()]);
  }
}

/** Binds a datagram socket. */
export async function bind(driver: Driver, at: NetAddr): Promise<Transport> {
  const socket = await driver.listen(at, options());
  assert("send" in socket, `${driver.name}: listen gave no datagram socket`);
  return socket;
}

/** Binds two datagram sockets. */
export async function sockets(
  { driver, host }: DatagramSubject,
  atA = host,
  atB = host,
): Promise<Sockets> {
  return new Sockets(await bind(driver, udp(atA)), await bind(driver, udp(atB)));
}

/** Reads until there are that many bytes, and no further than the chunk that completes them. */
export async function readBytes(from: Transport, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let left = size;
  if (left === 0) return new Uint8Array();
  const how = await from.pull((chunk) => {
    chunks.push(chunk);
    return (left -= chunk.length) > 0;
  });
  assert(how === "paused", `the input ended ${left} bytes too early`);
  return concat(chunks);
}

/** Reads to the end of the stream. */
export async function readAll(from: Transport): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  const how = await from.pull((chunk) => {
    chunks.push(chunk);
    return true;
  });
  assert(how === "end", `pull stopped without being told: "${how}"`);
  return concat(chunks);
}

/** Reads one datagram. */
export async function receive(from: Transport): Promise<[data: Uint8Array, from: NetAddr]> {
  let message: [data: Uint8Array, from: NetAddr] | undefined;
  const how = await from.pull((...got) => {
    message = got;
    return false;
  });
  assert(how === "paused" && message !== undefined, "the socket ended");
  return message;
}

const MIB = 1024 * 1024;

/** A stream that takes no more, because nobody reads at the other end. */
export interface Clogged {
  /** What was sent, the pending send included. */
  readonly sent: readonly Uint8Array[];
  /** The send that waits. */
  readonly pending: Promise<unknown>;
}

/** Sends until a send stays pending, which has to happen: somebody would be reading without bound. */
export async function clog(transport: Transport): Promise<Clogged> {
  const sent: Uint8Array[] = [];
  for (let total = 0; total < 32 * MIB; total += MIB) {
    const data = new Uint8Array(MIB).fill(sent.length);
    sent.push(data);
    const pending = transport.send(data);
    // Whoever waits for it comes later.
    pending.catch(() => {});
    if (!await settles(pending)) return { sent, pending };
  }
  throw new Error("32 MiB went out and nobody reads");
}

/** The error with which a call of a transport failed. */
export async function failure(call: Promise<unknown>): Promise<TransportError> {
  try {
    await call;
  } catch (error) {
    assert(error instanceof TransportError, `not a TransportError: ${error}`);
    return error;
  }
  throw new Error("a TransportError was due, and it succeeded");
}
