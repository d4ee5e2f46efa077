/**
 * A host behind NATs, each box a network namespace:
 *
 * ```text
 *   client  in0 10.0.0.2 ── in 10.0.0.1  nat    out 198.51.100.1 ──┬── out 198.51.100.8, .9  server
 *           in1 10.0.1.2 ── in 10.0.1.1  second out 198.51.100.2 ──┘
 * ```
 *
 * With an outer NAT, 198.51.100.1 is that one's, and 192.168.7.0/24 is between the two.
 *
 * @module
 */
import { ip, Program } from "./_helpers.ts";

/** The server's two addresses, and the two ports that it has at each. */
export const SERVER = "198.51.100.8", OTHER = "198.51.100.9", PORT = 3478, OTHER_PORT = 3479;
/** The addresses of the client's two cards, and those of the NATs outside. */
export const INSIDE = "10.0.0.2", INSIDE2 = "10.0.1.2";
export const OUTSIDE = "198.51.100.1", OUTSIDE2 = "198.51.100.2";

/**
 * What the boxes do: rules of nftables, in a table. "in" and "out" are a NAT's cards; the client's
 * networks are 10.0.0.0/23.
 */
export interface WorldOptions {
  /** The NAT next to the client. */
  readonly nat: string;
  /** The one after it, if there are two in a row. */
  readonly outer?: string | undefined;
  /** That of the client's second card, if it has one. */
  readonly second?: string | undefined;
  /** Whether a fifth of all packets is lost outside, in either direction. */
  readonly loss?: boolean | undefined;
  /** More of the client's addresses, on its first card. */
  readonly addresses?: readonly string[] | undefined;
}

/** The names of the namespaces. */
export interface World {
  readonly client: string;
  readonly nat: string;
  readonly server: string;
}

/** Before anything else sees it, so that nobody, not even the sender, notices. */
const LOSS = `chain loss {
  type filter hook prerouting priority -300
  iifname "out" numgen random mod 5 == 0 drop
}`;

/** A box that forwards, and what it does to what it forwards. */
function box(name: string, rules: string): string {
  return `
    ip -n ${name} link set lo up
    ip netns exec ${name} sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
    ip netns exec ${name} nft -f - <<'END'
table ip rules {
${rules}
}
END`;
}

/** Gives a card its address. */
function card(name: string, card: string, ...addresses: readonly string[]): string {
  const lines = addresses.map((address) => `ip -n ${name} addr add ${address}/24 dev ${card}`);
  return [...lines, `ip -n ${name} link set ${card} addrgenmode none up`].join("\n");
}

/** A cable from a card of one box to one of another. */
function cable(a: string, card: string, b: string, other: string): string {
  return `ip -n ${a} link add ${card} type veth peer name ${other} netns ${b}`;
}

/** A cable from a box's outer card to the server's network. */
function uplink(name: string, server: string, end: string): string {
  return `${cable(name, "out", server, end)}
    ip -n ${server} link set ${end} master out
    ip -n ${server} link set ${end} up`;
}

/** The script that builds it all. */
function plan(names: Record<string, string>, options: WorldOptions): string {
  const { client = "", nat = "", server = "", outer = "", second = "" } = names;
  const { addresses = [] } = options, loss = options.loss === true ? LOSS : "";
  const lines = [
    box(server, loss),
    `ip -n ${server} link add out type bridge`,
    card(server, "out", SERVER, OTHER),
    // Public addresses of the client are reached by its NAT.
    ...addresses.map((address) => `ip -n ${server} route add ${address}/32 via ${OUTSIDE}`),
    box(client, ""),
    cable(client, "in0", nat, "in"),
    card(client, "in0", INSIDE, ...addresses),
    `ip -n ${client} route add default via 10.0.0.1`,
    box(nat, options.nat + (options.outer === undefined ? loss : "")),
    card(nat, "in", "10.0.0.1"),
    ...addresses.map((address) => `ip -n ${nat} route add ${address}/32 dev in`),
  ];
  if (options.outer === undefined) {
    lines.push(uplink(nat, server, "p0"), card(nat, "out", OUTSIDE));
  } else {
    lines.push(
      ...[box(outer, options.outer + loss), cable(nat, "out", outer, "in")],
      ...[card(nat, "out", "192.168.7.2"), card(outer, "in", "192.168.7.1")],
      `ip -n ${nat} route add default via 192.168.7.1`,
      ...[uplink(outer, server, "p0"), card(outer, "out", OUTSIDE)],
    );
  }
  if (options.second !== undefined) {
    lines.push(
      ...[box(second, options.second + loss), cable(client, "in1", second, "in")],
      ...[card(second, "in", "10.0.1.1"), card(client, "in1", INSIDE2)],
      ...[uplink(second, server, "p1"), card(second, "out", OUTSIDE2)],
      // What has the second card's address leaves by that card.
      `ip -n ${client} route add default via 10.0.1.1 dev in1 table 101`,
      `ip -n ${client} rule add from ${INSIDE2} table 101`,
    );
  }
  return lines.join("\n");
}

/** Runs a shell script to its end; its complaint is the error. */
async function shell(script: string): Promise<void> {
  await using program = new Program("sh", ["-e", "-s"]);
  await program.write(script);
  await program.endInput();
  const { success } = await program.ended();
  if (!success) throw new Error(`${await program.stderr.text()}\nof\n${script}`);
}

let count = 0;

/** Runs a test in such a world, and removes it. */
export async function withWorld<T>(
  options: WorldOptions,
  test: (world: World) => Promise<T>,
): Promise<T> {
  const id = `${Deno.pid}w${count++}`;
  const names = { client: `pipesc${id}`, nat: `pipesn${id}`, server: `pipess${id}` };
  const more = { outer: `pipeso${id}`, second: `pipesm${id}` };
  const added: string[] = [];
  try {
    for (const [kind, name] of Object.entries({ ...names, ...more })) {
      if (kind === "outer" && options.outer === undefined) continue;
      if (kind === "second" && options.second === undefined) continue;
      await ip("netns", "add", name);
      added.push(name);
    }
    await shell(plan({ ...names, ...more }, options));
    return await test(names);
  } finally {
    // The cards go with the namespaces.
    for (const name of added) await ip("netns", "delete", name);
  }
}
