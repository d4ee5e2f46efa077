/**
 * Application protocols (ALPN, RFC 7301), which every QUIC connection has to agree on, and by which two
 * sides of this library find out about each other: each protocol is offered with a mark, and then without
 * it for everybody else.
 *
 * @module
 */

/** The protocol where `conf.useSsl` names none. */
const DEFAULT = "p2pd";

const MARK = "/pipes";

/** RFC 7301, section 3.1. */
const LONGEST = 255;

/** What to offer, or to accept, for what a conf names. */
export function offer(protocols: readonly string[] = [DEFAULT]): string[] {
  const size = (protocol: string) => new TextEncoder().encode(protocol).length;
  const marked = (protocol: string) => size(protocol + MARK) > LONGEST ? [] : [protocol + MARK];
  return protocols.flatMap((protocol) => [...marked(protocol), protocol]);
}

/** What was agreed on, in the words of the conf, and whether the peer is this library. */
export function agreed(protocol: string): { readonly name: string; readonly own: boolean } {
  const own = protocol.endsWith(MARK);
  return { name: own ? protocol.slice(0, -MARK.length) : protocol, own };
}
