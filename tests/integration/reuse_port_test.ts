/** `conf.reuseAddr` between processes. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { pipeOpen, PipeOpenError, type PipeStats, type Proto, TCP, UDP } from "@p2pd/pipes";
import { text } from "../helpers/pipes.ts";
import { Child } from "./_child.ts";

const canRun = Deno.permissions.querySync({ name: "run" }).state === "granted";
const hostname = "127.0.0.1";
const shared = { reuseAddr: true };

/** An echo server in a process of its own. */
const serve = (proto: Proto, route: string, flags: readonly string[]) =>
  new Child("./_echo_server.ts", { flags, args: [proto, route, JSON.stringify(shared)] });

const heard = async (child: Child): Promise<number> => {
  const stats: PipeStats = JSON.parse(await child.ask());
  return stats.messagesIn;
};

for (const flags of [[], ["--unstable-net"]]) {
  const how = flags.length === 0 ? "without a flag" : flags.join("");
  const test = (name: string, fn: () => Promise<void>) =>
    Deno.test({
      name: `reuseAddr, ${how}: ${name}`,
      ignore: !canRun || Deno.build.os !== "linux",
      fn,
    });

  test("two processes share a TCP port, and both serve", async () => {
    await using one = serve(TCP, `${hostname}:0`, flags);
    const port = Number(await one.line());
    await using two = serve(TCP, `${hostname}:${port}`, flags);
    assertEquals(Number(await two.line()), port);
    // The system deals them out by a hash; that one gets all of 64 is less likely than 1 to 2^63.
    for (let i = 0; i < 64; i++) {
      await using client = await pipeOpen(TCP, { dest: [hostname, port] });
      await client.send("anybody?");
      assertEquals(text(await client.recv(undefined, { timeout: 10_000 })), "anybody?");
    }
    const counts = [await heard(one), await heard(two)];
    assertEquals(counts.reduce((sum, count) => sum + count), 64);
    assert(counts.every((count) => count > 0), `served: ${counts}`);
    // One that does not share does not get in.
    const opening = () => pipeOpen(TCP, { route: [hostname, port] });
    assertEquals((await assertRejects(opening, PipeOpenError)).phase, "bind");
  });

  test("two processes share a UDP port, and both hear a broadcast", async () => {
    await using one = serve(UDP, "0.0.0.0:0", flags);
    const port = Number(await one.line());
    await using two = serve(UDP, `0.0.0.0:${port}`, flags);
    assertEquals(Number(await two.line()), port);
    await using client = await pipeOpen(UDP, {
      dest: ["127.255.255.255", port],
      route: [hostname, 0],
      conf: { broadcast: true, anyPeer: true },
    });
    await client.send("all of you");
    for (let i = 0; i < 2; i++) {
      assertEquals(text(await client.recv(undefined, { timeout: 10_000 })), "all of you");
    }
    assertEquals([await heard(one), await heard(two)], [1, 1]);
    const opening = () => pipeOpen(UDP, { route: [hostname, port] });
    assertEquals((await assertRejects(opening, PipeOpenError)).phase, "bind");
  });
}
