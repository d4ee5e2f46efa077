/** `conf.multicast` between two hosts, on one network card of several. */
import type { MulticastConf, PipeOptions } from "@p2pd/pipes";
import { assert, assertEquals } from "@std/assert";
import { type Cable, DRIVERS, groupsOf, LOCAL, pythonIn, REMOTE, withHost } from "./_cable.ts";
import { labTest, portOf, Program } from "./_helpers.ts";

const GROUP = "239.77.76.66", GROUP6 = "ff02::4d4c:4246";

/** Sends to the group by each card in turn, and prints who answers. */
const SENDER = `
import socket, sys
group, port, cards = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
v6 = ":" in group
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
for card in cards:
    if v6:
        s.sendto(card.encode(), (group, port, 0, socket.if_nametoindex(card)))
    else:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(card))
        s.sendto(card.encode(), (group, port))
while True:
    data, peer = s.recvfrom(2000)
    print("got", data.decode(), "from", peer[0].split("%")[0])
`;

/** Joins a group on a card, and prints what it hears. */
const MEMBER = `
import socket, struct, sys
group, card = sys.argv[1:]
v6 = ":" in group
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("::" if v6 else "0.0.0.0", 0))
if v6:
    joining = socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", socket.if_nametoindex(card))
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, joining)
else:
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton(card))
print("port", s.getsockname()[1])
while True:
    data, peer = s.recvfrom(2000)
    print("got", data.decode(), "from", peer[0].split("%")[0])
    s.sendto(b"re: " + data, peer)
`;

/** A UDP pipe of our own, on this host. */
function pipe(flags: readonly string[], options: PipeOptions): Program {
  const script = new URL("_datagram_peer.ts", import.meta.url).pathname;
  const permissions = ["--allow-net", "--allow-sys=networkInterfaces"];
  const args = ["run", "--quiet", "--no-prompt", ...permissions, ...flags, script];
  return new Program(Deno.execPath(), [...args, JSON.stringify(options)]);
}

/** The index of a card. */
async function indexOf(card: string): Promise<number> {
  await using program = new Program("ip", ["link", "show", card]);
  const [, index] = await program.stdout.line(/^(\d+):/);
  return Number(index);
}

/** The group as `dest`: by which card, tells for IPv4 the sender's address, for IPv6 the zone. */
function destOf(group: string, { here }: Cable, port: number): string {
  return group === GROUP ? `${group}:${port}` : `[${group}%${here}]:${port}`;
}

interface Case {
  readonly group: string;
  readonly route: string;
  /** The ways to name a card. */
  readonly ways: (cable: Cable) => Promise<MulticastConf[]>;
  /** How Python names its card, and our address as it sees it. */
  readonly card: (cable: Cable) => string;
  readonly ours: (cable: Cable) => string;
  readonly theirs: (cable: Cable) => string;
}

const CASES: readonly Case[] = [
  {
    group: GROUP,
    route: "0.0.0.0:0",
    ways: async ({ here, net }) => [
      { group: GROUP, interface: `${net}.1` },
      { group: GROUP, interface: here },
      { group: GROUP, interface: await indexOf(here) },
    ],
    card: ({ net }) => `${net}.2`,
    ours: ({ net }) => `${net}.1`,
    theirs: ({ net }) => `${net}.2`,
  },
  {
    group: GROUP6,
    route: "[::]:0",
    ways: async ({ here }) => [
      { group: GROUP6, interface: here },
      { group: GROUP6, interface: await indexOf(here) },
      { group: `${GROUP6}%${here}` },
      { group: `${GROUP6}%${await indexOf(here)}` },
    ],
    card: ({ there }) => there,
    ours: () => LOCAL,
    theirs: () => REMOTE,
  },
];

for (const flags of DRIVERS) {
  const how = flags.length === 0 ? "node:dgram" : "Deno's UDP";

  for (const { group, route, ways, card, ours, theirs } of CASES) {
    labTest(`${how}: ${group} is heard on the card that was chosen, and no other`, async () => {
      await withHost(2, async (namespace, ...cables) => {
        for (const [i, chosen] of cables.entries()) {
          for (const multicast of await ways(chosen)) {
            await using receiver = pipe(flags, { route, conf: { multicast } });
            const port = await portOf(receiver.stdout, /^bound to port (\d+)/);
            for (const [j, cable] of cables.entries()) {
              assertEquals((await groupsOf(cable.here)).includes(group), i === j);
            }
            // By the other card first, so that what is heard there would be heard first.
            const order = [cables[1 - i], chosen].flatMap((cable) => cable ? [card(cable)] : []);
            await using sender = pythonIn(namespace, SENDER, group, String(port), ...order);
            const { input } = await receiver.stdout.line(/^heard/);
            assert(input.startsWith(`heard ${card(chosen)} from ${theirs(chosen)}`), input);
            // The address that it came from is all that the answer needs.
            const answer = await sender.stdout.line(/^got/);
            assertEquals(answer.input, `got re: ${card(chosen)} from ${ours(chosen)}`);
            await receiver.endInput(); // which closes the pipe
            await receiver.ended();
            assert(!(await groupsOf(chosen.here)).includes(group), "it has left");
          }
        }
      });
    });

    labTest(`${how}: two receivers of ${group} on one host both hear another`, async () => {
      await withHost(1, async (namespace, cable) => {
        const [multicast = null] = await ways(cable);
        const conf = { multicast, reuseAddr: true };
        await using one = pipe(flags, { route, conf });
        const port = await portOf(one.stdout, /^bound to port (\d+)/);
        await using two = pipe(flags, { route: route.replace(/0$/, String(port)), conf });
        await two.stdout.line(/^bound/);
        await using sender = pythonIn(namespace, SENDER, group, String(port), card(cable));
        for (const receiver of [one, two]) await receiver.stdout.line(/^heard/);
        for (let i = 0; i < 2; i++) await sender.stdout.line(/^got re: /);
      });
    });

    labTest(`${how}: a pipe on the same host hears what another sends to ${group}`, async () => {
      await withHost(1, async (_namespace, cable) => {
        const [multicast = null] = await ways(cable);
        await using receiver = pipe(flags, { route, conf: { multicast } });
        const port = await portOf(receiver.stdout, /^bound to port (\d+)/);
        await using sender = group === GROUP
          ? pipe(flags, { route: `${cable.net}.1:0` })
          : pipe(flags, { route });
        await sender.stdout.line(/^bound/);
        await sender.write(`${destOf(group, cable, port)} neighbours\n`);
        await receiver.stdout.line(new RegExp(`^heard neighbours from ${ours(cable)}`));
        await sender.stdout.line(/^heard re: neighbours/);
      });
    });

    labTest(`${how}: a pipe sends to ${group}, and hears who answers`, async () => {
      await withHost(1, async (namespace, cable) => {
        await using member = pythonIn(namespace, MEMBER, group, card(cable));
        const port = await portOf(member.stdout, /^port (\d+)/);
        await using sender = group === GROUP
          ? pipe(flags, { route: `${cable.net}.1:0` })
          : pipe(flags, { route });
        await sender.stdout.line(/^bound/);
        await sender.write(`${destOf(group, cable, port)} members\n`);
        const { input } = await member.stdout.line(/^got/);
        assertEquals(input, `got members from ${ours(cable)}`);
        await sender.stdout.line(new RegExp(`^heard re: members from ${theirs(cable)}`));
      });
    });
  }
}
