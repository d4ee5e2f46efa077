/**
 * Transports in memory, which need no permission: for tests, and for pipes within one program. They
 * keep every promise of the seam, backpressure included.
 *
 * @module
 */
import { addrKey, formatAddr } from "../net/address.ts";
import { isUnspecified, parseIp } from "../net/ip.ts";
import type { NetAddr } from "../pipe/types.ts";
import { AcceptQueue } from "./accept_queue.ts";
import { netAddr } from "./addr.ts";
import { unspecifiedFor } from "./datagram.ts";
import { translate, TransportError } from "./error.ts";
import { MemoryDatagram } from "./memory_datagram.ts";
import { streamPair } from "./memory_stream.ts";
import type { Acceptor, Driver, DriverOptions, Transport } from "./transport.ts";

/** Ports that nobody asks for by number (RFC 6335, section 6). */
const FIRST_PORT = 49152, LAST_PORT = 65535;

/** Who is bound where. */
class AddressBook<T> {
  readonly #bound = new Map<string, T>();
  #next = FIRST_PORT;

  /** The address that binding gives: port 0 becomes a free one. */
  resolve(at: NetAddr): NetAddr {
    const { transport, hostname, port } = at;
    const addr = netAddr(transport, hostname, port === 0 ? this.#freePort(hostname) : port);
    if (this.#bound.has(addrKey(addr.hostname, addr.port))) {
      throw translate(
        new Deno.errors.AddrInUse(`Address already in use: ${formatAddr(addr)}`),
      );
    }
    return addr;
  }

  bind({ hostname, port }: NetAddr, entry: T): void {
    this.#bound.set(addrKey(hostname, port), entry);
  }

  free({ hostname, port }: NetAddr): void {
    this.#bound.delete(addrKey(hostname, port));
  }

  /** Whoever is bound to the address, or else to all addresses. */
  find({ hostname, port }: NetAddr): T | undefined {
    const all = hostname.includes(":") ? ["::"] : ["0.0.0.0", "::"];
    for (const host of [hostname, ...all]) {
      const entry = this.#bound.get(addrKey(host, port));
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  #freePort(hostname: string): number {
    for (let tries = FIRST_PORT; tries <= LAST_PORT; tries++) {
      const port = this.#next;
      this.#next = port === LAST_PORT ? FIRST_PORT : port + 1;
      if (!this.#bound.has(addrKey(hostname, port))) return port;
    }
    throw translate(new Deno.errors.AddrNotAvailable(`No port is free on ${hostname}`));
  }
}

/** The address that a socket bound to all of them shows to `peer`. */
function seenBy(peer: NetAddr, local: NetAddr): NetAddr {
  const ip = parseIp(local.hostname);
  if (ip === undefined || !isUnspecified(ip)) return local;
  const hostname = peer.hostname.includes(":") ? "::1" : "127.0.0.1";
  return netAddr(local.transport, hostname, local.port);
}

class MemoryAcceptor implements Acceptor {
  readonly localAddr: NetAddr;
  readonly raw = undefined;
  readonly queue: AcceptQueue;
  readonly #book: AddressBook<MemoryAcceptor>;

  constructor(localAddr: NetAddr, book: AddressBook<MemoryAcceptor>, backlog: number) {
    this.localAddr = localAddr;
    this.queue = new AcceptQueue(backlog);
    this.#book = book;
    book.bind(localAddr, this);
  }

  accept(): Promise<Transport | null> {
    return this.queue.accept();
  }

  close(): Promise<void> {
    if (this.#book.find(this.localAddr) === this) this.#book.free(this.localAddr);
    this.queue.close();
    return Promise.resolve();
  }
}

/**
 * Two connected streams.
 *
 * @returns Both ends; what one sends, the other receives.
 */
export function memoryPair(): [Transport, Transport] {
  const end = (port: number) => netAddr("tcp", "127.0.0.1", port);
  return streamPair(end(FIRST_PORT), end(FIRST_PORT + 1));
}

/**
 * A network of its own for streams, where those that connect and those that listen meet by address.
 *
 * @returns The driver of this network; any IP address can be listened at.
 */
export function memoryStreams(): Driver {
  const listening = new AddressBook<MemoryAcceptor>();
  return {
    name: "memory stream",
    async connect(to, from, { signal }) {
      // not at once, so that it can be aborted like a real one
      await Promise.resolve();
      signal.throwIfAborted();
      const acceptor = listening.find(to);
      if (acceptor === undefined || acceptor.queue.full) {
        const why = `Connection refused: nobody accepts at ${formatAddr(to)}`;
        throw translate(new Deno.errors.ConnectionRefused(why));
      }
      const local = listening.resolve({ ...unspecifiedFor(to), ...from, transport: "tcp" });
      const there = netAddr("tcp", to.hostname, to.port);
      const [mine, theirs] = streamPair(seenBy(to, local), there);
      acceptor.queue.push(theirs);
      return mine;
    },
    // deno-lint-ignore require-await -- what it throws is a rejection
    async listen(at, { conf, signal }) {
      signal.throwIfAborted();
      return new MemoryAcceptor(listening.resolve(at), listening, conf.backlog);
    },
  };
}

/**
 * A network of its own for datagrams. Nothing is lost or reordered on it, but for what a reader leaves
 * unread beyond 2 MiB and what goes to an address where nobody is.
 *
 * @returns The driver of this network; any IP address can be bound to.
 */
export function memoryDatagrams(): Driver {
  const book = new AddressBook<MemoryDatagram>();
  const open = (at: NetAddr, peer: NetAddr | undefined, { conf, signal }: DriverOptions) => {
    signal.throwIfAborted();
    if (conf.multicast !== null) throw noGroups();
    const socket = new MemoryDatagram(book.resolve(at), peer, {
      deliver: (data, to, { localAddr }) => book.find(to)?.receive(data, seenBy(to, localAddr)),
      leave: ({ localAddr }) => book.free(localAddr),
    });
    book.bind(socket.localAddr, socket);
    return socket;
  };
  return {
    name: "memory datagram",
    // deno-lint-ignore require-await -- what it throws is a rejection
    async connect(to, from, options) {
      return open(from ?? unspecifiedFor(to), netAddr("udp", to.hostname, to.port), options);
    },
    // deno-lint-ignore require-await -- what it throws is a rejection
    async listen(at, options) {
      return open(at, undefined, options);
    },
  };
}

function noGroups(): TransportError {
  const why = "There are no multicast groups in memory";
  return new TransportError("unjoined", new Deno.errors.NotSupported(why));
}
