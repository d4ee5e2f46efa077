/** request: to an address that many hear, whose answers come from addresses of their own. */
import { assertEquals, assertRejects } from "@std/assert";
import {
  type Dest,
  type MsgCb,
  type NetConf,
  pipeOpen,
  PipeStateError,
  PipeTimeoutError,
  UDP,
} from "@p2pd/pipes";
import { text, until } from "../../helpers/pipes.ts";

const loopback = "127.0.0.1", route = "127.0.0.1:0";
/** A group that no other process has. */
const GROUP = `239.79.${Deno.pid >> 8 & 255}.${Deno.pid & 255}`;
const onLinux = Deno.build.os === "linux";

const echo: MsgCb = (msg, from, pipe) => pipe.send(`re ${text(msg)}`, from);

/** One that hears what is sent to a kind of group, and the address to send it to. */
const GROUPS: readonly [name: string, hostname: string, conf: Partial<NetConf>][] = [
  ["loopback's broadcast address", "127.255.255.255", {}],
  ["a multicast group", GROUP, { multicast: { group: GROUP, interface: loopback } }],
];

for (const [name, hostname, joined] of GROUPS) {
  const ignore = !onLinux;
  const listen = (msgCb: MsgCb) => pipeOpen(UDP, { route: "0.0.0.0:0", conf: joined, msgCb });
  const conf = { broadcast: true };

  Deno.test({
    name: `request: ${name}: the first reply counts, whoever sends it`,
    ignore,
    async fn() {
      await using server = await listen(echo);
      const dest: Dest = [hostname, server.localAddr.port];
      await using asker = await pipeOpen(UDP, { route, conf });
      const [reply, from] = await asker.request("?", { dest, timeout: 5000 });
      assertEquals([text(reply), from.hostname, from.port], ["re ?", loopback, dest[1]]);
      assertEquals(asker.stats.messagesOut, 1);
      // Many at once, each with its own.
      const replies = await Promise.all(
        Array.from(
          { length: 100 },
          (_, i) => asker.request(`${i};`, { dest, match: `re ${i};`, timeout: 5000 }),
        ),
      );
      assertEquals(replies.map(([msg]) => text(msg)), replies.map((_, i) => `re ${i};`));
      // A client whose own peer it is hears others only if it is told to.
      await using client = await pipeOpen(UDP, { dest, route, conf: { ...conf, anyPeer: true } });
      assertEquals(text((await client.request("own", { timeout: 5000 }))[0]), "re own");
    },
  });

  Deno.test({
    name: `request: ${name}: refused at once where nobody who answers would be heard`,
    ignore,
    async fn() {
      await using server = await listen(echo);
      const dest: Dest = [hostname, server.localAddr.port];
      const lookup = () => Promise.resolve([hostname]);
      await using client = await pipeOpen(UDP, { dest, route, conf });
      await using other = await pipeOpen(UDP, {
        dest: [loopback, server.localAddr.port],
        route,
        conf: { ...conf, lookup },
      });
      const timeout = 5000;
      for (
        const ask of [
          () => client.request("?", { timeout }),
          () => client.request("?", { timeout, dest }),
          () => other.request("?", { timeout, dest }),
          () => other.request("?", { timeout, dest: ["all.example", dest[1]] }),
        ]
      ) await assertRejects(ask, PipeStateError, "anyPeer");
      assertEquals([client.stats.messagesOut, other.stats.messagesOut], [0, 0]);
      assertEquals(text((await other.request("!", { timeout }))[0]), "re !"); // that is its peer
    },
  });

  Deno.test({
    name: `request: ${name}: asked again until somebody's reply matches; others get the rest`,
    ignore,
    async fn() {
      let times = 0;
      await using server = await listen((_, from, pipe) =>
        pipe.send(++times < 2 ? "busy" : "free", from)
      );
      const dest: Dest = [hostname, server.localAddr.port];
      await using asker = await pipeOpen(UDP, { route, conf });
      const [reply] = await asker.request("?", { dest, match: "free", timeout: 600 });
      assertEquals([text(reply), times], ["free", 2]);
      assertEquals(text(await asker.recv()), "busy");
      await assertRejects(
        () => asker.request("?", { dest, match: "never", timeout: 30, retries: 0 }),
        PipeTimeoutError,
      );
      await until(() => times === 3, "the third question");
    },
  });
}

Deno.test("request: a reply goes to the one that waits longest, whether it asked one or many", async () => {
  await using one = await pipeOpen(UDP, { route });
  await using asker = await pipeOpen(UDP, { route, conf: { broadcast: true } });
  const many: Dest = ["127.255.255.255", one.localAddr.port];
  const timeout = 5000;
  for (const dests of [[many, one.localAddr], [one.localAddr, many]]) {
    const ended: number[] = [];
    const asking = dests.map((dest, i) =>
      asker.request("?", { dest, timeout, retries: 0 }).then(() => void ended.push(i))
    );
    await one.send("first", asker.localAddr);
    await one.send("second", asker.localAddr);
    await Promise.all(asking);
    assertEquals(ended, [0, 1]);
  }
});
