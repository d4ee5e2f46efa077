/** Interfaces, routes and daemons on a host with three network cards. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ip, labTest, portOf, type Program, sha256 } from "./_helpers.ts";
import {
  CARDS,
  denoIn,
  FAR4,
  FAR6,
  type HostCard,
  type Hosts,
  PEER_LINK_LOCAL,
  PUBLIC4,
  PUBLIC6,
  withHosts,
} from "./_hosts.ts";
import { pythonIn } from "./_cable.ts";
import { HEAR, REACH, SAY, WHO } from "./_netif_scripts.ts";

const [NA, NB, NC] = CARDS;
const DRIVERS: readonly (readonly string[])[] = [[], ["--unstable-net"]];
const FLAGS = ["--allow-net", "--allow-sys=networkInterfaces"];

interface Answer {
  readonly value?: unknown;
  readonly error?: {
    readonly name: string;
    readonly message: string;
    readonly phase?: string;
    readonly causes: readonly string[];
  };
}

/** A program on the host with the cards, that does what it is told. */
class Peer implements AsyncDisposable {
  readonly #program: Program;
  constructor({ host }: Hosts, flags: readonly string[] = []) {
    this.#program = denoIn(host, [...FLAGS, ...flags], "_netif_peer.ts");
  }
  async #line(...command: readonly unknown[]): Promise<Answer> {
    await this.#program.write(`${JSON.stringify(command)}\n`);
    const [line] = await this.#program.stdout.line(/^\{.*\}$/);
    return JSON.parse(line);
  }
  async do(...command: readonly unknown[]): Promise<unknown> {
    const { value, error } = await this.#line(...command);
    if (error !== undefined) {
      throw new Error(`${JSON.stringify(command)}: ${error.name}: ${error.message}`);
    }
    return value;
  }
  async fail(...command: readonly unknown[]): Promise<NonNullable<Answer["error"]>> {
    const { value, error } = await this.#line(...command);
    if (error === undefined) {
      throw new Error(`${JSON.stringify(command)} gave ${JSON.stringify(value)}`);
    }
    return error;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }
}

/** The other host tells who asks. */
async function who({ other }: Hosts): Promise<[program: Program, port: number]> {
  const zoned = ["br1", "pc"].map((wire) => `${PEER_LINK_LOCAL}%${wire}`);
  const hosts = [NA.peer4, NA.peer6, NC.peer4, NC.peer6, FAR4, FAR6, ...zoned];
  const program = pythonIn(other, WHO, ...hosts);
  return [program, await portOf(program.stdout, /^port (\d+)/)];
}

/** What the other host gets from "proto host port". */
async function reach({ other }: Hosts, ...targets: readonly string[]): Promise<string[]> {
  await using program = pythonIn(other, REACH, ...targets);
  return (await program.stdout.text()).trimEnd().split("\n");
}

function portOfAddr(addr: unknown): number {
  if (typeof addr === "object" && addr !== null && "port" in addr) return Number(addr.port);
  throw new TypeError(`no address: ${JSON.stringify(addr)}`);
}

