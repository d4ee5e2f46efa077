import type { NetAddr } from "../../lib/pipe/types.ts";
import type { Driver } from "../../lib/transport/transport.ts";

/** An adapter for connections, and where to try it. */
export interface StreamSubject {
  readonly kind: "stream";
  /** What is tried: it listens, and what it accepted is one end of every pair. */
  readonly driver: Driver;
  /** What connects, and makes the other end. @default {driver} */
  readonly peer?: Driver;
  /** Loopback address, of either family. */
  readonly host: string;
  /** Where to listen, if that is no IP address: another place each time. @default {at host} */
  readonly place?: () => NetAddr;
  /**
   * What the ends of a connection are called: by IP addresses; the one that listens by its path; or not
   * at all. @default {"ip"}
   */
  readonly names?: "ip" | "path" | "none";
  /** Whether `abort` of the peer resets the connection. */
  readonly resets: boolean;
  /** Whether listening at "::" brings IPv4 connections too. */
  readonly dual: boolean;
}

/** An adapter for datagrams, and where to try it. */
export interface DatagramSubject {
  readonly kind: "datagram";
  /** What is tried. */
  readonly driver: Driver;
  /** Loopback address, of either family. */
  readonly host: string;
  /** Whether a socket at "::" is heard by IPv4 peers and hears them. */
  readonly dual: boolean;
}

/** One thing that every adapter of a kind owes. */
export interface Obligation<S> {
  /** What, in the words of a promise. */
  readonly name: string;
  /** Whether it applies. @default {always} */
  readonly applies?: (subject: S) => boolean;
  /** Rejects if the promise is broken. */
  readonly check: (subject: S) => Promise<void>;
}
