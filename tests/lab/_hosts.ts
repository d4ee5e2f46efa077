/**
 * Two hosts, each a network namespace: one has three network cards in two subnets, the other is on both.
 *
 * ```text
 *   host   na 10.71.1.1 ──┐
 *          nb 10.71.1.2 ──┴─ br1 10.71.1.9   other
 *          nc 10.71.2.3 ──── pc  10.71.2.9   (and 10.71.9.9, behind either one)
 * ```
 *
 * The IPv6 addresses are fd71:1::1, fd71:1::2, fd71:2::3, fd71:1::9, fd71:2::9 and fd71:9::9, the
 * link-local ones fe80::a, fe80::b, fe80::c and, on both cards of the other host, fe80::9. What leaves
 * with the address of a card leaves by that card.
 *
 * @module
 */
import { ip, Program } from "./_helpers.ts";

/** A network card of the host. */
export interface HostCard {
  readonly name: "na" | "nb" | "nc";
  /** Its addresses. */
  readonly v4: string;
  readonly v6: string;
  readonly linkLocal: string;
  /** The other host's addresses in its subnet. */
  readonly peer4: string;
  readonly peer6: string;
  /** The other host's card on the same wire. */
  readonly wire: "br1" | "pc";
}

function card(name: HostCard["name"], subnet: number, last: number): HostCard {
  const linkLocal = `fe80::${name.slice(1)}`;
  const [v4, peer4] = [last, 9].map((n) => `10.71.${subnet}.${n}`);
  const [v6, peer6] = [last, 9].map((n) => `fd71:${subnet}::${n}`);
  const wire = subnet === 1 ? "br1" : "pc";
  return {
    name,
    v4: v4 ?? "",
    v6: v6 ?? "",
    linkLocal,
    peer4: peer4 ?? "",
    peer6: peer6 ?? "",
    wire,
  };
}

/** The host's cards. */
export const CARDS = [card("na", 1, 1), card("nb", 1, 2), card("nc", 2, 3)] as const;
/** The other host's link-local address, on every wire. */
export const PEER_LINK_LOCAL = "fe80::9";
/** The other host's addresses that lead over either subnet. */
export const FAR4 = "10.71.9.9", FAR6 = "fd71:9::9";
/** Public addresses of `na`. */
export const PUBLIC4 = "9.9.9.1", PUBLIC6 = "2600:9::1";

/** The names of the two namespaces. */
export interface Hosts {
  readonly host: string;
  readonly other: string;
}

let count = 0;

/** Runs a test with both hosts, and removes them. */
export async function withHosts(test: (hosts: Hosts) => Promise<void>): Promise<void> {
  const id = `${Deno.pid}n${count++}`;
  const host = `pipesh${id}`, other = `pipeso${id}`;
  const added: string[] = [];
  try {
    for (const name of [host, other]) {
      await ip("netns", "add", name);
      added.push(name);
      await ip("-n", name, "link", "set", "lo", "up");
    }
    await layOut({ host, other });
    await test({ host, other });
  } finally {
    // The cards go with the namespaces.
    for (const name of added) await ip("netns", "delete", name);
  }
}

async function layOut({ host, other }: Hosts): Promise<void> {
  const there = (...args: string[]) => ip("-n", other, ...args);
  const here = (...args: string[]) => ip("-n", host, ...args);
  // A card answers for its own addresses, not for those of its neighbours.
  await run(host, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore");
  await there("link", "add", "br1", "type", "bridge");
  await there("link", "set", "br1", "addrgenmode", "none", "up");
  for (const { name } of CARDS) {
    const end = `p${name.slice(1)}`;
    await here("link", "add", name, "type", "veth", "peer", "name", end, "netns", other);
    // Each card has the link-local address that is given below, and no other.
    await here("link", "set", name, "addrgenmode", "none", "up");
    await there("link", "set", end, "addrgenmode", "none", "up");
    if (end !== "pc") await there("link", "set", end, "master", "br1");
  }
  const give = (where: string, to: string, ...addresses: string[]) =>
    Promise.all(addresses.map((address) =>
      // "nodad": usable at once, without a second of looking for a double of it.
      ip("-n", where, "addr", "add", address, "dev", to, ...address.includes(":") ? ["nodad"] : [])
    ));
  for (const [i, { name, v4, v6, linkLocal, peer4, peer6, wire }] of CARDS.entries()) {
    await give(host, name, `${v4}/24`, `${v6}/64`, `${linkLocal}/64`);
    if (name !== "nb") {
      await give(other, wire, `${peer4}/24`, `${peer6}/64`, `${PEER_LINK_LOCAL}/64`);
    }
    const table = String(101 + i);
    await here("route", "add", "0.0.0.0/0", "via", peer4, "dev", name, "table", table);
    await here("route", "add", "::/0", "via", peer6, "dev", name, "table", table);
    const more = name === "na" ? [PUBLIC4, PUBLIC6] : [];
    for (const source of [v4, v6, ...more]) {
      await here(source.includes(":") ? "-6" : "-4", "rule", "add", "from", source, "table", table);
    }
  }
  await give(host, "na", `${PUBLIC4}/24`, `${PUBLIC6}/64`);
  await give(other, "br1", "9.9.9.9/24", "2600:9::9/64");
  await give(other, "lo", `${FAR4}/32`, `${FAR6}/128`);
}

/** Runs a program in a namespace to its end. */
async function run(namespace: string, ...command: readonly string[]): Promise<void> {
  await ip("netns", "exec", namespace, ...command);
}

/** Starts a Deno program in a namespace. */
export function denoIn(
  namespace: string,
  flags: readonly string[],
  script: string,
  ...args: readonly string[]
): Program {
  const url = new URL(script, import.meta.url).pathname;
  return new Program("ip", [
    ...["netns", "exec", namespace, Deno.execPath(), "run", "--quiet", "--no-prompt"],
    ...[...flags, url, ...args],
  ]);
}
