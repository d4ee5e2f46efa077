/**
 * Other hosts: network namespaces, each at the other end of one or more cables.
 *
 * @module
 */
import { ip, Program } from "./_helpers.ts";

/** One cable: a network card here and one there, with an IPv4 and an IPv6 address each. */
export interface Cable {
  /** The card here. */
  readonly here: string;
  /** The card there. */
  readonly there: string;
  /** The first three parts of its IPv4 addresses, "10.1.2": .1 is here, .2 there, .255 broadcast. */
  readonly net: string;
}

/** Its link-local addresses. */
export const LOCAL = "fe80::a", REMOTE = "fe80::b";

let count = 0;

/**
 * Lays cables to a new namespace, runs a test, and removes everything.
 *
 * @param cables How many.
 * @param test Gets the namespace's name and the cables.
 */
export async function withHost(
  cables: number,
  test: (namespace: string, ...cables: Cable[]) => Promise<void>,
): Promise<void> {
  const id = `${Deno.pid}h${count++}`;
  const namespace = `pipes${id}`;
  await ip("netns", "add", namespace);
  const laid: Cable[] = [];
  try {
    await ip("-n", namespace, "link", "set", "lo", "up");
    for (let i = 0; i < cables; i++) {
      // A network for each process and cable, out of 10.128.0.0/9.
      const net = `10.${128 + Deno.pid % 128}.${(count * 8 + i) % 256}`;
      const cable = { here: `pc${id}${i}`, there: `pd${id}${i}`, net };
      const { here, there } = cable;
      await ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", namespace);
      laid.push(cable);
      // "nodad": an address is usable at once, without a second of looking for a double of it.
      const sides = [[[], here, 1, LOCAL], [["-n", namespace], there, 2, REMOTE]] as const;
      for (const [where, card, last, ipv6] of sides) {
        await ip(...where, "addr", "add", `${net}.${last}/24`, "brd", "+", "dev", card);
        await ip(...where, "addr", "add", `${ipv6}/64`, "dev", card, "nodad");
        // It has this link-local address and no other.
        await ip(...where, "link", "set", card, "addrgenmode", "none", "up");
      }
    }
    await test(namespace, ...laid);
  } finally {
    for (const { here } of laid) await ip("link", "delete", here);
    await ip("netns", "delete", namespace);
  }
}

/** Starts a Python script in a namespace. Its prints arrive at once. */
export function pythonIn(namespace: string, script: string, ...args: readonly string[]): Program {
  return new Program("ip", [
    ...["netns", "exec", namespace, "python3", "-u", "-c", script, ...args],
  ]);
}

/** The groups that a card here has joined, as `ip maddr` shows them. */
export async function groupsOf(card: string): Promise<string> {
  await using program = new Program("ip", ["maddr", "show", "dev", card]);
  return await program.stdout.text();
}

/** The flags that choose each of the UDP drivers. */
export const DRIVERS: readonly (readonly string[])[] = [[], ["--unstable-net"]];
