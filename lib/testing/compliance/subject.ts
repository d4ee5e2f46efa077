import type { NetAddr } from "../../pipe/types.ts";
import type { Driver } from "../../transport/transport.ts";

/** A driver for connections, and where to try it. */
export interface StreamSubject {
  /** That it is for connections. */
  readonly kind: "stream";
  /** What is tried: it listens, and what it accepted is one end of every pair. */
  readonly driver: Driver;
  /** What connects, and makes the other end. @default {driver} */
  readonly peer?: Driver;
  /** An address of this host, of either family, that it can be at. */
  readonly host: string;
  /** Where to listen, if that is no IP address: another place each time. @default {at host} */
  readonly place?: () => NetAddr;
  /**
   * What the ends of a connection are called: by IP addresses; the one that listens by its path; or not
   * at all. @default {"ip"}
   */
  readonly names?: "ip" | "path" | "none";
  /** What the ports of its addresses belong to. @default {"tcp"} */
  readonly transport?: "tcp" | "udp";
  /** Whether `abort` of the peer resets the connection. @default {false} */
  readonly resets?: boolean;
  /** Whether listening at "::" brings IPv4 connections too. @default {false} */
  readonly dual?: boolean;
}

/** A driver for datagrams, and where to try it. */
export interface DatagramSubject {
  /** That it is for datagrams. */
  readonly kind: "datagram";
  /** What is tried. */
  readonly driver: Driver;
  /** An address of this host, of either family, that it can be at. */
  readonly host: string;
  /** Whether a socket at "::" is heard by IPv4 peers and hears them. @default {false} */
  readonly dual?: boolean;
}

/** One thing that every driver of a kind owes. */
export interface Obligation<S> {
  /** What, in the words of a promise. */
  readonly name: string;
  /** Whether it applies. @default {always} */
  readonly applies?: (subject: S) => boolean;
  /** Rejects if the promise is broken. */
  readonly check: (subject: S) => Promise<void>;
}
