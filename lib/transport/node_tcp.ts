/**
 * TCP by node:net, for what Deno's own API cannot do: a client with a local address, a connection that
 * `abort` resets. Loaded only when it is needed; needs `--allow-net` alone.
 *
 * @module
 */
import { createServer, type Server, Socket } from "node:net";
import type { NetConf } from "../pipe/conf.ts";
import type { NetAddr } from "../pipe/types.ts";
import { AcceptQueue } from "./accept_queue.ts";
import { netAddr, zoneOf } from "./addr.ts";
import { SocketTransport } from "./node_conn.ts";
import { until } from "./node_events.ts";
import type { Acceptor, Driver, DriverOptions, Transport } from "./transport.ts";

function setOptions(socket: Socket, conf: Readonly<NetConf>): void {
  if (conf.noDelay) socket.setNoDelay(true);
  if (conf.keepAlive) socket.setKeepAlive(true);
}

function ignore(): void {}

/** A server of node:net as an acceptor. */
class ServerAcceptor implements Acceptor {
  readonly localAddr: NetAddr;
  readonly raw: Server;
  readonly #conf: Readonly<NetConf>;
  readonly #zone: string;
  readonly #queue: AcceptQueue;

  constructor(server: Server, localAddr: NetAddr, conf: Readonly<NetConf>) {
    this.localAddr = localAddr;
    this.raw = server;
    this.#conf = conf;
    this.#zone = zoneOf(localAddr.hostname);
    this.#queue = new AcceptQueue(conf.backlog);
    server.on("connection", this.#onConnection);
    // An error without a listener would end the process. (Deno 2.9 gives none for a full file table,
    // after which a server of node:net accepts nothing more; one of Deno's own does.)
    server.on("error", ignore);
  }

  accept(): Promise<Transport | null> {
    return this.#queue.accept();
  }

  close(): Promise<void> {
    // The port is free at once. Its callback would wait for all connections to end.
    if (this.raw.listening) this.raw.close();
    this.#queue.close();
    return Promise.resolve();
  }

  release(): Server {
    this.raw.off("connection", this.#onConnection);
    this.raw.off("error", ignore);
    return this.raw;
  }

  readonly #onConnection = (socket: Socket): void => {
    // Nothing stops node:net from accepting, so that what is too much has to be turned away.
    if (this.#queue.full || socket.remoteAddress === undefined) {
      socket.on("error", ignore);
      socket.resetAndDestroy();
      return;
    }
    setOptions(socket, this.#conf);
    this.#queue.push(new SocketTransport(socket, this.#zone));
  };
}

async function connect(
  to: NetAddr,
  from: NetAddr | undefined,
  { conf, signal }: DriverOptions,
): Promise<Transport> {
  signal.throwIfAborted();
  const local = from && { localAddress: from.hostname, localPort: from.port };
  const socket = new Socket({ allowHalfOpen: true });
  socket.pause();
  try {
    await until(socket, "connect", signal, () => {
      socket.connect({ host: to.hostname, port: to.port, ...local });
    });
  } catch (error) {
    const gone = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", ignore);
    if (!socket.closed) {
      socket.destroy();
      await gone;
    }
    throw error;
  }
  setOptions(socket, conf);
  return new SocketTransport(socket, zoneOf(to.hostname) || zoneOf(from?.hostname));
}

async function listen(at: NetAddr, { conf, signal }: DriverOptions): Promise<Acceptor> {
  signal.throwIfAborted();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  try {
    const { hostname: host, port } = at;
    await until(server, "listening", signal, () => {
      server.listen({ host, port, exclusive: true, reusePort: conf.reuseAddr });
    });
  } catch (error) {
    server.on("error", ignore);
    server.close();
    throw error;
  }
  const bound = server.address();
  const port = bound !== null && typeof bound === "object" ? bound.port : at.port;
  return new ServerAcceptor(server, netAddr("tcp", at.hostname, port), conf);
}

/** TCP by node:net. */
export const nodeTcp: Driver = { name: "node:net TCP", connect, listen };
