/** The STUN server for tests, at both ports of the two addresses that it is given, until it is ended. */
import { serveStun } from "@p2pd/pipes/testing";
import { OTHER_PORT, PORT } from "./_nat_world.ts";

await serveStun({ hosts: Deno.args, ports: [PORT, OTHER_PORT] });
console.log("ready");
