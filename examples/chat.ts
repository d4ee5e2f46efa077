/**
 * A chat: a TCP server whose clients are linked to each other, so that what one says the others read.
 *
 *     deno run --allow-net chat.ts                          # three clients talk to each other
 *     deno run --allow-net chat.ts --listen 127.0.0.1:7000  # serves until Ctrl-C
 *
 * Links carry backpressure: nothing is lost and memory stays small, but a client that never reads makes
 * those wait who talk to it, once the system's buffers are full. Where that matters, do without links:
 * give each client a MessageQueue that drops ("drop-oldest") and a loop that sends from it, or abort
 * the pipe of a client whose queue stays full.
 *
 * @module
 */
import { formatAddr, type Pipe, pipeOpen, type ServerPipe, TCP } from "@p2pd/pipes";

const USAGE = "Usage: deno run --allow-net chat.ts [--listen HOST:PORT]";

async function serve(route: string): Promise<ServerPipe> {
  const server = await pipeOpen(TCP, { route });
  server.addUpCb((_, from, client) => {
    console.log(`${formatAddr(from)} joined`);
    for (const other of server.clients) {
      if (other === client) continue;
      // Without `end: false` two pipes linked to each other end together, as those of a relay must.
      client.addPipe(other, { end: false });
      other.addPipe(client, { end: false });
    }
    return client.send(`Welcome, ${server.clients.size} here\n`);
  });
  server.addEndCb((_, from) => console.log(`${formatAddr(from)} left`));
  // Reads what somebody says who is alone; it would wait for the next one to join otherwise.
  server.addMsgCb(() => {});
  return server;
}

async function demo(): Promise<void> {
  await using server = await serve("127.0.0.1:0");
  console.log(`Listening on ${formatAddr(server.localAddr)}`);
  await using alice = await join(server);
  await using bob = await join(server);
  await using carol = await join(server);

  await say("alice", alice, { bob, carol });
  await leave(server, bob);
  await say("carol", carol, { alice });
}

/** Connects, and waits for the welcome: whoever has it is linked to all others. */
async function join(server: Pipe): Promise<Pipe> {
  const pipe = await pipeOpen(TCP, { dest: server.localAddr });
  await pipe.recv();
  return pipe;
}

async function say(name: string, pipe: Pipe, others: Record<string, Pipe>): Promise<void> {
  await pipe.send(`hello from ${name}`);
  for (const [other, theirs] of Object.entries(others)) {
    const msg = await theirs.recv();
    console.log(`  ${other} reads "${msg && new TextDecoder().decode(msg)}"`);
  }
}

/** Leaves, and waits until the server has noticed. */
async function leave(server: ServerPipe, pipe: Pipe): Promise<void> {
  const { port } = pipe.localAddr;
  const theirSide = [...server.clients].find((client) => client.remoteAddr?.port === port);
  await pipe.close();
  await theirSide?.closed;
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
