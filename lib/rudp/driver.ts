import type { Driver, DriverOptions, Transport } from "../transport/transport.ts";
import { RudpTransport } from "./transport.ts";

/**
 * RUDP on top of a driver for datagrams.
 *
 * @param udp Opens what carries the packets.
 */
export function rudpOver(udp: Driver): Driver {
  const over = (inner: Transport, { conf }: DriverOptions) =>
    // Raw is what carries it: nothing is read from a socket that is to be given away.
    conf.sockOnly ? inner : new RudpTransport(inner, conf);
  return {
    name: `RUDP over ${udp.name}`,
    connect: async (to, from, options) => over(await udp.connect(to, from, options), options),
    listen: async (at, options) => {
      const socket = await udp.listen(at, options);
      if ("accept" in socket) throw new TypeError(`${udp.name} has no datagrams`);
      return over(socket, options);
    },
  };
}
