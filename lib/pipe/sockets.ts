import type { Lookup } from "../net/resolve.ts";
import { selectDriver, type SelectOptions } from "../transport/select.ts";
import type { Acceptor, Driver, Transport } from "../transport/transport.ts";
import type { NetConf } from "./conf.ts";
import type { OpenSocket } from "./pipe_options.ts";
import type { NetAddr, Proto } from "./types.ts";

/** Where pipes get their sockets from. */
export interface SocketSource {
  /** The driver that can open what is asked for. */
  readonly select: (proto: Proto, options: SelectOptions) => Promise<Driver>;
  /** Makes a transport or an acceptor of an open socket. */
  readonly adopt: (
    sock: OpenSocket,
    conf: Readonly<NetConf>,
    to: NetAddr | undefined,
  ) => Promise<Transport | Acceptor>;
  /** Looks names up, unless `conf.lookup` does. @default {the system's} */
  readonly lookup?: Lookup;
}

/** From the system that the process runs on. */
export const SYSTEM: SocketSource = {
  select: selectDriver,
  adopt: async (sock, conf, to) =>
    await (await import("../transport/adopt.ts")).adoptSocket(sock, conf, to),
};
