import { formatIp, isMulticast, parseIp, unmapIp } from "../net/ip.ts";
import { show } from "../net/show.ts";

/**
 * A multicast group to join, as `conf.multicast`. To send to a group nothing needs to be joined: by which
 * card a pipe sends, tells for IPv4 the address in its `route`, for IPv6 the zone of the group in `dest`
 * (`[ff02::fb%eth0]:5353`) or of a link-local address in `route`. Otherwise the system chooses.
 */
export interface MulticastConf {
  /**
   * The group: an IPv4 (RFC 5771) or IPv6 (RFC 4291, section 2.7) multicast address. A zone in it,
   * `ff02::fb%eth0`, is another way to name the interface.
   */
  readonly group: string;
  /**
   * The network card to hear it on: its name, its index, or for an IPv4 group an IPv4 address of it.
   * Finding one by name needs `--allow-sys=networkInterfaces`, and so does the index for an IPv4 group
   * and, without `--unstable-net`, for an IPv6 one.
   *
   * On Linux a socket bound to 0.0.0.0 hears, on any card, each group that some socket of the host has
   * joined there (IP_MULTICAST_ALL), which Deno cannot turn off.
   *
   * @default {undefined} The system's choice.
   */
  readonly interface?: string | number | undefined;
}

const MAX_INDEX = 2 ** 32 - 1;

/** Checks `conf.multicast`; gives a copy that nobody can change. */
export function checkMulticast(
  value: unknown,
  what: string,
): MulticastConf | readonly MulticastConf[] | null {
  if (value === null) return null;
  if (!Array.isArray(value)) return checkGroup(value, what);
  const list: readonly unknown[] = value;
  const groups = Array.from(list, (entry, i) => checkGroup(entry, `${what}[${i}]`));
  const seen = new Set<string>();
  for (const [i, { group, interface: card }] of groups.entries()) {
    const key = JSON.stringify([group, card]);
    if (seen.has(key)) throw new TypeError(`${what}[${i}].group: ${show(group)} is there twice`);
    seen.add(key);
  }
  return Object.freeze(groups);
}

function checkGroup(value: unknown, what: string): MulticastConf {
  if (typeof value !== "object" || value === null || !("group" in value)) {
    throw new TypeError(`${what}: { group, interface? } is needed, got ${show(value)}`);
  }
  for (const key of Object.keys(value)) {
    if (key !== "group" && key !== "interface") {
      throw new TypeError(`${what}: there is no ${show(key)}, only group and interface`);
    }
  }
  const { group, interface: card }: { group: unknown; interface?: unknown } = value;
  const parsed = typeof group === "string" ? parseIp(group) : undefined;
  if (parsed === undefined || !isMulticast(parsed)) {
    throw new TypeError(`${what}.group: a multicast address is needed, got ${show(group)}`);
  }
  const ip = unmapIp(parsed);
  if (card === undefined) return Object.freeze({ group: formatIp(ip) });
  if (ip.zone !== "") {
    throw new TypeError(`${what}.interface: ${show(card)} is too much, the group has a zone`);
  }
  return Object.freeze({
    group: formatIp(ip),
    interface: checkCard(card, `${what}.interface`, ip.family === "IPv4"),
  });
}

function checkCard(card: unknown, what: string, ipv4: boolean): string | number {
  if (typeof card === "number") {
    if (Number.isInteger(card) && card > 0 && card <= MAX_INDEX) return card;
    throw new RangeError(`${what}: an index is a whole number of 1 or more, got ${show(card)}`);
  }
  if (typeof card !== "string" || card === "") {
    throw new TypeError(`${what}: a network card's name or index is needed, got ${show(card)}`);
  }
  const ip = parseIp(card);
  if (ip === undefined || (ipv4 && ip.family === "IPv4")) return card;
  throw new TypeError(
    `${what}: ${ipv4 ? "an IPv4 address," : ""} name or index of the card is needed for ` +
      `an ${ipv4 ? "IPv4" : "IPv6"} group, got ${show(card)}`,
  );
}
