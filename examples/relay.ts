/**
 * A port forwarder with TCP or UDP on either side.
 *
 *     deno run --allow-net relay.ts   # forwards to echo servers of its own, in all four ways
 *     deno run --allow-net relay.ts --listen tcp://127.0.0.1:8080 --to udp://192.0.2.1:9000
 *
 * Each TCP connection, and each UDP peer, gets a connection of its own to the target. From TCP to UDP
 * whatever one read gives becomes a datagram: bytes are kept, message boundaries are not there to keep.
 *
 * @module
 */
import {
  formatAddr,
  MessageQueue,
  type NetAddr,
  type Pipe,
  pipeOpen,
  PipeTimeoutError,
  type Proto,
  TCP,
  UDP,
} from "@p2pd/pipes";

const USAGE = "Usage: deno run --allow-net relay.ts --listen [tcp://|udp://]HOST:PORT " +
  "--to [tcp://|udp://]HOST:PORT";

/** Connections, or UDP peers, at a time. Those beyond are turned away. */
const MAX_SESSIONS = 1000;
/** A UDP peer that neither sends nor gets anything for so long is forgotten. Milliseconds. */
const IDLE = 60_000;
/** How long answers over UDP may still come after a TCP client has ended. Milliseconds. */
const GRACE = 1000;
/** What the target of one UDP peer may be behind by; older datagrams are dropped. */
const BEHIND = { maxItems: 256, maxBytes: 256 * 1024 };

const conf = { keepAlive: true, onError: (error: unknown) => console.log(textOf(error)) };

interface Side {
  readonly proto: Proto;
  readonly addr: string;
}

/** Starts to forward; closing the pipe that it returns ends everything. */
async function relay(listen: Side, to: Side): Promise<Pipe> {
  if (listen.proto === UDP) {
    const server = await pipeOpen(UDP, { route: listen.addr, conf });
    forwardPeers(server, to);
    return server;
  }
  const server = await pipeOpen(TCP, { route: listen.addr, conf });
  server.addUpCb((_, from, client) => {
    if (server.clients.size > MAX_SESSIONS) client.abort();
    else return forwardClient(client, from, to);
  });
  return server;
}

/** Links a TCP client to the target. What the client sends meanwhile waits in its pipe. */
async function forwardClient(client: Pipe, from: NetAddr, to: Side): Promise<void> {
  let target: Pipe | undefined;
  try {
    target = await pipeOpen(to.proto, { dest: to.addr, conf });
    client.addPipe(target);
    target.addPipe(client);
    if (to.proto === UDP) closeAfterGrace(client, target);
  } catch (error) {
    console.log(`${formatAddr(from)} closed: ${textOf(error)}`);
    client.abort();
    await target?.close();
  }
}

/** UDP has no end to pass on, so what ends is the pipe, once the last answers had their time. */
function closeAfterGrace(client: Pipe, target: Pipe): void {
  client.addEndCb(() => {
    const timer = setTimeout(() => target.close(), GRACE);
    target.closed.then(() => clearTimeout(timer));
  });
}

/** Gives each peer of a UDP server a session. */
async function forwardPeers(server: Pipe, to: Side): Promise<void> {
  const sessions = new Map<string, MessageQueue<Uint8Array>>();
  for await (const [msg, from] of server) {
    const key = formatAddr(from);
    let queue = sessions.get(key);
    if (queue === undefined) {
      if (sessions.size >= MAX_SESSIONS) continue;
      queue = new MessageQueue({ ...BEHIND, sizeOf: (m) => m.length, overflow: "drop-oldest" });
      sessions.set(key, queue);
      forwardPeer(server, from, queue, to)
        .catch((error) => console.log(`${key} closed: ${textOf(error)}`))
        .finally(() => sessions.delete(key));
    }
    queue.push(msg);
  }
  for (const queue of sessions.values()) queue.close();
}

/** Sends what waits in the queue to the target, and what the target answers to the peer. */
async function forwardPeer(
  server: Pipe,
  peer: NetAddr,
  queue: MessageQueue<Uint8Array>,
  to: Side,
): Promise<void> {
  await using target = await pipeOpen(to.proto, {
    dest: to.addr,
    conf,
    msgCb: (msg) => answer(server, msg, peer),
  });
  target.closed.then(() => queue.close());
  for (let answers = 0;;) {
    try {
      const msg = await queue.take({ timeout: IDLE });
      if (msg === null) return;
      await target.send(msg);
    } catch (error) {
      if (!(error instanceof PipeTimeoutError)) throw error;
      if (target.stats.messagesIn === answers) return;
      answers = target.stats.messagesIn;
    }
  }
}

/** A stream can give more at a time than fits into a datagram. */
async function answer(server: Pipe, msg: Uint8Array, peer: NetAddr): Promise<void> {
  const most = 65507;
  await server.send(msg.subarray(0, most), peer);
  for (let at = most; at < msg.length; at += most) {
    await server.send(msg.subarray(at, at + most), peer);
  }
}

async function demo(): Promise<void> {
  const route = "127.0.0.1:0";
  for (const proto of [TCP, UDP] as const) {
    await using echo = await pipeOpen(proto, { route, msgCb: (m, from, p) => p.send(m, from) });
    for (const listen of [TCP, UDP] as const) {
      await using server = await relay(
        { proto: listen, addr: route },
        { proto, addr: formatAddr(echo.localAddr) },
      );
      await using client = await pipeOpen(listen, { dest: server.localAddr });
      const [reply] = await client.request("hello");
      const way = `${listen}://${formatAddr(server.localAddr)} to ${proto}://${
        formatAddr(echo.localAddr)
      }`;
      console.log(`${way}: sent "hello", got "${new TextDecoder().decode(reply)}"`);
    }
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function parseSide(text: string): Side {
  const [scheme = TCP, addr = text] = text.includes("://") ? text.split("://") : [];
  if (scheme !== TCP && scheme !== UDP) {
    throw new TypeError(`arguments: "tcp://" or "udp://" is needed, got "${text}"`);
  }
  return { proto: scheme, addr };
}

/** `--listen A --to B`, in either order. */
function parseArguments(args: readonly string[]): { listen: Side; to: Side } {
  const [first, a, second, b] = args;
  if (args.length === 4 && a !== undefined && b !== undefined) {
    if (first === "--listen" && second === "--to") {
      return { listen: parseSide(a), to: parseSide(b) };
    }
    if (first === "--to" && second === "--listen") {
      return { listen: parseSide(b), to: parseSide(a) };
    }
  }
  throw new TypeError(`arguments: --listen and --to are needed, got "${args.join(" ")}"`);
}

try {
  if (Deno.args.length === 0) {
    await demo();
  } else {
    const { listen, to } = parseArguments(Deno.args);
    // Opening over UDP sends nothing, but finds out whether there is such an address.
    await (await pipeOpen(UDP, { dest: to.addr })).close();
    const server = await relay(listen, to);
    const where = `${listen.proto}://${formatAddr(server.localAddr)}`;
    console.log(`Listening on ${where}, forwarding to ${to.proto}://${to.addr}`);
    await server.closed;
  }
} catch (error) {
  console.error(textOf(error));
  // Wrong arguments, ours or the library's, are TypeErrors and RangeErrors.
  const usage = error instanceof TypeError || error instanceof RangeError;
  if (usage) console.error(USAGE);
  Deno.exit(usage ? 2 : 1);
}
