/** Milliseconds, bytes per second and probabilities of what goes wrong in one direction. */
export interface Faults {
  /**
   * Milliseconds by which everything arrives later, the end of a stream included. Opening a TCP
   * connection takes a round trip of it. @default {0}
   */
  readonly latency?: number | undefined;
  /**
   * Milliseconds by which `latency` varies, evenly, up and down, but not below 0. A stream keeps its
   * order, datagrams overtake each other. @default {0}
   */
  readonly jitter?: number | undefined;
  /**
   * Bytes per second, for each connection or datagram socket. What a stream sends waits, and so does its
   * `send`; datagrams queue. @default {Infinity}
   */
  readonly bandwidth?: number | undefined;
  /** Datagrams: bytes that wait for `bandwidth` before more is dropped. @default {65536} */
  readonly queue?: number | undefined;
  /**
   * Datagrams: the probability that one is lost, or a function that says whether: it gets the bytes and
   * the number of the datagram on its socket, from 0. @default {0}
   */
  readonly loss?: number | ((data: Uint8Array, index: number) => boolean) | undefined;
  /** Datagrams: the probability that one comes twice. @default {0} */
  readonly duplication?: number | undefined;
  /**
   * Datagrams: the probability that one comes after the next one, or 20 ms later if none follows it.
   *
   * @default {0}
   */
  readonly reordering?: number | undefined;
  /** The probability that one bit of a datagram, or of a byte of a stream, is another. @default {0} */
  readonly corruption?: number | undefined;
  /**
   * Streams: cut into pieces. What is read has no piece longer than these; what is sent goes out piece by
   * piece, which the system may join again unless there is a `delay`. @default {as they come}
   */
  readonly slicing?: Slicing | undefined;
  /** Streams: milliseconds by which the end arrives later. @default {0} */
  readonly slowEnd?: number | undefined;
  /** Streams: where and how the connection breaks. @default {nowhere} */
  readonly cut?: Cut | undefined;
}

/** How a stream is cut into pieces. */
export interface Slicing {
  /** Bytes of a piece. */
  readonly size: number;
  /** Bytes by which the size varies, evenly, up and down. Less than `size`. @default {0} */
  readonly variation?: number | undefined;
  /** Milliseconds from one piece to the next. @default {0} */
  readonly delay?: number | undefined;
}

/** How a connection breaks. */
export interface Cut {
  /**
   * "reset": as if either peer had reset it. "end": as if each peer had closed it. "stall": it stays
   * open and nothing more arrives in this direction, until there is another `cut` or none.
   */
  readonly how: "reset" | "end" | "stall";
  /** After so many bytes in this direction, counted from the open: these still arrive. */
  readonly bytes?: number | undefined;
  /**
   * After so many milliseconds from the open, or since the fault is there: what is under way is lost.
   * Without `bytes` and `ms` it is at once.
   */
  readonly ms?: number | undefined;
}

/** What goes wrong between a client and a server. */
export interface PathFaults {
  /** From the client to the server. */
  readonly upstream?: Faults | undefined;
  /** From the server to the client. */
  readonly downstream?: Faults | undefined;
  /**
   * Nobody is there: connections are refused, open ones are reset, datagrams are lost.
   *
   * @default {false}
   */
  readonly down?: boolean | undefined;
}

/** {@linkcode PathFaults} that are the same in every run. */
export interface FaultOptions extends PathFaults {
  /**
   * A whole number. The same number gives the same faults to the same traffic. Each fault has, for each
   * connection and direction, a sequence of its own: one fault more does not change the others.
   *
   * @default {1}
   */
  readonly seed?: number | undefined;
}

/** What was done in one direction, on all connections and sockets together. */
export interface FaultCounts {
  /** Datagrams, or pieces of streams, that were let through, copies included. */
  readonly passed: number;
  /** The bytes of these. */
  readonly bytes: number;
  /** Datagrams lost. */
  readonly lost: number;
  /** Datagrams dropped because more waited than `queue`, or 16 MiB were under way. */
  readonly overflowed: number;
  /** Datagrams that came twice. */
  readonly duplicated: number;
  /** Datagrams that came after the next one because of `reordering`. */
  readonly reordered: number;
  /** Datagrams, or bytes of streams, with a bit that is another. */
  readonly corrupted: number;
  /** Connections that were broken, or stalled. */
  readonly cuts: number;
}

/** {@linkcode FaultCounts} of each direction. */
export interface PathCounts {
  /** From clients to servers. */
  readonly upstream: FaultCounts;
  /** From servers to clients. */
  readonly downstream: FaultCounts;
}

/** The faults that only one kind of transport can have. */
export const ONLY: Readonly<Partial<Record<keyof Faults, "stream" | "datagram">>> = {
  queue: "datagram",
  loss: "datagram",
  duplication: "datagram",
  reordering: "datagram",
  slicing: "stream",
  slowEnd: "stream",
  cut: "stream",
};
