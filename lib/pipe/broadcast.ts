import { Interface } from "../netif/interface.ts";
import { mayReadInterfaces } from "../netif/source.ts";

/** Those that every host has: of the link, and of loopback. */
const EVERYWHERE: readonly string[] = ["255.255.255.255", "127.255.255.255"];

/** Milliseconds after which the cards are read again. */
const FRESH = 5000;

let known: ReadonlySet<string> = new Set();
let until = -Infinity;

/** Whether a datagram to an address goes to everybody, as far as this host's subnets are known. */
export function isKnownBroadcast(hostname: string): boolean {
  if (hostname.includes(":")) return false;
  if (EVERYWHERE.includes(hostname)) return true;
  const now = performance.now();
  if (now >= until) {
    try {
      known = new Set(subnetBroadcasts());
      until = now + FRESH;
    } catch {
      // The system does not tell now, for want of a file handle: what was known is still the best guess.
    }
  }
  return known.has(hostname);
}

/** The last address of each subnet (RFC 919). */
function* subnetBroadcasts(): Iterable<string> {
  if (!mayReadInterfaces()) return;
  for (const { addresses } of Interface.list()) {
    for (const { network: { broadcast } } of addresses) {
      if (broadcast !== undefined) yield String(broadcast);
    }
  }
}
