/**
 * The addresses of a network card.
 *
 * @module
 */
import { formatIp, isLinkLocal, parseIp } from "../net/ip.ts";
import { IpRange } from "../net/ip_range.ts";
import { checkPrefix, maskToPrefix } from "../net/ip_span.ts";
import { show } from "../net/show.ts";
import type { Family } from "../pipe/types.ts";

/** An address of a network card. */
export interface InterfaceAddress {
  /** Its family. */
  readonly family: Family;
  /** The address alone; a link-local one of IPv6 with its zone. */
  readonly ip: IpRange;
  /** How many of its bits are the same for everybody on the link. */
  readonly prefix: number;
  /** All addresses on the link, by that prefix. */
  readonly network: IpRange;
}

/** Makes the address that `text` names; the caller checked the prefix. */
function make(text: string, prefix: number): InterfaceAddress {
  const ip = new IpRange(text);
  const { family } = ip;
  return Object.freeze({ family, ip, prefix, network: new IpRange(text, { prefix }) });
}

/**
 * An address as the system lists it.
 *
 * @param info One element of `Deno.networkInterfaces()`.
 * @param zones What the zone of a link-local address is to be.
 * @returns The address.
 * @throws {TypeError} If the element has no address or no mask.
 * @throws {RangeError} If the mask has holes.
 */
export function addressOf(
  info: Deno.NetworkInterfaceInfo,
  zones: "name" | "index",
): InterfaceAddress {
  const { name, address, netmask, scopeid } = info;
  const what = `source: ${show(name)} ${address}`;
  const ip = parseIp(address);
  if (!ip) throw new TypeError(`${what}: not an IP address`);
  const prefix = maskToPrefix(netmask, ip.family, what);
  let text = formatIp(ip);
  if (ip.family === "IPv6" && ip.zone === "" && isLinkLocal(ip)) {
    const index = String(scopeid ?? 0);
    // names with spaces, as on Windows, cannot be written in an address
    const zone = zones === "name" && parseIp(`${text}%${name}`) ? name : index;
    if (zone !== "0") text = `${text}%${zone}`;
  }
  return make(text, prefix);
}

/**
 * Reads "address/prefix", where the address is one of a card's: the bits after the prefix count.
 *
 * @param text Any value.
 * @param what The argument's name, for the error.
 * @returns The address.
 * @throws {TypeError} If it is none.
 * @throws {RangeError} If the prefix is too long.
 */
export function readAddress(text: unknown, what: string): InterfaceAddress {
  const [address = "", digits = "", ...rest] = typeof text === "string" ? text.split("/") : [];
  const ip = parseIp(address);
  if (!ip || rest.length > 0 || !/^[0-9]{1,3}$/.test(digits)) {
    throw new TypeError(`${what}: "address/prefix" is needed, got ${show(text)}`);
  }
  return make(address, checkPrefix(Number(digits), ip.family, what));
}

/**
 * The text of an address, for {@linkcode readAddress}.
 *
 * @param address The address.
 * @returns "address/prefix".
 */
export function addressText({ ip, prefix }: InterfaceAddress): string {
  return `${ip}/${prefix}`;
}
