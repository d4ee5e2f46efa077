/** `conf.broadcast`: nothing goes to everybody by accident. */
import { assertEquals, assertRejects } from "@std/assert";
import { type Dest, type Pipe, pipeOpen, PipeStateError, UDP } from "@p2pd/pipes";
import { mayReadInterfaces } from "../../../lib/netif/source.ts";
import { text, until } from "../../helpers/pipes.ts";

const route = "127.0.0.1:0";

async function assertRefused(pipe: Pipe, dest?: Dest): Promise<void> {
  const error = await assertRejects(
    () => pipe.send("x", dest),
    PipeStateError,
    "broadcast address",
  );
  assertEquals(error.message.includes("set conf.broadcast"), true);
}

Deno.test("broadcast: refused in every spelling, and nothing goes out", async () => {
  await using pipe = await pipeOpen(UDP, { route: "*:0" });
  const dests: Dest[] = [
    "255.255.255.255:9",
    ["255.255.255.255", 9],
    { hostname: "255.255.255.255", port: 9 },
    "[::ffff:255.255.255.255]:9",
    "[::ffff:ffff:ffff]:9",
    "127.255.255.255:9",
    ["::ffff:127.255.255.255", 9],
  ];
  for (const dest of [...dests, ...dests]) {
    await assertRefused(pipe, dest);
    await assertRejects(() => pipe.request("x", { dest }), PipeStateError, "broadcast address");
  }
  assertEquals(pipe.stats.messagesOut, 0);
});

Deno.test("broadcast: refused also where a name leads there", async () => {
  const lookup = (name: string) => Promise.resolve([`${name === "all" ? 255 : 127}.255.255.255`]);
  await using pipe = await pipeOpen(UDP, { route, conf: { lookup } });
  await assertRefused(pipe, "all:9");
  await assertRefused(pipe, "loop:9");
  await using client = await pipeOpen(UDP, { dest: "all:9", conf: { lookup } });
  await assertRefused(client);
});

Deno.test("broadcast: true lets it out, and who listens hears it", async () => {
  await using server = await pipeOpen(UDP, { route: "0.0.0.0:0" });
  await using pipe = await pipeOpen(UDP, { route, conf: { broadcast: true } });
  await pipe.send("everybody", ["127.255.255.255", server.localAddr.port]);
  const [msg, from] = await server.recvFrom() ?? [];
  assertEquals([text(msg), from], ["everybody", pipe.localAddr]);
});

Deno.test("broadcast: the answers to a client's are from others, which anyPeer lets in", async () => {
  await using server = await pipeOpen(UDP, {
    route: "0.0.0.0:0",
    msgCb: (_, from, pipe) => pipe.send("here", from),
  });
  const dest = ["127.255.255.255", server.localAddr.port] as const;
  for (const anyPeer of [false, true]) {
    await using client = await pipeOpen(UDP, { dest, route, conf: { broadcast: true, anyPeer } });
    await client.send("who is there?");
    if (anyPeer) {
      const [msg, from] = await client.recvFrom() ?? [];
      assertEquals([text(msg), from?.hostname, from?.port], ["here", "127.0.0.1", dest[1]]);
    } else await until(() => client.stats.strangers === 1, "the answer");
  }
});

/** The IPv4 subnets of this host, but for loopback, that have a broadcast address. */
const subnets = (mayReadInterfaces() ? Deno.networkInterfaces() : []).filter((
  { family, address, netmask },
) => family === "IPv4" && !address.startsWith("127.") && !/\.25[45]$/.test(netmask));

Deno.test({
  name:
    "broadcast: the last address of each of this host's subnets is one, its neighbours are none",
  ignore: subnets.length === 0,
  async fn() {
    await using pipe = await pipeOpen(UDP, { route });
    for (const { address, netmask } of subnets) {
      const mask = netmask.split(".").map(Number);
      const last = address.split(".").map((part, i) => Number(part) | (~(mask[i] ?? 0) & 255));
      await assertRefused(pipe, [last.join("."), 9]);
      await assertRefused(pipe, [`::ffff:${last.join(".")}`, 9]);
      // A socket of loopback cannot reach it, but that is the system's refusal.
      const before = [...last.slice(0, 3), (last[3] ?? 0) - 1].join(".");
      const error = await pipe.send("x", [before, 9]).then(() => undefined, (e) => e);
      assertEquals(error instanceof PipeStateError, false, String(error));
    }
  },
});
