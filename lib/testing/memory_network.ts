import { normalizeIp } from "../net/ip.ts";
import { show } from "../net/show.ts";
import { checkOptions } from "../pipe/checks.ts";
import { SYSTEM } from "../pipe/sockets.ts";
import { UDP } from "../pipe/proto.ts";
import { TransportError } from "../transport/error.ts";
import { memoryDatagrams, memoryStreams } from "../transport/memory.ts";
import type { Driver } from "../transport/transport.ts";
import { FAULT_OPTIONS, FaultControl } from "./faults/control.ts";
import { faultyDriver } from "./faults/driver.ts";
import type { FaultOptions, PathFaults } from "./faults/faults.ts";
import type { FaultyNetwork } from "./faults/faulty_network.ts";
import { openerOn, withRudp } from "./faults/network.ts";

/** Options of {@linkcode memoryNetwork}. */
export interface MemoryNetworkOptions extends FaultOptions {
  /**
   * The names of hosts and their IP addresses, best first. "localhost" is 127.0.0.1 and ::1.
   *
   * @default {no other name is known}
   */
  readonly hosts?: Readonly<Record<string, string | readonly string[]>> | undefined;
}

/** A network in memory; see {@linkcode memoryNetwork}. */
export interface MemoryNetwork extends FaultyNetwork {
  /** Its streams, for what takes a driver. */
  readonly streams: Driver;
  /** Its datagrams. */
  readonly datagrams: Driver;
  /**
   * Replaces the faults between two hosts, which have then none of the network's.
   *
   * @param a The IP address of one.
   * @param b The IP address of the other one.
   * @param faults What goes wrong between them from now on, either way.
   * @throws {TypeError} If an address is none, or a fault is of a wrong kind.
   * @throws {RangeError} If a number is out of its range.
   */
  setLink(a: string, b: string, faults: PathFaults): void;
}

/**
 * A network in memory, which needs no permission: pipes on it are like others, and reach each other
 * only. Every IP address is there and can be bound (`route`), so that one process plays many hosts; a
 * client without a route is on 127.0.0.1 or ::1. Nothing is lost or late on it but by its faults, each
 * of which happens once, whichever end looks.
 *
 * There are no Unix sockets on it and no multicast. An open `sock` is adopted as ever, without faults.
 *
 * @param options What goes wrong, the seed, and names of hosts.
 * @returns The network. It holds nothing but what its pipes hold.
 * @throws {TypeError} If an option is of a wrong kind.
 * @throws {RangeError} If a number is out of its range.
 *
 * @example Two hosts on a link that loses a third
 * ```ts
 * import { UDP } from "@p2pd/pipes";
 * import { memoryNetwork } from "@p2pd/pipes/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const net = memoryNetwork({
 *   seed: 7,
 *   upstream: { loss: 1 / 3 },
 *   hosts: { server: "10.0.0.1" },
 * });
 * await using server = await net.pipeOpen(UDP, { route: "10.0.0.1:53" });
 * await using client = await net.pipeOpen(UDP, { dest: "server:53", route: "10.0.0.2:0" });
 * for (let i = 0; i < 300; i++) await client.send(`${i}`);
 * const { passed, lost } = net.counts.upstream;
 * assertEquals([passed, lost], [206, 94]); // in every run
 * assertEquals(server.stats.messagesIn, 206);
 * ```
 */
export function memoryNetwork(options: MemoryNetworkOptions = {}): MemoryNetwork {
  const { hosts = {}, ...faults } = checkOptions(options, "hosts", ...FAULT_OPTIONS);
  const names = namesOf(hosts);
  const control = new FaultControl(faults);
  const streams = faultyDriver(memoryStreams(), control, "both");
  const datagrams = faultyDriver(memoryDatagrams(), control, "both");
  const open = openerOn(control, {
    // deno-lint-ignore require-await -- what it throws is a rejection
    select: withRudp(async (proto, { unix }) => {
      if (unix === true) throw noUnix();
      return proto === UDP ? datagrams : streams;
    }),
    adopt: SYSTEM.adopt,
    // deno-lint-ignore require-await -- what it throws is a rejection
    async lookup(host) {
      const addresses = names.get(host);
      if (addresses !== undefined) return addresses;
      throw new Deno.errors.NotFound(`there is no ${show(host)} on this network in memory`);
    },
  });
  return {
    pipeOpen: open,
    streams,
    datagrams,
    get counts() {
      return control.counts;
    },
    setFaults: (faults) => control.set(faults),
    setLink: (a, b, faults) => control.set(faults, [ipOf(a, "a"), ipOf(b, "b")]),
    cut: (pipe) => control.cut(pipe),
    over: (driver) => faultyDriver(driver, control, "one"),
  };
}

function namesOf(
  hosts: NonNullable<MemoryNetworkOptions["hosts"]>,
): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, readonly string[]>([["localhost", ["127.0.0.1", "::1"]]]);
  for (const [name, addresses] of Object.entries(hosts)) {
    const list = typeof addresses === "string" ? [addresses] : addresses;
    names.set(name.toLowerCase(), list.map((address) => ipOf(address, `hosts.${name}`)));
  }
  return names;
}

function ipOf(text: unknown, what: string): string {
  const ip = typeof text === "string" ? normalizeIp(text) : undefined;
  if (ip === undefined) throw new TypeError(`${what}: an IP address is needed, got ${show(text)}`);
  return ip;
}

function noUnix(): TransportError {
  const cause = new Deno.errors.NotSupported("There are no Unix sockets on a network in memory");
  return new TransportError("failed", cause);
}
