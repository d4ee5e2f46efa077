/**
 * socat as a relay, made to say where it listens and to end as the other servers do.
 *
 *     socat.ts relay SINK_PORT
 *
 * @module
 */
import { announce, linesOf } from "../protocol.ts";

const [, sink] = Deno.args;
const socat = new Deno.Command("socat", {
  args: [
    "-dd",
    "-b65536",
    "TCP-LISTEN:0,bind=127.0.0.1,fork,nodelay",
    `TCP:127.0.0.1:${sink},nodelay`,
  ],
  stdin: "null",
  stderr: "piped",
}).spawn();
addEventListener("unload", () => socat.kill());

let ready = false;
for await (const line of linesOf(socat.stderr)) {
  const port = /listening on .*:(\d+)$/.exec(line)?.[1];
  if (port === undefined || ready) continue; // it says so again for each connection
  ready = true;
  announce(Number(port), () => ({})); // not awaited: what else it says has to be read
}
