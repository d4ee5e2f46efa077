import type { NetConf } from "../pipe/conf.ts";

/**
 * Milliseconds without a packet after which a peer is taken for gone (RFC 9000, section 10.1): QUIC has
 * nobody else who would notice that its process was killed.
 */
const IDLE = 30_000;

/** How often a connection is shown to be alive, so that one in good health lasts; milliseconds. */
const PROBE = 10_000;

/** Streams of the peer's that may be open at a time. */
const STREAMS = 100;

/** What a connection is told of a conf. */
export function transportOptions(
  { keepAlive }: NetConf,
  side: "client" | "server",
): Deno.QuicTransportOptions {
  return {
    maxIdleTimeout: IDLE,
    // One side is enough.
    ...(side === "client" || keepAlive ? { keepAliveInterval: PROBE } : {}),
    maxConcurrentBidirectionalStreams: side === "server" ? STREAMS : 0,
    // One is used, see `control.ts`; peers of HTTP/3 insist on three (RFC 9114, section 6.2).
    maxConcurrentUnidirectionalStreams: 3,
  };
}
