import { parseDest } from "../net/address.ts";
import { show } from "../net/show.ts";
import { checkOptions } from "../pipe/checks.ts";
import { TCP, UDP } from "../pipe/proto.ts";
import type { Dest, NetAddr } from "../pipe/types.ts";
import { FAULT_OPTIONS, FaultControl } from "./faults/control.ts";
import type { FaultOptions } from "./faults/faults.ts";
import { type FaultSwitch, systemSockets } from "./faults/faulty_network.ts";
import { openerOn } from "./faults/network.ts";
import { relayTcp, relayUdp } from "./faults/relay.ts";

/** Options of {@linkcode faultProxy}. */
export interface FaultProxyOptions extends FaultOptions {
  /** The real server. */
  readonly dest: Dest;
  /** Where the proxy listens. @default {"127.0.0.1:0"} */
  readonly route?: Dest | undefined;
}

/** A proxy whose connections go wrong; see {@linkcode faultProxy}. */
export interface FaultProxy extends FaultSwitch, AsyncDisposable {
  /** Where clients are to go instead of to the server. */
  readonly addr: NetAddr;
  /** Stops listening and breaks what is open. Resolves when all is closed. Idempotent. */
  close(): Promise<void>;
}

/**
 * A proxy in front of a real server, for clients that are not yours to change: what goes through it has
 * faults, as with Toxiproxy, for UDP as well. A TCP client that comes while the server refuses is reset.
 * On UDP the server sees each client at a port of its own.
 *
 * @param proto TCP or UDP: what the server speaks, or what carries it, as UDP carries QUIC.
 * @param options The server, where to listen, what goes wrong.
 * @returns The proxy, listening.
 * @throws {TypeError} If an option is of a wrong kind.
 * @throws {RangeError} If a number is out of its range.
 * @throws {PipeOpenError} If it cannot listen.
 *
 * @example `fetch` over a connection that is slow, and then broken
 * ```ts
 * import { faultProxy } from "@p2pd/pipes/testing";
 * import { TCP } from "@p2pd/pipes";
 * import { assertRejects } from "@std/assert";
 *
 * await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
 *   return new Response("hello");
 * });
 * await using proxy = await faultProxy(TCP, {
 *   dest: ["127.0.0.1", server.addr.port],
 *   upstream: { latency: 20, slicing: { size: 10 } },
 *   downstream: { cut: { how: "reset", bytes: 20 } },
 * });
 * await assertRejects(() => fetch(`http://127.0.0.1:${proxy.addr.port}/`));
 * ```
 */
export async function faultProxy(
  proto: "tcp" | "udp",
  options: FaultProxyOptions,
): Promise<FaultProxy> {
  if (proto !== TCP && proto !== UDP) {
    throw new TypeError(`proto: "tcp" or "udp" is needed, got ${show(proto)}`);
  }
  const known = checkOptions(options, "dest", "route", ...FAULT_OPTIONS);
  const { dest, route = "127.0.0.1:0", ...faults } = known;
  parseDest(dest, "dest", { zeroPort: false });
  const control = new FaultControl(faults);
  control.check(proto === TCP ? "stream" : "datagram");
  const closing = new AbortController();
  const open = openerOn(control, systemSockets(control, false));
  const relay = { open, dest, route, signal: closing.signal };
  const { addr, done } = await (proto === TCP ? relayTcp(relay) : relayUdp(relay));
  const close = () => {
    closing.abort();
    return done;
  };
  return {
    addr,
    get counts() {
      return control.counts;
    },
    setFaults: (faults) => control.set(faults),
    cut: () => control.cut(),
    close,
    [Symbol.asyncDispose]: close,
  };
}
