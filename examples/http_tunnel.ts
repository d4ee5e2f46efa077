/**
 * A tunnel through HTTP: `GET /tunnel/NAME` is answered by "200 OK", and from there on the connection
 * is a two-way relay to whatever NAME stands for.
 *
 *     deno run --allow-net http_tunnel.ts   # tunnels to an echo server of its own
 *     deno run --allow-net http_tunnel.ts --listen 127.0.0.1:8080 ssh=192.0.2.1:22 db=192.0.2.2:5432
 *
 * This is no web server: it understands just as much HTTP as the trick needs.
 *
 * @module
 */
import {
  formatAddr,
  type Pipe,
  pipeOpen,
  PipeTimeoutError,
  type ServerPipe,
  SUB_ALL,
  TCP,
  UDP,
} from "@p2pd/pipes";

const USAGE = "Usage: deno run --allow-net http_tunnel.ts [--listen HOST:PORT] NAME=HOST:PORT...";

/** A longer request head is refused. */
const MAX_HEAD = 8 * 1024;
/** Milliseconds for the whole head, however slowly it drips, and for a refused client to go. */
const PATIENCE = 5000;
/** Connections at a time. Those beyond are turned away. */
const MAX_CLIENTS = 1000;
/** Blank line: the end of a head. */
const END = [13, 10, 13, 10];

type Status =
  | "400 Bad Request"
  | "404 Not Found"
  | "408 Request Timeout"
  | "431 Request Header Fields Too Large"
  | "502 Bad Gateway";

/** Why a request gets no tunnel. */
class Refusal extends Error {
  readonly status: Status;
  constructor(status: Status) {
    super(status);
    this.status = status;
  }
}

/** Starts to serve; closing the pipe that it returns ends everything. */
async function serve(route: string, names: ReadonlyMap<string, string>): Promise<ServerPipe> {
  const server = await pipeOpen(TCP, { route, conf: { keepAlive: true } });
  acceptAll(server, names);
  return server;
}

async function acceptAll(server: ServerPipe, names: ReadonlyMap<string, string>): Promise<void> {
  for await (const client of server.connections()) {
    if (server.clients.size > MAX_CLIENTS) client.abort();
    else tunnel(client, names).catch((error) => refuse(client, error));
  }
}

async function tunnel(client: Pipe, names: ReadonlyMap<string, string>): Promise<void> {
  const [head, rest] = await readHead(client);
  const dest = names.get(nameIn(head));
  if (dest === undefined) throw new Refusal("404 Not Found");
  const target = await open(dest);
  try {
    // The client may send on right after its head; these bytes are the first for the target.
    if (rest.length > 0) await target.send(rest);
    await client.send("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n");
    client.addPipe(target);
    target.addPipe(client);
  } catch (error) {
    target.abort();
    throw error;
  }
}

/** Reads until the blank line. Returns what is before it as text, and the bytes after it. */
async function readHead(client: Pipe): Promise<[head: string, rest: Uint8Array]> {
  const deadline = performance.now() + PATIENCE;
  let got = new Uint8Array();
  for (;;) {
    const timeout = Math.max(0, deadline - performance.now());
    const chunk = await client.recv(SUB_ALL, { timeout });
    if (chunk === null) throw new Refusal("400 Bad Request");
    const before = got.length;
    const joined = new Uint8Array(before + chunk.length);
    joined.set(got);
    joined.set(chunk, before);
    got = joined;
    // The blank line may have been cut by the network, so look again at the last three bytes.
    const end = indexOfEnd(got, Math.max(0, before - 3));
    if (end > MAX_HEAD || (end < 0 && got.length > MAX_HEAD)) {
      throw new Refusal("431 Request Header Fields Too Large");
    }
    if (end >= 0) return [new TextDecoder().decode(got.subarray(0, end)), got.slice(end + 4)];
  }
}

function indexOfEnd(bytes: Uint8Array, from: number): number {
  for (let i = from; i + END.length <= bytes.length; i++) {
    if (END.every((byte, j) => bytes[i + j] === byte)) return i;
  }
  return -1;
}

