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
 *   for await (const [msg, from] of server) await server.send(msg, from);
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
export { formatAddr } from "./lib/net/address.ts";
export { NET_CONF, type NetConf } from "./lib/pipe/conf.ts";
export { SUB_ALL } from "./lib/pipe/filter.ts";
export { pipeOpen } from "./lib/pipe/open.ts";
export { TCP, UDP } from "./lib/pipe/options.ts";
export { MessageQueue, type MessageQueueOptions, type Overflow } from "./lib/pipe/queue.ts";
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
  Pipe,
  PipeOptions,
  PipeStats,
  Proto,
  RequestOptions,
  ServerPipe,
  Sub,
  Subscription,
  UpCb,
  WaitOptions,
} from "./lib/pipe/types.ts";
