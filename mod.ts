/**
 * One object for every way of moving bytes between two machines: TCP or UDP, IPv4 or IPv6, client or
 * server. Messages are handled as they arrive, or queued and awaited; pipes link to each other.
 *
 * @example An echo server, the same for TCP and UDP, and a client
 * ```ts
 * import { pipeOpen, UDP } from "@p2pd/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await pipeOpen(UDP, { route: "127.0.0.1:0" });
 * const serving = (async () => {
 *   // it rejects when the client has left or cannot be reached, which would end the loop
 *   for await (const [msg, from] of server) await server.send(msg, from).catch(console.error);
 * })();
 *
 * await using client = await pipeOpen(UDP, { dest: server.localAddr });
 * const [reply] = await client.request("hello");
 * assertEquals(new TextDecoder().decode(reply), "hello");
 *
 * await server.close();
 * await serving; // the loop ends with the pipe
 * ```
 *
 * @module
 */
export { type Capabilities, capabilities, type Capability } from "./lib/capabilities.ts";
export {
  type OpenPhase,
  PipeClosedError,
  PipeError,
  type PipeErrorOptions,
  PipeOpenError,
  PipeStateError,
  PipeTimeoutError,
  ResolveError,
} from "./lib/errors.ts";
export { delimiter } from "./lib/framing/delimiter.ts";
export type { Frame, Framing, FramingOptions } from "./lib/framing/framing.ts";
export { jsonLines } from "./lib/framing/json_lines.ts";
export { lengthPrefixed } from "./lib/framing/length_prefixed.ts";
export { lines } from "./lib/framing/lines.ts";
export { netstring } from "./lib/framing/netstring.ts";
export { formatAddr } from "./lib/net/address.ts";
export { IpRange, type IpRangeOptions, type IpScope } from "./lib/net/ip_range.ts";
export type { Lookup } from "./lib/net/resolve.ts";
export type { Card, InterfaceJson } from "./lib/netif/card.ts";
export type { InterfaceAddress } from "./lib/netif/card_address.ts";
export type { Candidate, Gateway } from "./lib/netif/choose.ts";
export {
  Daemon,
  type DaemonCloseOptions,
  type DaemonListening,
  type DaemonListenOptions,
  type DaemonOptions,
} from "./lib/netif/daemon.ts";
export type { DefaultRoute } from "./lib/netif/default_route.ts";
export {
  type DefaultInterfaceOptions,
  Interface,
  type InterfaceOptions,
  listInterfaces,
} from "./lib/netif/interface.ts";
export type { InterfaceKind } from "./lib/netif/kind.ts";
export { pickRoute } from "./lib/netif/pick_route.ts";
export {
  type BindOptions,
  type Bound,
  Route,
  type RouteJson,
  type RouteOptions,
} from "./lib/netif/route.ts";
export { RoutePool } from "./lib/netif/route_pool.ts";
export type { InterfaceSource, InterfaceSourceLike } from "./lib/netif/source.ts";
export type { InterfaceChange, NamedAddress, WatchInterfacesOptions } from "./lib/netif/watch.ts";
export { NET_CONF, type NetConf } from "./lib/pipe/conf.ts";
export type { MulticastConf } from "./lib/pipe/multicast_conf.ts";
export type { TlsConf } from "./lib/pipe/tls_conf.ts";
export { SUB_ALL } from "./lib/pipe/filter.ts";
export { pipeOpen } from "./lib/pipe/open.ts";
export { QUIC, RUDP, TCP, UDP } from "./lib/pipe/proto.ts";
export { MessageQueue } from "./lib/pipe/queue.ts";
export type { MessageQueueOptions, Overflow } from "./lib/pipe/queue_options.ts";
export type { Pipe, ServerPipe } from "./lib/pipe/pipe_types.ts";
export type {
  CloseInfo,
  Dest,
  EndCb,
  ErrorCb,
  Family,
  LinkOptions,
  Message,
  MsgCb,
  MsgId,
  NetAddr,
  PipeStats,
  Proto,
  RequestOptions,
  Sub,
  Subscription,
  UpCb,
  WaitOptions,
} from "./lib/pipe/types.ts";
export type {
  OpenConn,
  OpenListener,
  OpenSocket,
  PipeOptions,
  RawOptions,
  RawSocket,
  StreamPair,
} from "./lib/pipe/pipe_options.ts";
export type { PeerCertificate, TlsInfo } from "./lib/pipe/tls_info.ts";
