import type { pipeOpen } from "../../pipe/open.ts";
import { type SocketSource, SYSTEM } from "../../pipe/sockets.ts";
import type { Pipe } from "../../pipe/pipe_types.ts";
import type { Driver } from "../../transport/transport.ts";
import { FaultControl } from "./control.ts";
import { faulty, FaultyAcceptor, faultyDriver } from "./driver.ts";
import type { FaultOptions, PathCounts, PathFaults } from "./faults.ts";
import { openerOn, withRudp } from "./network.ts";

/** What can be done to connections while they are open. */
export interface FaultSwitch {
  /** What was done so far, on all connections and sockets. */
  readonly counts: PathCounts;
  /**
   * Replaces the faults, for open connections as for new ones. What is under way arrives as it was
   * decided. A direction that is left out has no faults any more.
   *
   * @param faults What goes wrong from now on.
   * @throws {TypeError} If a fault is of a wrong kind, or one that an open connection cannot have.
   * @throws {RangeError} If a number is out of its range.
   */
  setFaults(faults: PathFaults): void;
  /** Breaks everything that is open: both sides see a reset. Datagrams under way are lost. */
  cut(): void;
}

/** Sockets whose connections go wrong; see {@linkcode faultyNetwork}. */
export interface FaultyNetwork extends FaultSwitch {
  /** `pipeOpen`, with faults: for TCP, UDP and RUDP, and all that is on top of them. */
  readonly pipeOpen: typeof pipeOpen;
  /**
   * The transports of a driver of your own, with these faults at each.
   *
   * @param driver What opens them.
   * @returns A driver.
   */
  over(driver: Driver): Driver;
  /**
   * Breaks connections now: both sides see a reset, and what is under way is lost. Of datagrams only
   * that is.
   *
   * @param pipe The one whose connection it is. @default {all that are open}
   */
  cut(pipe?: Pipe): void;
}

/**
 * Pipes on real sockets whose connections go wrong: with latency, loss and all that {@linkcode Faults}
 * has, the same in every run.
 *
 * The faults are at the end that is opened by it, below TLS and reliable datagrams, in both directions.
 * Open one end of a conversation with it, or everything goes wrong twice. TCP goes through `node:net`,
 * which can send a real reset.
 *
 * @param options What goes wrong, and the seed. Nothing by default, to be set later.
 * @returns The network.
 * @throws {TypeError} If an option is of a wrong kind.
 * @throws {RangeError} If a number is out of its range.
 *
 * @example A request that survives its first loss
 * ```ts
 * import { pipeOpen, UDP } from "@p2pd/pipes";
 * import { faultyNetwork } from "@p2pd/pipes/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await pipeOpen(UDP, {
 *   route: "127.0.0.1:0",
 *   msgCb: (msg, from, pipe) => pipe.send(msg, from),
 * });
 * const net = faultyNetwork({ upstream: { loss: (_data, index) => index === 0 } });
 * await using client = await net.pipeOpen(UDP, { dest: server.localAddr });
 * const [reply] = await client.request("hello", { timeout: 1000 });
 * assertEquals(reply, new TextEncoder().encode("hello"));
 * assertEquals(net.counts.upstream.lost, 1);
 * ```
 */
export function faultyNetwork(options: FaultOptions = {}): FaultyNetwork {
  const control = new FaultControl(options);
  const open = openerOn(control, systemSockets(control));
  return {
    pipeOpen: open,
    get counts() {
      return control.counts;
    },
    setFaults: (faults) => control.set(faults),
    cut: (pipe) => control.cut(pipe),
    over: (driver) => faultyDriver(driver, control, "one"),
  };
}

/**
 * Real sockets with faults, each of which has those of both directions.
 *
 * @param control The faults.
 * @param isRemote Whether opening a connection takes a round trip of its latency.
 */
export function systemSockets(control: FaultControl, isRemote = true): SocketSource {
  return {
    select: withRudp(async (proto, o) => {
      // Without linger TCP would be Deno's own, which cannot reset.
      const conf = { ...o.conf, linger: o.conf.linger ?? Infinity };
      return faultyDriver(await SYSTEM.select(proto, { ...o, conf }), control, "one", isRemote);
    }),
    async adopt(sock, conf, to) {
      const socket = await SYSTEM.adopt(sock, conf, to);
      if ("accept" in socket) return new FaultyAcceptor(socket, control, "one");
      const role = to === undefined && socket.kind === "datagram" ? "server" : "client";
      return faulty(socket, control, role, "one");
    },
  };
}