for (const flags of DRIVERS) {
  const how = flags.length === 0 ? "node:dgram" : "Deno's UDP";

  labTest(`${how}: the other side sees the address of the route that was chosen`, async () => {
    await withHosts(async (hosts) => {
      const [program, port] = await who(hosts);
      await using _ = program;
      await using peer = new Peer(hosts, flags);
      for (const proto of ["tcp", "udp"]) {
        for (const card of CARDS) {
          const { name, v4, v6, linkLocal, peer4, peer6 } = card;
          const zoned = `${linkLocal}%${name}`;
          const cases: readonly [dest: string, ip: string][] = [
            [`${peer4}:${port}`, v4],
            [`[${peer6}]:${port}`, v6],
            [`${FAR4}:${port}`, v4],
            [`[${FAR6}]:${port}`, v6],
            [`[${PEER_LINK_LOCAL}%${name}]:${port}`, zoned],
          ];
          for (const [dest, address] of cases) {
            const expected = [address.split("%")[0], address];
            const what = `${proto} ${dest} by ${name}`;
            assertEquals(await peer.do("ask", proto, dest, { ip: address }), expected, what);
          }
        }
      }
    });
  });

  labTest(`${how}: an Interface as route gives the address that fits the destination`, async () => {
    await withHosts(async (hosts) => {
      const [program, port] = await who(hosts);
      await using _ = program;
      await using peer = new Peer(hosts, flags);
      for (const proto of ["tcp", "udp"]) {
        for (const { name, v4, v6, linkLocal, peer4, peer6 } of [NB, NC]) {
          const cases: readonly [dest: string, ip: string][] = [
            [`${peer4}:${port}`, v4],
            [`[${peer6}]:${port}`, v6],
            [`[${PEER_LINK_LOCAL}%${name}]:${port}`, `${linkLocal}%${name}`],
          ];
          for (const [dest, address] of cases) {
            const [seen] = [await peer.do("ask", proto, dest, { nic: name })].flat();
            assertEquals(seen, address.split("%")[0], `${proto} ${dest} by ${name}`);
          }
        }
      }
    });
  });

  labTest(
    `${how}: an Interface with a public address has a private one for its own subnet`,
    async () => {
      await withHosts(async (hosts) => {
        const [program, port] = await who(hosts);
        await using _ = program;
        await using peer = new Peer(hosts, flags);
        for (const proto of ["tcp", "udp"]) {
          for (const [dest, address] of [[NA.peer4, NA.v4], [`[${NA.peer6}]`, NA.v6]]) {
            const answer = await peer.do("ask", proto, `${dest}:${port}`, { nic: "na" });
            assertEquals(answer, [address, address], proto);
          }
        }
      });
    },
  );

  labTest(`${how}: a server bound to one card is not reached by another`, async () => {
    await withHosts(async (hosts) => {
      await using peer = new Peer(hosts, flags);
      for (const proto of ["tcp", "udp"]) {
        const at = async (card: HostCard, address: string) => {
          const name = `${proto} ${address}`;
          const addr = await peer.do("open", name, proto, { ip: address }, {});
          await peer.do("echo", name);
          const port = portOfAddr(addr);
          const all = CARDS.flatMap((
            { v4, v6, linkLocal, wire },
          ) => [v4, v6, `${linkLocal}%${wire}`]);
          const mine = address.includes("%") ? `${card.linkLocal}%${card.wire}` : address;
          const results = await reach(hosts, ...all.map((one) => `${proto} ${one} ${port}`));
          const expected = all.map((one) =>
            `${proto} ${one} ${port} ${one === mine ? "echo" : "nothing"}`
          );
          assertEquals(results, expected);
        };
        await at(NA, NA.v4);
        await at(NC, NC.v6);
        await at(NB, `${NB.linkLocal}%nb`);
      }
    });
  });

  labTest(
    `${how}: broadcast and multicast leave by the card of the route, and no other`,
    async () => {
      await withHosts(async (hosts) => {
        const group = "239.71.71.71";
        await using hearer = pythonIn(
          hosts.other,
          HEAR,
          group,
          `br1=${NA.peer4}`,
          `pc=${NC.peer4}`,
        );
        const port = await portOf(hearer.stdout, /^port (\d+)/);
        await using peer = new Peer(hosts, flags);
        for (const { v4, wire } of [NA, NC, NB]) {
          for (const dest of ["255.255.255.255", v4.replace(/\d+$/, "255"), group]) {
            await peer.do("tell", `${dest}:${port}`, { ip: v4 }, { broadcast: true });
            // The first that is heard is the only one there is.
            const { input } = await hearer.stdout.line(/ heard /);
            assertEquals(input, `${wire} heard from ${v4}`, dest);
          }
        }
      });
    },
  );

  labTest(`${how}: broadcast and multicast arrive on one card only`, async () => {
    await withHosts(async (hosts) => {
      const group = "239.71.71.71";
      await using peer = new Peer(hosts, flags);
      for (const { name, v4, peer4 } of [NA, NC]) {
        const other = name === "na" ? NC : NA;
        // A socket of one address hears no broadcast: the broadcast address is what it is bound to.
        const subnet = v4.replace(/\d+$/, "255");
        const cases = [
          [subnet, { literal: `${subnet}:0` }, {}],
          [group, { literal: "0.0.0.0:0" }, { multicast: { group, interface: name } }],
        ] as const;
        for (const [dest, local, conf] of cases) {
          const id = `${name} ${dest}`;
          const port = portOfAddr(await peer.do("open", id, "udp", local, { conf }));
          // By the other card first, so that what is heard there would be heard first. (A broadcast to
          // everybody is heard by sockets of all addresses, and by these alone.)
          const wrong = dest === group
            ? [group]
            : [other.v4.replace(/\d+$/, "255"), "255.255.255.255"];
          const said = [...wrong.map((one) => `${one}=${other.peer4}`), `${dest}=${peer4}`];
          await using say = pythonIn(hosts.other, SAY, String(port), ...said);
          await say.stdout.line(/^said/);
          assertEquals(await peer.do("heard", id), [`by ${peer4}`, peer4], dest);
          // Linux gives a group that any socket has joined on a card to all that listen on 0.0.0.0.
          await peer.do("close", id);
        }
      }
    });
  });

  labTest(
    `${how}: Daemon.listenLocal is at the private and link-local addresses alone`,
    async () => {
      await withHosts(async (hosts) => {
        await using peer = new Peer(hosts, flags);
        const listening = await peer.do("listenLocal", ["tcp", "udp"]);
        assert(Array.isArray(listening));
        const port: unknown = listening[0][2];
        const local = CARDS.flatMap(({ v4, v6 }) => [v4, v6]);
        const linkLocal = CARDS.map(({ name, linkLocal }) => `${linkLocal}%${name}`);
        const expected = [...local, ...linkLocal].flatMap((
          at,
        ) => [`tcp ${at} ${port}`, `udp ${at} ${port}`]);
        assertEquals(listening.map((one) => one.join(" ")).toSorted(), expected.toSorted());
        const from = CARDS.map(({ linkLocal, wire }) => `${linkLocal}%${wire}`);
        const targets = (hosts: readonly string[]) =>
          hosts.flatMap((at) => [`tcp ${at} ${port}`, `udp ${at} ${port}`]);
        const reached = await reach(hosts, ...targets([...local, ...from, PUBLIC4, PUBLIC6]));
        assertEquals(reached, [
          ...targets([...local, ...from]).map((target) => `${target} echo`),
          ...targets([PUBLIC4, PUBLIC6]).map((target) => `${target} nothing`),
        ]);
      });
    },
  );

  labTest(`${how}: a pipe ends when its interface vanishes`, async () => {
    await withHosts(async (hosts) => {
      await using peer = new Peer(hosts, flags);
      await peer.do("open", "tcp", "tcp", { ip: NC.v4 }, {});
      await peer.do("open", "udp", "udp", { ip: NC.v6 }, {});
      await peer.do("open", "card", "udp", { nic: "nc" }, {});
      await peer.do("open", "other", "tcp", { ip: NA.v4 }, {});
      await peer.do("listenLocal", ["tcp", "udp"]);
      await ip("-n", hosts.host, "link", "delete", "nc");
      for (const name of ["tcp", "udp", "card"]) {
        const ended = await peer.do("closed", name);
        assert(Array.isArray(ended));
        const [by, error, ms] = ended;
        assertEquals(by, "error", name);
        assertStringIncludes(error, name === "udp" ? NC.v6 : NC.v4);
        assert(ms < 5000, `${name}: ${ms} ms`);
      }
      assertEquals(await peer.do("isOpen", "other"), true);
      // A daemon goes on with the cards that are left.
      const left = [NA, NB].flatMap((
        { name, v4, v6, linkLocal },
      ) => [v4, v6, `${linkLocal}%${name}`]);
      let listening: unknown;
      for (let tries = 0; tries < 100; tries++) {
        listening = await peer.do("listening", "udp");
        if (Array.isArray(listening) && listening.length <= left.length) break;
      }
      assertEquals(listening, left);
    });
  });
}

