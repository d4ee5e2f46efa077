/**
 * A chat whose messages are JSON, one in each line: `conf.framing` makes whole messages of the stream,
 * however the network cuts it.
 *
 *     deno run --allow-net framed_chat.ts                          # three clients talk to each other
 *     deno run --allow-net framed_chat.ts --listen 127.0.0.1:7000  # serves until Ctrl-C
 *
 * A client says who it is with {"join": "alice"} and then talks with {"say": "hello"}; `nc` will do. It
 * gets {"from": "bob", "say": "hi"} of the others. What is no JSON, or longer than 4096 bytes, costs it the
 * connection; what is no message of the chat, an {"error": …}.
 *
 * @module
 */
import { formatAddr, jsonLines, type Pipe, pipeOpen, type ServerPipe, TCP } from "@p2pd/pipes";

const USAGE = "Usage: deno run --allow-net framed_chat.ts [--listen HOST:PORT]";
/** The same on both sides. */
const conf = { framing: jsonLines({ max: 4096 }) };

/** What somebody sends; any JSON may come. */
interface Said {
  readonly join?: unknown;
  readonly say?: unknown;
}

function read(msg: Uint8Array): Said {
  const value: unknown = JSON.parse(new TextDecoder().decode(msg));
  return typeof value === "object" && value !== null ? value : {};
}

async function serve(route: string): Promise<ServerPipe> {
  const names = new Map<Pipe, string>();
  const report = (error: unknown) => console.log(error instanceof Error ? error.message : error);
  const server = await pipeOpen(TCP, { route, conf: { ...conf, onError: report } });
  server.addMsgCb(async (msg, _from, client) => {
    const { join, say } = read(msg);
    const name = names.get(client);
    if (typeof join === "string" && name === undefined) {
      names.set(client, join);
      await client.send(JSON.stringify({ welcome: join, here: names.size }));
    } else if (typeof say === "string" && name !== undefined) {
      const message = JSON.stringify({ from: name, say });
      const others = [...names.keys()].filter((other) => other !== client);
      // Whoever does not read makes those wait who talk; whoever has left is no reason to stop.
      await Promise.allSettled(others.map((other) => other.send(message)));
    } else await client.send(JSON.stringify({ error: "join first, once, then say something" }));
  });
  server.addEndCb((_msg, _from, client) => {
    const name = names.get(client);
    names.delete(client);
    if (name !== undefined) console.log(`${name} left`);
  });
  return server;
}

async function demo(): Promise<void> {
  await using server = await serve("127.0.0.1:0");
  console.log(`Listening on ${formatAddr(server.localAddr)}`);
  await using alice = await join(server, "alice");
  await using bob = await join(server, "bob");
  await using carol = await join(server, "carol");

  // Two messages at once stay two.
  await Promise.all(["hello", "how are you?"].map((say) => alice.send(JSON.stringify({ say }))));
  for (const [name, pipe] of Object.entries({ bob, carol })) {
    for (let i = 0; i < 2; i++) console.log(`  ${name} reads ${show(await pipe.recv())}`);
  }
  // One that comes byte by byte stays one: dave has no framing.
  await using dave = await pipeOpen(TCP, { dest: server.localAddr });
  for (const byte of new TextEncoder().encode('{"join":"dave"}\n{"say":"hi"}\n')) {
    await dave.send(new Uint8Array([byte]));
  }
  console.log(`  alice reads ${show(await alice.recv())}`);
}

async function join(server: Pipe, name: string): Promise<Pipe> {
  const pipe = await pipeOpen(TCP, { dest: server.localAddr, conf });
  const [welcome] = await pipe.request(JSON.stringify({ join: name }));
  console.log(`${name} joins: ${show(welcome)}`);
  return pipe;
}

function show(msg: Uint8Array | null): string {
  return msg === null ? "the end" : new TextDecoder().decode(msg);
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
