import type { Framing } from "../framing/framing.ts";
import type { IpRange } from "../net/ip_range.ts";
import { parseRanges } from "../net/ip_rules.ts";
import { show } from "../net/show.ts";
import type { Lookup } from "../net/resolve.ts";
import { checkCount, checkFunction, checkMs, count, flag } from "./checks.ts";
import { checkFraming } from "./framing_conf.ts";
import { checkMulticast, type MulticastConf } from "./multicast_conf.ts";
import { type TlsConf, tlsConf } from "./tls_conf.ts";
import type { ErrorCb, MsgId } from "./types.ts";

/** Every timeout, limit and socket option of a pipe. Times are milliseconds. */
export interface NetConf {
  /**
   * Longest look-up of a host name; Infinity: as long as the system takes. 0 is no time: only what is
   * answered in the same moment counts. Addresses need no look-up. @default {2000}
   */
  dnsTimeout: number;
  /**
   * Looks host names up in the system's place: gives all addresses of a name, best first. Bounded by
   * `dnsTimeout` as well. @default {null}
   */
  lookup: Lookup | null;
  /**
   * Longest TCP or QUIC connect, over all addresses tried together; Infinity: the system's. 0 is no time:
   * at best a connect within this host succeeds. QUIC's handshake is a part of it. @default {2000}
   */
  conTimeout: number;
  /**
   * TLS (RFC 8446, RFC 5246) on a TCP pipe. true: a client that verifies its peer by the system's or
   * Deno's certificate authorities and the name in `dest`; a {@linkcode TlsConf} says more, and is
   * needed for a server, which must have a certificate. QUIC is never without: its clients take false
   * for true. @default {false}
   */
  useSsl: boolean | TlsConf;
  /**
   * Longest TLS handshake, on either side; Infinity: as long as the peer takes. 0 is no time: hardly
   * any succeeds. On a server it costs a peer that never finishes it no more than its own connection.
   * @default {4000}
   */
  sslHandshake: number;
  /** The number of the protocol: 0 for whichever it is, 6 for TCP, 17 for UDP. @default {0} */
  sockProto: number;
  /**
   * Wait of `recv`, `recvFrom`, `readExactly`, `readUntil` and `request` when the call names none; 0: only
   * what is there, Infinity: for ever. Loops, streams and `accept` wait for ever. @default {2000}
   */
  recvTimeout: number;
  /**
   * Messages that may wait unread. At this number a stream or RUDP pipe stops being read and a queue of
   * other datagrams drops its oldest message; 0: bounded by bytes alone. @default {0}
   */
  maxQsize: number;
  /**
   * Unread bytes at which a stream or RUDP pipe stops being read; a message counts as 64 bytes at least.
   * (Queues of other datagrams hold 2 MiB, counted in the same way.) @default {65536}
   */
  readerLimit: number;
  /**
   * Opens the socket and gives it back raw, as the platform has it: owned by the caller, and no pipe is
   * made. @default {false}
   */
  sockOnly: boolean;
  /**
   * Closes the socket, given or made, when the open fails after there was one. false leaves it open and
   * hands it over as `sock` of the error. @default {true}
   */
  doClose: boolean;
  /**
   * Connections of a TCP server, or streams and connections of a QUIC server, at a time; the next is
   * turned away and counted. With TLS a handshake under way counts, too, but gives way to a newer one,
   * and with QUIC a connection without a stream. 0: any. @default {0}
   */
  maxClients: number;
  /**
   * Connections a TCP server, or streams a QUIC server, holds for `accept` while nothing else consumes
   * them; also TLS handshakes at a time, of which one more pushes out the oldest. On a QUIC server
   * connections without a stream count with the handshakes, and the oldest of these is pushed out; where
   * there is none the newcomer is refused. @default {1024}
   */
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
  /**
   * How long an RUDP message is sent again and again, from the first time on, before its `send` rejects;
   * at most 60000, since receivers do not remember for ever what they had. @default {10000}
   */
  ackTimeout: number;
  /** Lets several sockets listen on one port (TCP: SO_REUSEPORT, UDP: SO_REUSEADDR). @default {false} */
  reuseAddr: boolean;
  /**
   * Allows sending to 255.255.255.255 and to the broadcast address of a subnet that this host is known
   * to be in (which needs `--allow-sys=networkInterfaces` to be known; loopback's always is).
   * @default {false}
   */
  broadcast: boolean;
  /** Groups that a UDP pipe hears; it leaves them when it closes. @default {null} */
  multicast: MulticastConf | readonly MulticastConf[] | null;
  /**
   * Whom a server hears, as addresses or blocks of them ("10.0.0.0/8"): connections and datagrams of
   * anybody else are turned away and counted in `stats.refused`. null: everybody. @default {null}
   */
  allow: readonly (string | IpRange)[] | null;
  /** Whom a server does not hear, whatever `allow` says. null: nobody. @default {null} */
  deny: readonly (string | IpRange)[] | null;
  /** Lets everybody's datagrams through on a pipe with a `dest`, not its peer's alone. @default {false} */
  anyPeer: boolean;
  /** TCP_NODELAY: small messages leave at once. @default {true} */
  noDelay: boolean;
  /**
   * TCP keep-alive probes. A QUIC client always probes, every 10 s, and either side takes the other for
   * gone after 30 s without a packet; on a QUIC server this makes it probe, too. @default {false}
   */
  keepAlive: boolean;
  /**
   * What a message is on a byte stream (TCP, TLS, Unix, QUIC): a {@linkcode Framing}, as
   * {@linkcode lines} and others make it. Handlers, queues, patterns, links and `request` then get whole
   * messages, and `send` sends one. null: a stream has none, so filters by content are refused on it.
   * "raw": whatever one read gave, to filter all the same, although the network may split or join what
   * was sent. @default {null}
   */
  framing: null | "raw" | Framing;
  /**
   * Lends long reads of a byte stream to the handlers or the loop that alone get them, instead of giving
   * them away: the bytes are valid until what the handlers returned has settled, or until that loop asks
   * for the next, and are then read over. Halves the CPU time of receiving for whoever hashes, counts or
   * writes what streams in, and may keep another 128 KiB for a connection. Copy (`slice`) what you keep,
   * and return or await every `send` of it. Concerns TCP and Unix sockets without TLS and framing, where
   * a read fills half of a buffer (32 KiB of 64).
   *
   * Who asks a loop for its next step is done with all of its earlier ones. Leave this off, or copy each
   * message first, where a step is asked for before the last one is used: by a prefetch of your own, by
   * several who share an iterator, by a generator that runs ahead, or by a web stream made of the loop
   * that holds pieces ready (a `pull` of your own, `tee`).
   *
   * A handler of `subscribe(sub, handler)` is a handler like the others: all of them get the same lent
   * memory. What `recv`, `readExactly`, `readUntil`, `readable` and subscriptions without a handler give
   * is theirs to keep. @default {false}
   */
  reuseBuffers: boolean;
  /**
   * Receives the errors that no caller gets: of handlers, links, accepting and, on a server, handshakes.
   * Never gets payloads. @default {console.error}
   */
  onError: ErrorCb;
}

