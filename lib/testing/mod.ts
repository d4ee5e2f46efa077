/**
 * Helpers to test programs that use `@p2pd/pipes`: a network in memory, faults on demand, the promises
 * of a transport as test cases, and a STUN server.
 *
 * @example
 * ```ts
 * import { getMapping } from "@p2pd/pipes/stun";
 * import { serveStun } from "@p2pd/pipes/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await serveStun({ drop: 1 }); // the first request is lost
 * const { mapped } = await getMapping({ server: server.addr });
 * assertEquals([mapped.hostname, server.requests], ["127.0.0.1", 2]);
 * ```
 *
 * @module
 */
export type { DatagramSubject, StreamSubject } from "./compliance/subject.ts";
export { type ComplianceCase, transportCompliance } from "./compliance/transport_compliance.ts";
export type {
  Cut,
  FaultCounts,
  FaultOptions,
  Faults,
  PathCounts,
  PathFaults,
  Slicing,
} from "./faults/faults.ts";
export { type FaultSwitch, type FaultyNetwork, faultyNetwork } from "./faults/faulty_network.ts";
export { type FaultProxy, faultProxy, type FaultProxyOptions } from "./fault_proxy.ts";
export { type MemoryNetwork, memoryNetwork, type MemoryNetworkOptions } from "./memory_network.ts";
export type { StunServerCredentials } from "./stun_guard.ts";
export {
  serveStun,
  type StunServer,
  type StunServerMode,
  type StunServerOptions,
} from "./stun_server.ts";
export { type Fault, TransportError } from "../transport/error.ts";
export type {
  Acceptor,
  Driver,
  DriverOptions,
  Reliability,
  SendReport,
  Sink,
  Transport,
} from "../transport/transport.ts";
export type { StunAddress, StunErrorCode } from "../stun/mod.ts";
