/**
 * What `getBehaviour` and `Interface.resolve` find out behind real NATs: Linux's, in network namespaces,
 * with coturn as the server. Each case says what must be found, and is, 50 times out of 50, with a fifth
 * of all packets lost in either direction.
 */
import type { NatBehaviour } from "@p2pd/pipes/stun";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { denoIn } from "./_hosts.ts";
import { ip, labTest, Program } from "./_helpers.ts";
import * as rules from "./_nat_rules.ts";
import {
  INSIDE,
  INSIDE2,
  OTHER,
  OTHER_PORT,
  OUTSIDE,
  OUTSIDE2,
  PORT,
  SERVER,
  withWorld,
  type World,
  type WorldOptions,
} from "./_nat_world.ts";

/** Discoveries of each case, all at once: over Deno's UDP, and a few over Node's. */
const RUNS = 50, FEW = 3;
/** How many cases are tried at once: most of it is waiting. */
const WORLDS = 3;
/** What the client may do. */
const FLAGS = ["--allow-net", "--allow-sys=networkInterfaces"];

const FREE = "endpoint-independent", BY_ADDRESS = "address-dependent";
const BY_PORT = "address-and-port-dependent";

/** What must be found. */
interface Expected {
  readonly mapping: string;
  readonly filtering: string;
  readonly hairpin: boolean;
  /** Whether local ports are the external ones, too. */
  readonly kept: boolean;
  readonly step: string;
  readonly name: string;
}

/** What the client prints. */
interface Found extends Pick<NatBehaviour, "mapped" | "lifetime" | "confidence" | "reasons"> {
  readonly result: Expected;
}

/** A case. */
interface Case extends Omit<WorldOptions, "loss"> {
  readonly what: string;
  readonly expected: Expected;
  /** The addresses that the client asks from, in turn; else the system chooses one. */
  readonly hosts?: readonly string[];
}

const SYMMETRIC = {
  ...{ mapping: BY_PORT, filtering: BY_PORT, hairpin: false, kept: false },
  ...{ step: "random", name: "symmetric NAT" },
};
const PORT_RESTRICTED = {
  ...{ mapping: FREE, filtering: BY_PORT, hairpin: false, kept: true },
  ...{ step: "preserved 0", name: "port restricted cone NAT" },
};
const NONE = {
  ...{ mapping: "none", filtering: FREE, hairpin: true, kept: true },
  ...{ step: "preserved 0", name: "open Internet" },
};
const PUBLIC = ["203.0.113.5"];

const CASES: readonly Case[] = [
  { what: "no NAT", nat: "", addresses: PUBLIC, hosts: PUBLIC, expected: NONE },
  {
    what: "a firewall that lets in answers alone",
    nat: rules.FIREWALL,
    addresses: PUBLIC,
    hosts: PUBLIC,
    expected: { ...NONE, filtering: BY_PORT, name: "symmetric UDP firewall" },
  },
  // What comes in unasked leaves a trace in this router, and changes the mapping to its sender: who
  // asks everywhere from the socket that nothing may come to would find another mapping.
  { what: "masquerade", nat: rules.MASQUERADE, expected: PORT_RESTRICTED },
  {
    what: "masquerade to a range of ports",
    nat: rules.MASQUERADE_RANGE + rules.QUIET,
    expected: { ...PORT_RESTRICTED, kept: false, step: "random" },
  },
  { what: "masquerade random", nat: rules.RANDOM, expected: SYMMETRIC },
  { what: "masquerade fully-random", nat: rules.FULLY_RANDOM + rules.QUIET, expected: SYMMETRIC },
  {
    what: "a port for each address",
    nat: rules.BY_ADDRESS,
    expected: { ...SYMMETRIC, mapping: BY_ADDRESS },
  },
  {
    what: "one port after the other",
    nat: rules.SEQUENTIAL + rules.QUIET,
    addresses: rules.HOSTS,
    hosts: rules.HOSTS,
    expected: { ...SYMMETRIC, step: `sequential ${rules.STEP}` },
  },
  {
    what: "DNAT of everything",
    nat: rules.FULL_CONE,
    expected: { ...PORT_RESTRICTED, filtering: FREE, name: "full cone NAT" },
  },
  {
    what: "DNAT of what was opened, with a hairpin",
    nat: rules.FULL_CONE_HAIRPIN,
    expected: { ...PORT_RESTRICTED, filtering: FREE, hairpin: true, name: "full cone NAT" },
  },
  {
    what: "DNAT of what comes from known addresses",
    nat: rules.FROM_KNOWN_ADDRESSES,
    expected: { ...PORT_RESTRICTED, filtering: BY_ADDRESS, name: "restricted cone NAT" },
  },
  {
    what: "two NATs in a row, the outer one random",
    nat: rules.MASQUERADE,
    outer: rules.FULLY_RANDOM,
    expected: SYMMETRIC,
  },
];

