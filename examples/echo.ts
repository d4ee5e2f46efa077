/**
 * A TCP echo server and a client.
 *
 *     deno run --allow-net echo.ts                          # serves itself, sends, prints the replies
 *     deno run --allow-net echo.ts --listen 127.0.0.1:7000  # serves until Ctrl-C; "*:7000": everywhere
 *
 * @module
 */
import { formatAddr, pipeOpen, type ServerPipe, TCP } from "@p2pd/pipes";

const USAGE = "Usage: deno run --allow-net echo.ts [--listen HOST:PORT]";

function serve(route: string): Promise<ServerPipe> {
  // Returning the promise of `send` makes a client that does not read wait, instead of filling memory.
  return pipeOpen(TCP, { route, msgCb: (msg, _from, pipe) => pipe.send(msg) });
}

async function demo(): Promise<void> {
  await using server = await serve("127.0.0.1:0");
  console.log(`Listening on ${formatAddr(server.localAddr)}`);

  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  for (const text of ["hello", "echo me", "bye"]) {
    // TCP is a stream: a reply this short comes in one piece, a longer one may come in several.
    const [reply] = await client.request(text);
    console.log(`sent "${text}", got "${new TextDecoder().decode(reply)}"`);
  }
}

try {
  const [option, route, ...rest] = Deno.args;
  if (option === undefined) {
    await demo();
  } else if (option === "--listen" && route !== undefined && rest.length === 0) {
    const server = await serve(route);
    console.log(`Listening on ${formatAddr(server.localAddr)}`);
    await server.closed;
  } else {
    throw new TypeError(`arguments: cannot understand "${Deno.args.join(" ")}"`);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  // Wrong arguments, ours or the library's, are TypeErrors and RangeErrors.
  const usage = error instanceof TypeError || error instanceof RangeError;
  if (usage) console.error(USAGE);
  Deno.exit(usage ? 2 : 1);
}
