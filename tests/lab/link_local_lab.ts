/**
 * Link-local addresses, over a cable between this machine and a network namespace: `fe80::1%eth0` is an
 * address only together with its zone, so every address of a pipe has to keep it.
 */
import { pipeOpen, type Proto, TCP, UDP } from "@p2pd/pipes";
import { assertEquals, assertMatch } from "@std/assert";
import { ip, labTest, portOf, Program } from "./_helpers.ts";

/** Our end of the cable, and theirs. */
const HERE = "fe80::a";
const THERE = "fe80::b";

interface Cable {
  readonly namespace: string;
  /** The interface here, and the one there. */
  readonly here: string;
  readonly there: string;
}

/** The other end uses the same UDP as this one. */
const unstable = typeof Deno.listenDatagram === "function" ? ["--unstable-net"] : [];

/** Names that nobody else has: an interface name has at most 15 characters. */
let count = 0;
function unique(): Cable {
  const id = `${Deno.pid}x${count++}`;
  return { namespace: `pipes${id}`, here: `pa${id}`, there: `pb${id}` };
}

/** Lays the cable, runs the test, and removes everything, which the end of the namespace does. */
async function withCable(test: (cable: Cable) => Promise<void>): Promise<void> {
  const cable = unique();
  const { namespace, here, there } = cable;
  await ip("netns", "add", namespace);
  try {
    await ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", namespace);
    try {
      // "nodad": an address is usable at once, without a second of looking for a double of it.
      await ip("addr", "add", `${HERE}/64`, "dev", here, "nodad");
      await ip("link", "set", here, "up");
      await ip("-n", namespace, "addr", "add", `${THERE}/64`, "dev", there, "nodad");
      await ip("-n", namespace, "link", "set", there, "up");
      await ip("-n", namespace, "link", "set", "lo", "up");
      await test(cable);
    } finally {
      await ip("link", "delete", here);
    }
  } finally {
    await ip("netns", "delete", namespace);
  }
}

/** Our program at the other end of the cable. */
function peer(cable: Cable, ...args: readonly string[]): Program {
  const script = new URL("_link_local_peer.ts", import.meta.url).href;
  return new Program("ip", [
    ...["netns", "exec", cable.namespace, Deno.execPath(), "run", "--quiet", "--allow-net"],
    ...[...unstable, script, ...args],
  ]);
}

function json(text: string | undefined): unknown {
  return JSON.parse(text ?? "null");
}

/** Addresses as pipes show them. */
function addr(transport: Proto, hostname: string, port: unknown): unknown {
  return { transport, hostname, port };
}

for (const proto of [TCP, UDP] as const) {
  labTest(`fault 34: a ${proto} server on a link-local address keeps the zone`, async () => {
    await withCable(async (cable) => {
      const here = `${HERE}%${cable.here}`;
      const there = `${THERE}%${cable.there}`;
      await using server = await pipeOpen(proto, { route: [here, 0] });
      const { port } = server.localAddr;
      assertEquals(server.localAddr, addr(proto, here, port));

      await using client = peer(cable, "ask", proto, `[${HERE}%${cable.there}]:${port}`);
      const question = await server.recvFrom(undefined, { timeout: 20_000 });
      const [msg, from] = question ?? [];
      assertEquals(new TextDecoder().decode(msg), "over the link");
      assertEquals(from?.hostname, `${THERE}%${cable.here}`);
      // The address that came with the question is all that the answer needs.
      if (from !== undefined) await server.send("yes", from);
      const [, , seen] = await client.stdout.line(/^answer (yes) from (.*)/);
      assertEquals(json(seen), addr(proto, `${HERE}%${cable.there}`, port));
      const [, local] = await client.stdout.line(/^local (.*)/);
      if (proto === TCP) assertEquals(json(local), addr(proto, there, from?.port));
      const [, remote] = await client.stdout.line(/^remote (.*)/);
      assertEquals(json(remote), addr(proto, `${HERE}%${cable.there}`, port));
      assertEquals((await client.ended()).code, 0);
    });
  });

  labTest(`fault 34: a ${proto} client to a link-local address keeps the zone`, async () => {
    await withCable(async (cable) => {
      await using server = peer(cable, "serve", proto, `[${THERE}%${cable.there}]:0`);
      const port = await portOf(server.stdout, /^listening .*"port":(\d+)/);
      const dest = addr(proto, `${THERE}%${cable.here}`, port);
      await using client = await pipeOpen(proto, { dest: [`${THERE}%${cable.here}`, port] });
      assertEquals(client.remoteAddr, dest);
      const [answer, from] = await client.request("over the link");
      assertEquals(new TextDecoder().decode(answer), "over the link");
      assertEquals(from, dest);
      const [, asker] = await server.stdout.line(/^from (.*)/);
      assertEquals(json(asker), addr(proto, `${HERE}%${cable.there}`, client.localAddr.port));
    });
  });

  labTest(`a ${proto} client that is bound to a link-local address by its route`, async () => {
    await withCable(async (cable) => {
      await using server = peer(cable, "serve", proto, `[${THERE}%${cable.there}]:0`);
      const port = await portOf(server.stdout, /^listening .*"port":(\d+)/);
      const here = `${HERE}%${cable.here}`;
      await using client = await pipeOpen(proto, {
        dest: [`${THERE}%${cable.here}`, port],
        route: [here, 0],
      });
      assertEquals(client.localAddr, addr(proto, here, client.localAddr.port));
      const [answer] = await client.request("over the link");
      assertEquals(new TextDecoder().decode(answer), "over the link");
      const [, asker] = await server.stdout.line(/^from (.*)/);
      assertMatch(asker ?? "", new RegExp(`"${HERE}%${cable.there}"`));
    });
  });
}
