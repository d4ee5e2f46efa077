/**
 * STUN (RFC 8489): under which address others see us. A codec without sockets, requests that are sent
 * again and answers that are checked, and a client over any pipe: UDP, TCP or TLS; and what kind of NAT
 * is in the way (RFC 5780). No server is asked but those that you name.
 *
 * @example
 * ```ts
 * import { getMapping } from "@p2pd/pipes/stun";
 * import { serveStun } from "@p2pd/pipes/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await serveStun(); // in earnest: { server: "stun:stun.example.org" }
 * const { mapped } = await getMapping({ server: server.addr });
 * assertEquals(mapped.hostname, "127.0.0.1");
 * ```
 *
 * @module
 */
export type { AttributeType, StunAddress } from "./attribute.ts";
export type { PasswordAlgorithm, StunChange, StunErrorCode } from "./attribute_parts.ts";
export { ATTRIBUTES, type StunAttributes } from "./attributes.ts";
export { classicName } from "./behaviour/classic_name.ts";
export { type BehaviourOptions, getBehaviour } from "./behaviour/get_behaviour.ts";
export type { LifetimeOptions } from "./behaviour/lifetime.ts";
export type { BehaviourProgress } from "./behaviour/progress.ts";
export type {
  BehaviourAspect,
  BindingLifetime,
  ClassicNatName,
  MappingObservation,
  NatBehaviour,
  NatDependence,
  NatFiltering,
  NatMapping,
  PortStep,
} from "./behaviour/types.ts";
export { StunClient, type StunClientOptions, type StunRequestOptions } from "./client.ts";
export { type StunAlternate, StunError, type StunErrorOptions, type StunFault } from "./error.ts";
export { getMapping, type GetMappingOptions, type StunOptions } from "./get_mapping.ts";
export {
  getMappings,
  type GetMappingsOptions,
  type Mappings,
  type StunFailure,
} from "./get_mappings.ts";
export {
  hasIntegrity,
  type IntegrityHash,
  type KeyAlgorithm,
  longTermKey,
  type LongTermKeyOptions,
  shortTermKey,
  userHash,
  withIntegrity,
} from "./integrity.ts";
export type { StunCredentials } from "./long_term.ts";
export type { Mapping } from "./mapping.ts";
export {
  type DecodeOptions,
  type RawAttribute,
  type StunClass,
  StunMessage,
  type StunMessageOptions,
} from "./message.ts";
export type { ResolveInterfaceOptions } from "./resolve_nic.ts";
export { PUBLIC_STUN_SERVERS } from "./servers.ts";
export type { StunAnswer, StunStats } from "./session.ts";
export type { SrvLookup, SrvRecord } from "./srv.ts";
export { RFC8489_TIMING, SHORT_TIMING, type StunTiming } from "./timing.ts";
export type { StunServerName } from "./uri.ts";
