/**
 * An echo server on a Unix socket, for programs on the same machine, and a client.
 *
 *     deno run --allow-net --allow-read --allow-write unix_echo.ts        # serves itself
 *     deno run --allow-net=unix:/tmp/echo.sock --allow-read=/tmp/echo.sock \
 *       --allow-write=/tmp/echo.sock unix_echo.ts --listen /tmp/echo.sock # until Ctrl-C
 *
 * Another client: `socat - UNIX-CONNECT:/tmp/echo.sock`.
 *
 * @module
 */
import { formatAddr, pipeOpen, type ServerPipe, TCP } from "@p2pd/pipes";

const USAGE = "Usage: deno run --allow-net --allow-read --allow-write unix_echo.ts [--listen PATH]";

/** A path where a server died is taken over; one where somebody listens, or a file, is not. */
function serve(path: string): Promise<ServerPipe> {
  // TCP stands for a stream of bytes: everything is as on TCP but the address.
  return pipeOpen(TCP, { route: { path }, msgCb: (msg, _from, pipe) => pipe.send(msg) });
}

async function demo(): Promise<void> {
  // Who may connect is a matter of file permissions: this directory is its owner's alone.
  const directory = await Deno.makeTempDir();
  try {
    await using server = await serve(`${directory}/echo.sock`);
    console.log(`Listening on ${formatAddr(server.localAddr)}`);

    await using client = await pipeOpen(TCP, { dest: server.localAddr });
    for (const text of ["hello", "no network needed"]) {
      const [reply] = await client.request(text);
      console.log(`sent "${text}", got "${new TextDecoder().decode(reply)}"`);
    }
  } finally {
    await Deno.remove(directory); // the server has removed its socket
  }
}

try {
  const [option, path, ...rest] = Deno.args;
  if (option === undefined) {
    await demo();
  } else if (option === "--listen" && path !== undefined && rest.length === 0) {
    const server = await serve(path);
    // With the socket's file: the next server would take it over, but other programs stumble.
    Deno.addSignalListener("SIGINT", () => server.close());
    console.log(`Listening on ${formatAddr(server.localAddr)}`);
    await server.closed;
    Deno.exit();
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