for (const down of ["na", "pa"]) {
  const what = down === "na" ? "a card that is down" : "a cable that is cut";
  labTest(`failover: after ${what} the next route of the pool is taken`, async () => {
    await withHosts(async (hosts) => {
      const [program, port] = await who(hosts);
      await using _ = program;
      await using peer = new Peer(hosts);
      const dest = `${FAR4}:${port}`, local = { pool: [NA.v4, NC.v4] };
      assertEquals(await peer.do("ask", "tcp", dest, local), [NA.v4, NA.v4]);
      await ip("-n", down === "na" ? hosts.host : hosts.other, "link", "set", down, "down");
      assertEquals(await peer.do("ask", "tcp", dest, local), [NC.v4, NC.v4]);
      await ip("-n", hosts.other, "link", "set", "pc", "down");
      const conf = { conTimeout: 1500 };
      const { name, message, phase } = await peer.fail("ask", "tcp", dest, local, conf);
      assertEquals([name, phase], ["PipeOpenError", "connect"]);
      for (const one of [NA.v4, NC.v4]) assertStringIncludes(message, one);
    });
  });
}

labTest("multi_nic_download: two cards are faster than one, and one is enough", async () => {
  const SIZE = 3_000_000, RATE = 1_000_000;
  await withHosts(async (hosts) => {
    const dir = await Deno.makeTempDir();
    try {
      await using server = denoIn(
        ...[hosts.other, ["--allow-net"], "../../examples/_range_server.ts"] as const,
        ...["--listen", "0.0.0.0:0", "--size", String(SIZE), "--rate", String(RATE)],
      );
      const port = await portOf(server.stdout, /^Listening on .*:(\d+)$/);
      const fetchOver = (out: string, ...nics: string[]) =>
        denoIn(
          ...[hosts.host, [...FLAGS, "--allow-read", "--allow-write"]] as const,
          ...["../../examples/multi_nic_download.ts", "--url", `http://${FAR4}:${port}/f`] as const,
          ...["--out", `${dir}/${out}`, ...nics.flatMap((nic) => ["--nic", nic])],
        );
      const seconds: number[] = [];
      for (const nics of [["na"], ["na", "nc"]]) {
        await using program = fetchOver("file", ...nics);
        const [, time] = await program.stdout.line(/^3\.00 MB over .* in (\S+) s$/);
        seconds.push(Number(time));
        const [, digest] = await program.stdout.line(/^SHA-256 (\w+)$/);
        assertEquals((await program.ended()).code, 0);
        assertEquals(sha256(await Deno.readFile(`${dir}/file`)), digest);
      }
      const [one = 0, both = 0] = seconds;
      console.log(`3 MB at 1 MB/s for each address: ${one} s over one card, ${both} s over two`);
      assert(both < 0.75 * one, `${both} s over two cards, ${one} s over one`);

      await using program = fetchOver("rest", "na", "nc");
      await program.stdout.line(/^ 25 %/);
      await ip("-n", hosts.host, "addr", "del", `${NC.v4}/24`, "dev", "nc");
      await ip("-n", hosts.other, "link", "set", "pc", "down");
      await program.stdout.line(/^nc failed: /);
      const [, digest] = await program.stdout.line(/^SHA-256 (\w+)$/);
      assertEquals((await program.ended()).code, 0);
      assertEquals(sha256(await Deno.readFile(`${dir}/rest`)), digest);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  });
});
