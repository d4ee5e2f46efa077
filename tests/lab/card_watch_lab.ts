/** When a pipe ends because its card is gone, and when it does not. */
import { assertEquals } from "@std/assert";
import { labTest } from "./_helpers.ts";
import { ip, onHost } from "./_lone_host.ts";

const OUTLIVES = `
const how = await Promise.race([
  pipe.closed.then(({ error }) => String(error)),
  new Promise((resolve) => setTimeout(() => resolve("open"), 2500)),
]);
console.log(how);
Deno.exit();
`;

labTest(
  "card watch: an address of a routed block, which is on no card, is none to miss",
  async () => {
    const routed = () => ip("route", "add", "local", "198.51.100.0/24", "dev", "lo");
    const said = await onHost(
      routed,
      `import { pipeOpen, Route, RoutePool, UDP } from "@p2pd/pipes";
    const block = "198.51.100.0/24";
    const pool = new RoutePool([new Route({ family: "IPv4", nicIps: [block], extIps: [block] })]);
    const pipe = await pipeOpen(UDP, { route: pool.at(5) });${OUTLIVES}`,
    );
    assertEquals(said, "open");
  },
);

labTest(
  "card watch: a permission taken away meanwhile ends the watch, and nothing else",
  async () => {
    const said = await onHost(
      undefined,
      `import { Interface, pipeOpen, UDP } from "@p2pd/pipes";
    const pipe = await pipeOpen(UDP, { route: Interface.get("card0") });
    Deno.permissions.revokeSync({ name: "sys", kind: "networkInterfaces" });${OUTLIVES}`,
    );
    assertEquals(said, "open");
  },
);

labTest("card watch: an address that two cards share is one place for a daemon", async () => {
  const shared = () => ip("addr", "add", "10.9.9.1/32", "dev", "far0");
  const said = await onHost(
    shared,
    `import { Daemon, Interface, TCP } from "@p2pd/pipes";
    const daemon = new Daemon();
    const cards = Interface.list().filter(({ name }) => name !== "lo");
    const { pipes } = await daemon.listenLocal(TCP, 0, cards);
    console.log(pipes.filter(({ localAddr }) => localAddr.hostname === "10.9.9.1").length);
    await daemon.close();
    Deno.exit();`,
  );
  assertEquals(said, "1");
});