/** coturn, or our own server, at both addresses and both ports. */
async function serve({ server }: World, ours = false): Promise<AsyncDisposable> {
  if (ours) {
    const program = denoIn(server, ["--allow-net"], "_nat_server.ts", SERVER, OTHER);
    await program.stdout.line(/^ready$/);
    return program;
  }
  const listen = [SERVER, OTHER].flatMap((host) => ["-L", host]);
  const dir = await Deno.makeTempDir();
  const files = ["pidfile", "userdb"].flatMap((file) => [`--${file}`, `${dir}/${file}`]);
  const program = new Program("ip", [
    ...["netns", "exec", server, "turnserver", "-n", ...listen, "-p", String(PORT)],
    ...["--alt-listening-port", String(OTHER_PORT), "--stun-only", "--no-tls", "--no-dtls"],
    ...["--no-cli", "--log-file", "stdout", ...files],
  ]);
  await program.stdout.line(/IO method \(auth thread\)/);
  return {
    async [Symbol.asyncDispose]() {
      await program[Symbol.asyncDispose]();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

/** What the client found, each time. */
async function found(
  { client }: World,
  order: Readonly<Record<string, unknown>> & { readonly runs: number },
  driver: readonly string[],
): Promise<Found[]> {
  const servers = [`${SERVER}:${PORT}`];
  const arg = JSON.stringify({ servers, ...order });
  await using program = denoIn(client, [...FLAGS, ...driver], "_nat_peer.ts", arg);
  const results: Found[] = [];
  try {
    while (results.length < order.runs) {
      const [line] = await program.stdout.line(/^\{.*\}$/);
      results.push(JSON.parse(line));
    }
  } catch (error) {
    program.kill("SIGKILL");
    throw new Error(await program.stderr.text(), { cause: error });
  }
  return results;
}

/** How often each result is there. */
function counted(results: readonly unknown[]): Record<string, number> {
  const groups = Object.groupBy(results, (result) => JSON.stringify(result));
  return Object.fromEntries(Object.entries(groups).map(([text, all]) => [text, all?.length ?? 0]));
}

/** Lets a case be found out by both UDP drivers at once. */
async function isFound({ what, expected, hosts, ...world }: Case): Promise<void> {
  await withWorld({ ...world, loss: true }, async (names) => {
    await using _ = await serve(names);
    // Where each address has ports of its own, two at once would take each other's.
    const apart = hosts !== undefined && hosts.length > FEW;
    const rest = apart ? hosts.slice(FEW) : hosts;
    const atOnce = apart ? hosts.length - FEW : RUNS;
    const results = await Promise.all([
      found(names, { runs: FEW, atOnce: FEW, hosts: hosts?.slice(0, FEW) }, []),
      found(names, { runs: RUNS, atOnce, hosts: rest }, ["--unstable-net"]),
    ]);
    const all = results.flat();
    const wrong = all.filter(({ result }) => JSON.stringify(result) !== JSON.stringify(expected));
    const count = counted(all.map(({ result }) => result));
    const why = wrong.map(({ reasons }) => JSON.stringify(reasons)).join("\n");
    assertEquals(count, { [JSON.stringify(expected)]: FEW + RUNS }, `${what}\n${why}`);
  });
}

for (let i = 0; i < CASES.length; i += WORLDS) {
  const some = CASES.slice(i, i + WORLDS);
  const names = some.map(({ what, expected }) => `${what} (${expected.name})`);
  labTest(`found ${RUNS} times out of ${RUNS}, with 20 % lost: ${names.join("; ")}`, async () => {
    const results = await Promise.allSettled(some.map(isFound));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  });
}

labTest("two cards, each with a NAT of its own: each is found", async () => {
  const world = { nat: rules.MASQUERADE, second: rules.FULLY_RANDOM, loss: true };
  await withWorld(world, async (names) => {
    await using _ = await serve(names);
    const cards = [["in0", OUTSIDE, PORT_RESTRICTED], ["in1", OUTSIDE2, SYMMETRIC]] as const;
    const all = await Promise.all(cards.map(async ([card, outside, expected]) => {
      const results = await found(names, { runs: RUNS, atOnce: RUNS, card }, [
        "--unstable-net",
      ]);
      return results.map(({ result, mapped }) => {
        assertEquals(mapped?.hostname, outside);
        return JSON.stringify(result) === JSON.stringify(expected);
      });
    }));
    assertEquals(counted(all.flat()), { true: 2 * RUNS });
  });
});

labTest("blocked; with our own server; and how long mappings live, 2 s here", async () => {
  const blocked = withWorld({ nat: rules.NO_UDP }, async (names) => {
    await using _ = await serve(names);
    const [one] = await found(names, { runs: 1, atOnce: 1 }, []);
    assertEquals([one?.result.name, one?.reasons.mapping], ["blocked", "nobody answered"]);
  });
  const ours = withWorld({ nat: rules.FROM_KNOWN_ADDRESSES, loss: true }, async (names) => {
    await using _ = await serve(names, true);
    const results = await found(names, { runs: 10, atOnce: 10 }, []);
    const expected = { '"restricted cone NAT"': 10 };
    assertEquals(counted(results.map(({ result }) => result.name)), expected);
  });
  const lifetime = withWorld({ nat: rules.MASQUERADE, loss: true }, async (names) => {
    for (const name of ["timeout", "timeout_stream"]) {
      const file = `/proc/sys/net/netfilter/nf_conntrack_udp_${name}`;
      await ip("netns", "exec", names.nat, "sh", "-c", `echo 2 >${file}`);
    }
    await using _ = await serve(names);
    const order = { runs: 10, atOnce: 10, lifetime: { max: 3300, steps: 6 } };
    for (const { lifetime, confidence } of await found(names, order, ["--unstable-net"])) {
      assertEquals(lifetime?.atLeast, 1650);
      const { atMost = 0 } = lifetime ?? {};
      assert(atMost > 2200 && atMost < 7000, `${atMost}`);
      assert(confidence.lifetime > 0.5);
    }
  });
  const results = await Promise.allSettled([blocked, ours, lifetime]);
  for (const result of results) if (result.status === "rejected") throw result.reason;
});

labTest("Interface.resolve: the external address of each local one, and blocks", async () => {
  const block = "203.0.113.8/30",
    addresses = ["10.0.0.3", ...[5, 8, 11].map((n) => `203.0.113.${n}`)];
  const world = { nat: rules.MASQUERADE_PRIVATE, second: rules.RANDOM, addresses };
  for (const loss of [false, true]) {
    await withWorld({ ...world, loss }, async (names) => {
      await using _ = await serve(names);
      const servers = [`${SERVER}:${PORT}`, `${OTHER}:${PORT}`];
      // The second one is translated, though both of its addresses are there.
      const blocks = [block, "10.0.0.2-10.0.0.3"];
      const arg = JSON.stringify({ servers, blocks, cards: ["in0", "in1"] });
      await using program = denoIn(names.client, FLAGS, "_nat_resolve.ts", arg);
      const out = await program.stdout.text();
      assertEquals([out.trimEnd().split("\n"), await program.stderr.text()], [[
        `in0 ${block} > ${block}`,
        `in0 ${INSIDE} 10.0.0.3 > ${OUTSIDE}`,
        ...[5, 8, 11].map((n) => `in0 203.0.113.${n} > 203.0.113.${n}`),
        `in1 ${INSIDE2} > ${OUTSIDE2}`,
      ], ""]);
    });
  }
});

labTest("external_address shows all of it, and how far it is on a terminal", async () => {
  await withWorld({ nat: rules.MASQUERADE, loss: true }, async (names) => {
    await using _ = await serve(names);
    const script = new URL("../../examples/external_address.ts", import.meta.url).pathname;
    const deno = `${Deno.execPath()} run --quiet ${FLAGS.join(" ")} ${script} stun:${SERVER}`;
    await using program = new Program("ip", [
      ...["netns", "exec", names.client, "script", "--quiet", "--return", "--command", deno],
      "/dev/null",
    ]);
    const out = await program.stdout.text();
    assertEquals((await program.ended()).code, 0, out);
    // Each state of the line begins by clearing the one before; in the end it is gone.
    const text = out.replaceAll("\r\x1b[K", "<").replaceAll("\r\n", "\n");
    assertMatch(text, /<[|/\\-] +\d+ % {2}contact</);
    assertMatch(text, /<[|/\\-] +\d+ % {2}mapping</);
    assertMatch(text, new RegExp(`<Card +in0\nInside +${INSIDE}:\\d+\nOutside +${OUTSIDE}:\\d+\n`));
    assertMatch(text, /\nNAT +port restricted cone NAT\n/);
  });
});
