/**
 * Helpers to test programs that use `@p2pd/pipes` without a network: for now a STUN server.
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
export type { StunServerCredentials } from "./stun_guard.ts";
export {
  serveStun,
  type StunServer,
  type StunServerMode,
  type StunServerOptions,
} from "./stun_server.ts";
export type { StunAddress, StunErrorCode } from "../stun/mod.ts";
