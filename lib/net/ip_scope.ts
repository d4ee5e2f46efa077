/**
 * What kind of address it is, by the registries of special-purpose addresses (RFC 6890, updated by
 * RFC 8190 and by what IANA has registered since), RFC 4291 and RFC 5771.
 *
 * @module
 */
import type { Family } from "../pipe/types.ts";
import { bitsOf, readSpan, type Span } from "./ip_span.ts";

/**
 * Where an address holds. "shared" is 100.64.0.0/10, behind the NAT of a provider (RFC 6598); "ula" is
 * fc00::/7 (RFC 4193); "reserved" is everything that nobody can be reached at and that has no word of
 * its own; "mixed" is a range of more than one kind.
 */
export type IpScope =
  | "private"
  | "loopback"
  | "link-local"
  | "ula"
  | "shared"
  | "documentation"
  | "multicast"
  | "reserved"
  | "global"
  | "mixed";

/** Where blocks overlap the smaller one counts, as in the registries. */
const BLOCKS: Readonly<Record<Family, ReadonlyArray<readonly [IpScope, string]>>> = {
  IPv4: [
    ["global", "0.0.0.0/0"],
    ["reserved", "0.0.0.0/8"], // this network, RFC 791
    ["private", "10.0.0.0/8"], // RFC 1918
    ["shared", "100.64.0.0/10"], // RFC 6598
    ["loopback", "127.0.0.0/8"], // RFC 1122
    ["link-local", "169.254.0.0/16"], // RFC 3927
    ["private", "172.16.0.0/12"], // RFC 1918
    ["reserved", "192.0.0.0/24"], // protocol assignments, RFC 6890
    ["global", "192.0.0.9/32"], // PCP anycast, RFC 7723
    ["global", "192.0.0.10/32"], // TURN anycast, RFC 8155
    ["documentation", "192.0.2.0/24"], // RFC 5737
    ["reserved", "192.88.99.0/24"], // 6to4 relays, withdrawn by RFC 7526
    ["private", "192.168.0.0/16"], // RFC 1918
    ["reserved", "198.18.0.0/15"], // benchmarks, RFC 2544
    ["documentation", "198.51.100.0/24"], // RFC 5737
    ["documentation", "203.0.113.0/24"], // RFC 5737
    ["multicast", "224.0.0.0/4"], // RFC 5771
    ["reserved", "240.0.0.0/4"], // RFC 1112; 255.255.255.255, RFC 919
  ],
  IPv6: [
    ["reserved", "::/0"], // what RFC 4291 assigns to nothing
    ["global", "2000::/3"], // RFC 4291
    ["loopback", "::1/128"], // RFC 4291
    ["mixed", "::ffff:0:0/96"], // v4-mapped: whatever the IPv4 address is
    ["global", "64:ff9b::/96"], // NAT64, RFC 6052
    ["reserved", "2001::/23"], // protocol assignments, RFC 2928; Teredo, RFC 4380
    ["global", "2001:1::1/128"], // PCP anycast, RFC 7723
    ["global", "2001:1::2/128"], // TURN anycast, RFC 8155
    ["global", "2001:1::3/128"], // DNS-SD service registration anycast, RFC 9665
    ["global", "2001:3::/32"], // AMT, RFC 7450
    ["global", "2001:4:112::/48"], // AS112, RFC 7535
    ["global", "2001:20::/28"], // ORCHIDv2, RFC 7343
    ["global", "2001:30::/28"], // drone remote ID, RFC 9374
    ["documentation", "2001:db8::/32"], // RFC 3849
    ["reserved", "2002::/16"], // 6to4, RFC 3056, its relays withdrawn by RFC 7526
    ["documentation", "3fff::/20"], // RFC 9637
    ["ula", "fc00::/7"], // RFC 4193
    ["link-local", "fe80::/10"], // RFC 4291
    ["multicast", "ff00::/8"], // RFC 4291
  ],
};

/** From `start` up to the next one's start every address has the scope. */
interface Segment {
  readonly start: bigint;
  readonly scope: IpScope;
}

/** Cuts the space of a family where a block begins or ends, so that the pieces do not overlap. */
function segmentsOf(family: Family): readonly Segment[] {
  const blocks = BLOCKS[family].map(([scope, text]) => ({ scope, ...readSpan(text, "block") }));
  const cuts = new Set<bigint>();
  for (const { value, size } of blocks) cuts.add(value).add(value + size);
  cuts.delete(1n << BigInt(bitsOf(family)));
  const segments: Segment[] = [];
  for (const start of [...cuts].sort((a, b) => a < b ? -1 : 1)) {
    let smallest;
    for (const block of blocks) {
      if (start < block.value || start >= block.value + block.size) continue;
      if (!smallest || block.size < smallest.size) smallest = block;
    }
    const scope = smallest?.scope ?? "reserved";
    if (segments.at(-1)?.scope !== scope) segments.push({ start, scope });
  }
  return segments;
}

/** Made when first needed. */
const known = new Map<Family, readonly Segment[]>();

/**
 * The scope of addresses.
 *
 * @param span The addresses; v4-mapped ones count as IPv4.
 * @returns Their scope, "mixed" if they have different ones.
 */
export function scopeOf(span: Span): IpScope {
  const { family, value, size } = span;
  const last = value + size - 1n;
  if (family === "IPv6" && value >> 32n === 0xffffn && last >> 32n === 0xffffn) {
    return scopeOf({ family: "IPv4", value: value & 0xffff_ffffn, size, zone: "" });
  }
  let segments = known.get(family);
  if (!segments) known.set(family, segments = segmentsOf(family));
  let scope: IpScope | undefined;
  for (let i = segments.length - 1; i >= 0; i--) {
    const segment = segments[i];
    if (!segment || segment.start > last) continue;
    if (scope !== undefined) return "mixed";
    scope = segment.scope;
    if (segment.start <= value) return scope;
  }
  return "mixed";
}
