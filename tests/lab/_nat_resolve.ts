/**
 * The host behind the NATs of nat_lab.ts: prints the routes of its cards, as others see them. Its
 * argument is JSON: the servers, the blocks and the cards.
 *
 * @module
 */
import { Interface } from "@p2pd/pipes";

// A fifth of everything is lost either way: asked often, and never for long.
const timing = { rto: 100, rc: 7, rm: 16, ti: 8000 };
const { servers, blocks, cards } = JSON.parse(Deno.args[0] ?? "");
for (const name of cards) {
  const more = name === cards[0] ? { blocks } : {};
  const nic = await Interface.get(name).resolve({ servers, timing, ...more });
  for (const { nicIps, extIps } of nic.routes("IPv4").routes) {
    console.log(`${name} ${nicIps.join(" ")} > ${extIps.join(" ")}`);
  }
}
