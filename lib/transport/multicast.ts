/**
 * Joining multicast groups, for all datagram transports. The system leaves them when it closes the
 * socket.
 *
 * @module
 */
import { parseIp } from "../net/ip.ts";
import { show } from "../net/show.ts";
import { Interface } from "../netif/interface.ts";
import type { NetConf } from "../pipe/conf.ts";
import type { Family, NetAddr } from "../pipe/types.ts";
import { zoneOf } from "./addr.ts";
import { TransportError } from "./error.ts";
import type { Transport } from "./transport.ts";

/** One group to join. */
export interface Group {
  /** Its address, without a zone. */
  readonly address: string;
  /** Its family. */
  readonly family: Family;
  /** Name, index or IPv4 address of the card; undefined leaves it to the system. */
  readonly card: string | number | undefined;
}

type Groups = Pick<NetConf, "multicast">;

function groupsOf({ multicast }: Groups): Group[] {
  const list = multicast === null ? [] : [multicast].flat();
  return list.map(({ group, interface: card }) => {
    const zone = zoneOf(group);
    const named = /^\d+$/.test(zone) ? Number(zone) : zone;
    return {
      address: zone === "" ? group : group.slice(0, -zone.length - 1),
      family: group.includes(":") ? "IPv6" : "IPv4",
      card: zone === "" ? card : named,
    };
  });
}

/**
 * The zone of a socket that no address gives one: that of its groups, if it is one. What is heard there
 * comes from link-local senders, which cannot be answered without.
 */
export function zoneOfGroups(conf: Groups): string {
  const cards = new Set(
    groupsOf(conf).filter(({ family }) => family === "IPv6").map(({ card }) => card),
  );
  const [card] = cards;
  return cards.size === 1 && card !== undefined ? String(card) : "";
}

/** A card as the system's calls want it. */
interface NamedCard {
  readonly name: string;
  readonly index: number | undefined;
  readonly ipv4: string | undefined;
}

/** Finds a card by its name or its index. Of the loopback nobody tells that: it is the first. */
export function findCard(spec: string | number): NamedCard {
  for (
    const { name, kind, addresses, index = kind === "loopback" ? 1 : undefined } of Interface.list()
  ) {
    if (spec !== name && spec !== index) continue;
    const ipv4 = addresses.find(({ family }) => family === "IPv4");
    return { name, index, ipv4: ipv4 && String(ipv4.ip) };
  }
  throw new Error(`there is no network card ${show(spec)} with an address`);
}

/** The IPv4 address of a group's card. */
export function cardAddress({ card }: Group): string {
  if (card === undefined) return "0.0.0.0";
  if (typeof card === "string" && parseIp(card) !== undefined) return card;
  const { name, ipv4 } = findCard(card);
  if (ipv4 === undefined) throw new Error(`network card ${name} has no IPv4 address`);
  return ipv4;
}

/** The index of a group's card; 0 leaves it to the system. */
export function cardIndex({ card = 0 }: Group): number {
  if (typeof card === "number") return card;
  const { name, index } = findCard(card);
  if (index === undefined) throw new Error(`the index of network card ${name} is not known`);
  return index;
}

/**
 * Joins the groups of `conf.multicast`.
 *
 * @param transport The open socket. If a group cannot be joined it is closed or, where `conf.doClose` is
 * false, given back as `sock` of the error.
 * @param conf The pipe's options.
 * @param join Joins one group.
 * @returns The same transport.
 * @throws {TransportError} If a group cannot be joined.
 */
export async function withGroups(
  transport: Transport,
  conf: Readonly<NetConf>,
  join: (group: Group) => void | Promise<unknown>,
): Promise<Transport> {
  for (const group of groupsOf(conf)) {
    try {
      checkFamily(group, transport.localAddr);
      await join(group);
    } catch (cause) {
      if (conf.doClose) await transport.close();
      const sock = conf.doClose ? undefined : transport.release?.() ?? transport.raw;
      throw new TransportError("unjoined", joinError(group, cause), sock);
    }
  }
  return transport;
}

function checkFamily({ family }: Group, { hostname, path }: NetAddr): void {
  if (path !== undefined) throw new Error("a Unix socket has no groups");
  const ipv6 = hostname.includes(":");
  if (family === "IPv4" ? !ipv6 || hostname === "::" : ipv6) return;
  const route = family === "IPv4" ? "0.0.0.0:0" : "[::]:0";
  throw new Error(
    `an ${family} group, and the pipe is bound to ${hostname}; use a route such as "${route}"`,
  );
}

function joinError({ address, card }: Group, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  const where = card === undefined ? "" : ` on ${card}`;
  return new Error(`Cannot join ${address}${where}: ${why}`, { cause });
}