/** The NAME that the head of a request asks for. */
function nameIn(head: string): string {
  const [line = ""] = head.split("\r\n", 1);
  const [method, path = "", version, ...more] = line.split(" ");
  const known = version === "HTTP/1.1" || version === "HTTP/1.0";
  if (method !== "GET" || !path.startsWith("/") || !known || more.length > 0) {
    throw new Refusal("400 Bad Request");
  }
  const [, folder, name = "", ...deeper] = path.split("/");
  if (folder !== "tunnel" || deeper.length > 0) throw new Refusal("404 Not Found");
  return name;
}

async function open(dest: string): Promise<Pipe> {
  try {
    return await pipeOpen(TCP, { dest, conf: { keepAlive: true } });
  } catch (error) {
    console.log(textOf(error));
    throw new Refusal("502 Bad Gateway");
  }
}

/** Says why and closes. */
async function refuse(client: Pipe, error: unknown): Promise<void> {
  const status = error instanceof Refusal
    ? error.status
    : error instanceof PipeTimeoutError
    ? "408 Request Timeout"
    : undefined; // the connection failed
  try {
    if (status === undefined) return;
    await client.send(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    await client.closeWrite();
    // To close with something unread would reset the connection, and the client might lose the answer.
    const deadline = performance.now() + PATIENCE;
    for (let left = PATIENCE; left > 0; left = deadline - performance.now()) {
      if (await client.recv(SUB_ALL, { timeout: left }) === null) return;
    }
  } catch {
    // It did not wait for the answer, or did not go: its own loss.
  } finally {
    client.abort();
  }
}

/** Asks for a tunnel, says something through it, and returns what came back. */
async function ask(server: Pipe, name: string, text: string): Promise<string> {
  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  await client.send(`GET /tunnel/${name} HTTP/1.1\r\nHost: localhost\r\n\r\n${text}`);
  await client.closeWrite();
  let answer = "";
  for await (const [msg] of client) answer += new TextDecoder().decode(msg);
  return answer;
}

async function demo(): Promise<void> {
  await using echo = await pipeOpen(TCP, {
    route: "127.0.0.1:0",
    msgCb: (msg, _from, pipe) => pipe.send(msg),
  });
  const names = new Map([["echo", formatAddr(echo.localAddr)]]);
  await using server = await serve("127.0.0.1:0", names);
  console.log(`Listening on ${formatAddr(server.localAddr)}, tunnels: echo=${names.get("echo")}`);
  for (const name of ["echo", "nobody"]) {
    const answer = await ask(server, name, "hello through HTTP");
    const [status] = answer.split("\r\n");
    const body = answer.slice(answer.indexOf("\r\n\r\n") + 4);
    console.log(`GET /tunnel/${name}: ${status}${body && `, then "${body}"`}`);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** NAME=HOST:PORT arguments. */
async function parseNames(args: readonly string[]): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  for (const arg of args) {
    const [, name, dest] = /^([\w.-]+)=(.+)$/.exec(arg) ?? [];
    if (name === undefined || dest === undefined) {
      throw new TypeError(`arguments: NAME=HOST:PORT is needed, got "${arg}"`);
    }
    // Opening over UDP sends nothing, but finds out whether there is such an address.
    await (await pipeOpen(UDP, { dest })).close();
    names.set(name, dest);
  }
  if (names.size === 0) throw new TypeError("arguments: NAME=HOST:PORT is needed, got none");
  return names;
}

try {
  if (Deno.args.length === 0) {
    await demo();
  } else {
    const listen = Deno.args[0] === "--listen";
    const names = await parseNames(listen ? Deno.args.slice(2) : Deno.args);
    const server = await serve(listen ? Deno.args[1] ?? "" : "127.0.0.1:8080", names);
    const list = [...names.keys()].join(" ");
    console.log(`Listening on ${formatAddr(server.localAddr)}, tunnels: ${list}`);
    await server.closed;
  }
} catch (error) {
  console.error(textOf(error));
  // Wrong arguments, ours or the library's, are TypeErrors and RangeErrors.
  const usage = error instanceof TypeError || error instanceof RangeError;
  if (usage) console.error(USAGE);
  Deno.exit(usage ? 2 : 1);
}
