/**
 * The protocols, and what follows from the choice of one.
 *
 * @module
 */
import type { Proto } from "./types.ts";

/** TCP, for `pipeOpen`. */
export const TCP = "tcp" as const;
/** UDP, for `pipeOpen`. */
export const UDP = "udp" as const;
/** QUIC (RFC 9000): streams over UDP, for `pipeOpen`. Needs `--unstable-net`. */
export const QUIC = "quic" as const;
/** UDP with acknowledged datagrams, for `pipeOpen`. */
export const RUDP = "rudp" as const;

/** What is the same for all pipes of a protocol. */
interface ProtoFacts {
  /** What its ports belong to. */
  readonly transport: "tcp" | "udp";
  /** Whether a server has a connection for each peer, or one socket for all. */
  readonly connects: boolean;
  /** Whether TLS is a part of it, and no layer on top. */
  readonly secure: boolean;
  /** Its number in the IP header (RFC 9293, RFC 768). */
  readonly ipProtocol: 6 | 17;
}

/** All protocols. */
export const PROTOS: Readonly<Record<Proto, ProtoFacts>> = {
  tcp: { transport: "tcp", connects: true, secure: false, ipProtocol: 6 },
  udp: { transport: "udp", connects: false, secure: false, ipProtocol: 17 },
  quic: { transport: "udp", connects: true, secure: true, ipProtocol: 17 },
  rudp: { transport: "udp", connects: false, secure: false, ipProtocol: 17 },
};

/** Whether a value names a protocol. */
export function isProto(value: unknown): value is Proto {
  return typeof value === "string" && Object.hasOwn(PROTOS, value);
}

/** For messages: `"tcp", "udp"` and so on. */
export const PROTO_NAMES: string = Object.keys(PROTOS).map((name) => `"${name}"`).join(", ");
