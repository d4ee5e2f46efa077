import type { pipeOpen } from "../../pipe/open.ts";
import { openPipe } from "../../pipe/open_pipe.ts";
import type { PipeOptions } from "../../pipe/pipe_options.ts";
import { isProto, PROTOS, QUIC, RUDP, UDP } from "../../pipe/proto.ts";
import type { SocketSource } from "../../pipe/sockets.ts";
import type { Proto } from "../../pipe/types.ts";
import type { SelectOptions } from "../../transport/select.ts";
import type { Driver } from "../../transport/transport.ts";
import type { FaultControl } from "./control.ts";

/**
 * `pipeOpen` on other sockets.
 *
 * @param control The faults that the sockets have.
 * @param sockets Where they come from.
 */
export function openerOn(control: FaultControl, sockets: SocketSource): typeof pipeOpen {
  const open = async (proto: Proto, options?: PipeOptions): Promise<unknown> => {
    if (proto === QUIC) {
      throw new TypeError(
        "proto: quic is the system's own; put a faultProxy for udp in front of it",
      );
    }
    if (options?.over !== undefined) {
      throw new TypeError(
        "over: a stream or datagrams of an open connection have that one's faults",
      );
    }
    if (isProto(proto)) control.check(PROTOS[proto].connects ? "stream" : "datagram");
    if (options?.conf?.sockOnly === true) {
      throw new TypeError(
        "conf.sockOnly: must be false here; the system's own socket has no faults",
      );
    }
    return await openPipe(proto, options, sockets);
  };
  // One function for all overloads, as there.
  return open as typeof pipeOpen;
}

/** Lays reliable datagrams over whatever carries datagrams. */
export function withRudp(
  select: (proto: Proto, options: SelectOptions) => Promise<Driver>,
): SocketSource["select"] {
  return async (proto, options) => {
    if (proto !== RUDP) return await select(proto, options);
    const { rudpOver } = await import("../../rudp/driver.ts");
    return rudpOver(await select(UDP, options));
  };
}
