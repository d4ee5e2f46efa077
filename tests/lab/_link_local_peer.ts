/**
 * The other end of link_local_lab.ts, run in a network namespace of its own.
 *
 *     serve PROTO ADDRESS   echoes, and prints where it listens and who asks
 *     ask PROTO ADDRESS     asks, and prints both addresses and the answer
 *
 * @module
 */
import { pipeOpen, TCP, UDP } from "@p2pd/pipes";

const [mode, protoName, at] = Deno.args;
const proto = protoName === TCP ? TCP : UDP;
if (at === undefined) throw new TypeError("an address is needed");

if (mode === "serve") {
  const server = await pipeOpen(proto, { route: at });
  console.log(`listening ${JSON.stringify(server.localAddr)}`);
  for await (const [msg, from] of server) {
    console.log(`from ${JSON.stringify(from)}`);
    await server.send(msg, from);
  }
} else {
  await using client = await pipeOpen(proto, { dest: at });
  const [answer, from] = await client.request("over the link");
  console.log(`answer ${new TextDecoder().decode(answer)} from ${JSON.stringify(from)}`);
  console.log(`local ${JSON.stringify(client.localAddr)}`);
  console.log(`remote ${JSON.stringify(client.remoteAddr)}`);
}
