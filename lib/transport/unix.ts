/**
 * Stream sockets on Unix paths, by Deno's own API.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import type { NetAddr } from "../pipe/types.ts";
import { ConnTransport } from "./deno_conn.ts";
import { ListenerAcceptor } from "./deno_listener.ts";
import { translate } from "./error.ts";
import type { Acceptor, Driver, DriverOptions, Transport } from "./transport.ts";
import { bindPath, checkAccess, SocketFile } from "./unix_file.ts";

/** Milliseconds until the next try when a server has a full backlog, where Unix does not wait. */
const RETRY = 20;

async function connect(
  { hostname: path }: NetAddr,
  _from: NetAddr | undefined,
  { signal }: DriverOptions,
): Promise<Transport> {
  signal.throwIfAborted();
  checkAccess(path);
  for (;;) {
    try {
      const conn = await Deno.connect({ transport: "unix", path });
      if (!signal.aborted) return new ConnTransport(conn);
      conn.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock)) {
        signal.throwIfAborted();
        throw translate(error);
      }
      await delay(RETRY, { signal }).catch(() => {});
    }
    signal.throwIfAborted();
  }
}

async function listen(
  { hostname: path }: NetAddr,
  { conf, signal }: DriverOptions,
): Promise<Acceptor> {
  signal.throwIfAborted();
  const listener = await bindPath(path, () => Deno.listen({ transport: "unix", path }));
  const acceptor = new ListenerAcceptor(listener, conf, { file: SocketFile.at(path) });
  if (signal.aborted) {
    await acceptor.close();
    throw signal.reason;
  }
  return acceptor;
}

/** Stream sockets on Unix paths. A client has no path of its own. */
export const unixStreams: Driver = { name: "Unix stream", connect, listen };
