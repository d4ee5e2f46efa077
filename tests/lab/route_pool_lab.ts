/** Failover of a client whose first routes lead nowhere, and say nothing. */
import { assert } from "@std/assert";
import { labTest } from "./_helpers.ts";
import { NAME, onHost, run } from "./_lone_host.ts";

/** What comes from these addresses is lost. */
const DEAD = "127.0.1.0/24";
const RULES = [
  "add table ip lab",
  "add chain ip lab input { type filter hook input priority 0; }",
  `add rule ip lab input ip saddr ${DEAD} tcp flags syn drop`,
];

async function dropAll(): Promise<void> {
  for (const rule of RULES) await run(["ip", "netns", "exec", NAME, "nft", rule]);
}

for (const [dead, conTimeout] of [[1, 2000], [12, 2000], [3, 200]] as const) {
  labTest(
    `a pool with ${dead} dead routes first: the live one within ${conTimeout} ms`,
    async () => {
      const said = await onHost(
        dropAll,
        `import { pipeOpen, Route, RoutePool, TCP } from "@p2pd/pipes";
      const from = (ip) => new Route({ family: "IPv4", nicIps: [ip], extIps: [ip] });
      const dead = Array.from({ length: ${dead} }, (_, i) => from("127.0.1." + (i + 1)));
      const server = await pipeOpen(TCP, { route: "127.0.0.1:0" });
      const start = performance.now();
      const pipe = await pipeOpen(TCP, {
        dest: server.localAddr,
        route: new RoutePool([...dead, from("127.0.0.9")]),
        conf: { conTimeout: ${conTimeout} },
      });
      console.log(pipe.localAddr.hostname, Math.round(performance.now() - start));
      Deno.exit();`,
      );
      const [address, took] = said.split(" ");
      assert(address === "127.0.0.9" && Number(took) < conTimeout, said);
      // The dead ones were given their chance.
      assert(Number(took) >= Math.min(250, conTimeout / (dead + 2)) * dead * 0.9, said);
    },
  );
}