/** The defaults of {@linkcode NetConf}, frozen: override them by `conf`, pipe by pipe. */
export const NET_CONF: Readonly<NetConf> = Object.freeze({
  dnsTimeout: 2000,
  lookup: null,
  conTimeout: 2000,
  useSsl: false,
  sslHandshake: 4000,
  sockProto: 0,
  recvTimeout: 2000,
  maxQsize: 0,
  readerLimit: 65536,
  sockOnly: false,
  doClose: true,
  maxClients: 0,
  backlog: 1024,
  idleTimeout: 0,
  linger: null,
  enableMsgIds: false,
  maxMsgIds: 1000,
  sendRetry: 2,
  ackTimeout: 10_000,
  reuseAddr: false,
  broadcast: false,
  multicast: null,
  allow: null,
  deny: null,
  anyPeer: false,
  noDelay: true,
  keepAlive: false,
  framing: null,
  reuseBuffers: false,
  onError: (error: unknown) => console.error(error),
});

/** Throws where the value is wrong; what it returns, if anything, takes the value's place. */
type ConfCheck = (value: unknown, what: string) => unknown;

const CHECKS: { readonly [K in keyof NetConf]: ConfCheck } = {
  dnsTimeout: checkMs,
  lookup: (value, what) => {
    if (value !== null) checkFunction(value, what);
  },
  conTimeout: checkMs,
  useSsl: tlsConf,
  sslHandshake: checkMs,
  sockProto: (value, what) => {
    checkCount(value, what);
    if (value !== 0 && value !== 6 && value !== 17) {
      throw new RangeError(
        `${what}: Deno has sockets for TCP (6) and UDP (17) only, none for protocol ${show(value)}`,
      );
    }
  },
  recvTimeout: checkMs,
  maxQsize: checkCount,
  readerLimit: count(1),
  sockOnly: flag,
  doClose: flag,
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
  ackTimeout: (value, what) => {
    checkMs(value, what);
    if (typeof value !== "number" || value < 1 || value > 60_000) {
      throw new RangeError(`${what}: must be 1 to 60000 milliseconds, got ${show(value)}`);
    }
  },
  reuseAddr: flag,
  broadcast: flag,
  multicast: checkMulticast,
  allow: (value, what) => value === null ? null : parseRanges(value, what),
  deny: (value, what) => value === null ? null : parseRanges(value, what),
  anyPeer: flag,
  noDelay: flag,
  keepAlive: flag,
  framing: checkFraming,
  reuseBuffers: flag,
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
      throw new TypeError(`conf: there is no ${show(key)}; ${hint(key)}`);
    }
    if (value === undefined) continue;
    given[key] = CHECKS[key](value, `conf.${key}`) ?? value;
  }
  return Object.freeze({ ...NET_CONF, ...given });
}

/** Which key may have been meant: the nearest one, if half of it is right. */
function hint(key: string): string {
  let best = "";
  let least = Infinity;
  for (const candidate of Object.keys(CHECKS)) {
    const d = distance(key.slice(0, 64).toLowerCase(), candidate.toLowerCase());
    if (d < least) [best, least] = [candidate, d];
  }
  return 2 * least <= best.length ? `did you mean "${best}"?` : "NET_CONF has all that there are";
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
