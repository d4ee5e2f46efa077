import type { ErrorCb, MsgId, WaitOptions } from "./types.ts";
import { show } from "../net/show.ts";

/** Every timeout, limit and socket option of a pipe. Times are milliseconds. */
export interface NetConf {
  /** Longest look-up of a host name; Infinity: as long as the system takes. @default {2000} */
  dnsTimeout: number;
  /** Longest TCP connect, over all addresses tried together; Infinity: the system's. @default {2000} */
  conTimeout: number;
  /**
   * Wait of `recv`, `recvFrom` and `request` when the call names none; 0: only what is there,
   * Infinity: for ever. @default {2000}
   */
  recvTimeout: number;
  /**
   * Messages that may wait unread. At this number a stream stops being read and a datagram queue drops
   * its oldest message; 0: bounded by bytes alone. @default {0}
   */
  maxQsize: number;
  /**
   * Unread bytes at which a stream stops being read; a message counts as 64 bytes at least.
   * (Datagram queues hold 2 MiB, counted in the same way.) @default {65536}
   */
  readerLimit: number;
  /** Connections of a TCP server at a time; the next is turned away and counted. 0: any. @default {0} */
  maxClients: number;
  /** Connections a TCP server holds for `accept` while nothing else consumes them. @default {1024} */
  backlog: number;
  /**
   * Closes a connection or datagram pipe on which no message came or went for so long; noticed up to a
   * quarter later. A `send` that waits for its peer is no message yet. 0: never. @default {0}
   */
  idleTimeout: number;
  /**
   * What `close` does with what `send` was given and the peer has not taken: null waits for it; 0 drops
   * it and resets a TCP connection; a number waits at most so long, then does the same. @default {null}
   */
  linger: number | null;
  /**
   * Requires unique messages: one that its sender has sent before is dropped and counted in
   * `stats.duplicates`. A function takes the id from the message instead of comparing it whole. For
   * datagrams; a byte stream has no messages (see `framing`). @default {false}
   */
  enableMsgIds: boolean | MsgId;
  /**
   * How many messages of each peer `enableMsgIds` remembers; fewer where they and the other peers'
   * would take more than 4 MiB. @default {1000}
   */
  maxMsgIds: number;
  /** How often `request` sends again on silence; datagrams only. @default {2} */
  sendRetry: number;
  /** Lets several sockets listen on one port (TCP: SO_REUSEPORT, UDP: SO_REUSEADDR). @default {false} */
  reuseAddr: boolean;
  /** Allows sending to 255.255.255.255. @default {false} */
  broadcast: boolean;
  /** Lets everybody's datagrams through on a pipe with a `dest`, not its peer's alone. @default {false} */
  anyPeer: boolean;
  /** TCP_NODELAY: small messages leave at once. @default {true} */
  noDelay: boolean;
  /** TCP keep-alive probes. @default {false} */
  keepAlive: boolean;
  /**
   * What a message is on a byte stream. null: a stream has none, so filters by content are refused on
   * it. "raw": whatever one read gave, to filter all the same, although the network may split or join
   * what was sent. @default {null}
   */
  framing: null | "raw";
  /** Receives errors of handlers and links. Never gets payloads. @default {console.error} */
  onError: ErrorCb;
}

/** The defaults of {@linkcode NetConf}, frozen: override them by `conf`, pipe by pipe. */
export const NET_CONF: Readonly<NetConf> = Object.freeze({
  dnsTimeout: 2000,
  conTimeout: 2000,
  recvTimeout: 2000,
  maxQsize: 0,
  readerLimit: 65536,
  maxClients: 0,
  backlog: 1024,
  idleTimeout: 0,
  linger: null,
  enableMsgIds: false,
  maxMsgIds: 1000,
  sendRetry: 2,
  reuseAddr: false,
  broadcast: false,
  anyPeer: false,
  noDelay: true,
  keepAlive: false,
  framing: null,
  onError: (error: unknown) => console.error(error),
});

type Check = (value: unknown, what: string) => void;

