/**
 * What is between the two sides of a proxy.
 *
 * @module
 */
import { addrKey } from "../../net/address.ts";
import { pipeOpen } from "../../pipe/open.ts";
import { TCP, UDP } from "../../pipe/proto.ts";
import type { Pipe, ServerPipe } from "../../pipe/pipe_types.ts";
import type { Dest, NetAddr } from "../../pipe/types.ts";

/** Where a relay is, and how it reaches the server. */
export interface RelayOptions {
  /** `pipeOpen`, towards the server. */
  readonly open: typeof pipeOpen;
  /** The server. */
  readonly dest: Dest;
  /** Where to listen. */
  readonly route: Dest;
  /** Ends it. */
  readonly signal: AbortSignal;
  /**
   * How many clients of a relay for datagrams it knows; for one more, the one that was silent for longest
   * is forgotten. @default {1024}
   */
  readonly maxClients?: number;
}

/** A relay that is listening. */
export interface Relay {
  /** Where. */
  readonly addr: NetAddr;
  /** Resolves when it was ended and all is closed. */
  readonly done: Promise<void>;
}

/** Peers leave and sends to them fail: nobody is to be told. */
const quiet = { onError: () => {} };

/** With linger TCP is node:net's, which can pass on a reset. */
const quietTcp = { ...quiet, linger: Infinity };

/** Relays connections. */
export async function relayTcp(o: RelayOptions): Promise<Relay> {
  const server = await pipeOpen(TCP, { route: o.route, conf: quietTcp });
  o.signal.addEventListener("abort", () => server.abort());
  return { addr: server.localAddr, done: acceptAll(server, o) };
}

async function acceptAll(server: ServerPipe, o: RelayOptions): Promise<void> {
  const open = new Set<Promise<void>>();
  for await (const client of server.connections()) {
    const relayed = relayOne(client, o).finally(() => open.delete(relayed));
    open.add(relayed);
  }
  await Promise.all([...open, server.closed]);
}

async function relayOne(client: Pipe, { open, dest, signal }: RelayOptions): Promise<void> {
  let server: Pipe;
  try {
    server = await open(TCP, { dest, conf: quietTcp, signal });
  } catch {
    client.abort();
    await client.closed;
    return;
  }
  const abort = () => {
    client.abort();
    server.abort();
  };
  signal.addEventListener("abort", abort);
  try {
    client.addPipe(server);
    server.addPipe(client);
  } catch {
    // One of them has closed meanwhile.
    abort();
  }
  await Promise.all([client.closed, server.closed]);
  signal.removeEventListener("abort", abort);
}

/** Milliseconds of silence after which a client is forgotten. */
const IDLE = 60_000;

/** Relays datagrams. */
export async function relayUdp(o: RelayOptions): Promise<Relay> {
  const socket = await pipeOpen(UDP, { route: o.route, conf: quiet });
  const clients = new UdpClients(socket, o);
  socket.addMsgCb((msg, from) => clients.relay(msg, from));
  const done = new Promise<void>((resolve) => {
    o.signal.addEventListener("abort", () => resolve(clients.close()));
  });
  return { addr: socket.localAddr, done };
}

/** For each client a socket towards the server. */
class UdpClients {
  readonly #socket: Pipe;
  readonly #options: RelayOptions;
  /** Whoever was heard of last is the last. */
  readonly #sockets = new Map<string, Promise<Pipe>>();
  readonly #closing = new Set<Promise<unknown>>();

  constructor(socket: Pipe, options: RelayOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  /** Passes on what a client sent. */
  async relay(msg: Uint8Array, from: NetAddr): Promise<void> {
    const key = addrKey(from.hostname, from.port);
    const socket = this.#sockets.get(key) ?? this.#begin(key, from);
    this.#sockets.delete(key);
    this.#sockets.set(key, socket);
    const { maxClients = 1024 } = this.#options;
    if (this.#sockets.size > maxClients) this.#forgetOldest();
    await (await socket).send(msg);
  }

  /** Closes all sockets. */
  async close(): Promise<void> {
    this.#socket.abort();
    const sockets = await Promise.allSettled(this.#sockets.values());
    for (const result of sockets) if (result.status === "fulfilled") result.value.abort();
    await Promise.all([...this.#closing, this.#socket.closed]);
  }

  #forgetOldest(): void {
    for (const [key, socket] of this.#sockets) {
      this.#sockets.delete(key);
      socket.then((pipe) => pipe.abort(), () => {});
      return;
    }
  }

  #begin(key: string, from: NetAddr): Promise<Pipe> {
    const { open, dest, signal } = this.#options;
    const socket = open(UDP, {
      dest,
      signal,
      conf: { ...quiet, idleTimeout: IDLE },
      msgCb: async (msg) => void await this.#socket.send(msg, from),
    });
    const closed = socket.then((pipe) => pipe.closed).catch(() => {}).then(() => {
      if (this.#sockets.get(key) === socket) this.#sockets.delete(key);
      this.#closing.delete(closed);
    });
    this.#closing.add(closed);
    return socket;
  }
}
