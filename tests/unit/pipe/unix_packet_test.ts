/** Datagrams on Unix paths: addresses, filters by path, and the flag that they need. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { pipeOpen, PipeOpenError, UDP } from "@p2pd/pipes";
import { latch, text } from "../../helpers/pipes.ts";
import { hasDenoUdp } from "../../helpers/probes.ts";
import { exists, freePath, hasPaths } from "../../helpers/unix.ts";

/** A test that has a path of its own, where the process can have datagrams there or cannot. */
function unixTest(name: string, test: (path: string) => Promise<void>, ignore: boolean): void {
  Deno.test(`unix packets: ${name}`, { ignore: !hasPaths || ignore }, () => test(freePath()));
}

unixTest("a server answers each of its clients", async (path) => {
  await using server = await pipeOpen(UDP, {
    route: { path },
    msgCb: (msg, from, pipe) => pipe.send(`${text(msg)} from ${from.path}`, from),
  });
  assertEquals(server.localAddr, { transport: "udp", hostname: path, port: 0, path });
  for (const mine of [`${path}.1`, `${path}.2`]) {
    await using client = await pipeOpen(UDP, { dest: server.localAddr, route: { path: mine } });
    assertEquals([client.localAddr.path, client.remoteAddr?.path], [mine, path]);
    await client.send("hello");
    assertEquals(text(await client.recv()), `hello from ${mine}`);
    const [reply, from] = await client.request("again");
    assertEquals([text(reply), from.path], [`again from ${mine}`, path]);
  }
  assert(!exists(`${path}.1`) && !exists(`${path}.2`));
}, !hasDenoUdp);

unixTest("a client hears its peer alone, and a filter one sender", async (path) => {
  const a = `${path}.a`, b = `${path}.b`;
  await using client = await pipeOpen(UDP, { dest: { path: a }, route: { path } });
  await using peer = await pipeOpen(UDP, { route: { path: a } });
  await using stranger = await pipeOpen(UDP, { route: { path: b } });
  await stranger.send("no", { path });
  await peer.send("yes", { path });
  assertEquals(text(await client.recv()), "yes");
  assertEquals(client.stats.strangers, 1);
  using fromB = peer.subscribe({ from: { path: b } });
  const rest = latch();
  peer.addMsgCb((msg) => text(msg) === "last" ? rest.open() : undefined);
  await client.send("of the client");
  await stranger.send("of b", { path: a });
  await client.send("last");
  await rest.done;
  assertEquals(text(await fromB.recv()), "of b");
  assertEquals(fromB.size, 0);
}, !hasDenoUdp);

unixTest("they need --unstable-net, and say so before anything is opened", async (path) => {
  for (const options of [{ route: { path } }, { route: { path }, dest: { path: `${path}.d` } }]) {
    const error = await assertRejects(() => pipeOpen(UDP, options), PipeOpenError);
    assertEquals(error.phase, "permission");
    assertStringIncludes(error.message, "run with --unstable-net");
  }
  assert(!exists(path));
}, hasDenoUdp);