/** A duration in milliseconds, Infinity included. */
export const checkMs: Check = (value, what) => {
  if (typeof value !== "number") {
    throw new TypeError(`${what}: a number of milliseconds is needed, got ${show(value)}`);
  }
  if (!(value >= 0)) {
    throw new RangeError(`${what}: must be 0 or more milliseconds, got ${show(value)}`);
  }
};

const count = (least: number): Check => (value, what) => {
  if (typeof value !== "number") {
    throw new TypeError(`${what}: a whole number is needed, got ${show(value)}`);
  }
  if (!Number.isSafeInteger(value) || value < least) {
    throw new RangeError(`${what}: must be a whole number of ${least} or more, got ${show(value)}`);
  }
};

/** A whole number of 0 or more. */
export const checkCount: Check = count(0);

const flag: Check = (value, what) => {
  if (typeof value !== "boolean") {
    throw new TypeError(`${what}: true or false is needed, got ${show(value)}`);
  }
};

/** A function. */
export const checkFunction: Check = (value, what) => {
  if (typeof value !== "function") {
    throw new TypeError(`${what}: a function is needed, got ${show(value)}`);
  }
};

/** The options of a call that waits. */
export function checkWait(options: unknown): WaitOptions {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`options: { timeout?, signal? } is needed, got ${show(options)}`);
  }
  for (const key of Object.keys(options)) {
    if (key !== "timeout" && key !== "signal") {
      throw new TypeError(`options: there is no ${show(key)}, only timeout and signal`);
    }
  }
  const { timeout, signal }: { timeout?: unknown; signal?: unknown } = options;
  if (timeout !== undefined) checkMs(timeout, "timeout");
  checkSignal(signal);
  return options;
}

/** An AbortSignal, or none. */
export function checkSignal(signal: unknown): asserts signal is AbortSignal | undefined {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`signal: an AbortSignal is needed, got ${show(signal)}`);
  }
}

const CHECKS: { readonly [K in keyof NetConf]: Check } = {
  dnsTimeout: checkMs,
  conTimeout: checkMs,
  recvTimeout: checkMs,
  maxQsize: checkCount,
  readerLimit: count(1),
  maxClients: checkCount,
  backlog: count(1),
  idleTimeout: checkMs,
  linger: (value, what) => {
    if (value !== null) checkMs(value, what);
  },
  enableMsgIds: (value, what) => {
    if (typeof value !== "boolean" && typeof value !== "function") {
      throw new TypeError(`${what}: true, false or a function is needed, got ${show(value)}`);
    }
  },
  maxMsgIds: count(1),
  sendRetry: checkCount,
  reuseAddr: flag,
  broadcast: flag,
  anyPeer: flag,
  noDelay: flag,
  keepAlive: flag,
  framing: (value, what) => {
    if (value !== null && value !== "raw") {
      throw new TypeError(`${what}: null or "raw" is needed, got ${show(value)}`);
    }
  },
  onError: checkFunction,
};

function isKey(key: string): key is keyof NetConf {
  return Object.hasOwn(CHECKS, key);
}

/**
 * Checks overrides key by key and lays them over the defaults, leaving the caller's object as it is.
 * A key whose value is undefined keeps its default.
 */
export function resolveConf(overrides: unknown): Readonly<NetConf> {
  if (overrides === undefined) return NET_CONF;
  if (typeof overrides !== "object" || overrides === null) {
    throw new TypeError(`conf: an object is needed, got ${show(overrides)}`);
  }
  const given: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(overrides)) {
    if (!isKey(key)) {
      throw new TypeError(`conf: there is no ${show(key)}; did you mean "${nearest(key)}"?`);
    }
    if (value === undefined) continue;
    CHECKS[key](value, `conf.${key}`);
    given[key] = value;
  }
  return Object.freeze({ ...NET_CONF, ...given });
}

function nearest(key: string): string {
  let best = "";
  let least = Infinity;
  for (const candidate of Object.keys(CHECKS)) {
    const d = distance(key.slice(0, 64).toLowerCase(), candidate.toLowerCase());
    if (d < least) [best, least] = [candidate, d];
  }
  return best;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, swap));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
