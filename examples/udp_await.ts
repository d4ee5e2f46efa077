/**
 * A request over UDP that is awaited, with a timeout and retries: "what is my address?", asked of a
 * STUN server (RFC 8489).
 *
 *     deno run --allow-net udp_await.ts                        # asks a small server of its own
 *     deno run --allow-net udp_await.ts stun.example.org:3478  # asks that one
 *
 * @module
 */
import { type NetAddr, pipeOpen, UDP } from "@p2pd/pipes";

const USAGE = "Usage: deno run --allow-net udp_await.ts [HOST:PORT]";

const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const BINDING_ERROR = 0x0111;
const XOR_MAPPED_ADDRESS = 0x0020;
const MAGIC_COOKIE = 0x2112a442;
const HEADER = 20;

/** Asks a server for the address that it sees us under. */
async function mappedAddress(server: string | NetAddr): Promise<string> {
  await using pipe = await pipeOpen(UDP, { dest: server });
  const id = crypto.getRandomValues(new Uint8Array(12));
  const [answer] = await pipe.request(message(BINDING_REQUEST, id), {
    match: (msg) => isAnswerTo(id, msg),
    // Sent again on silence after 0.5, 1.5 and 3.5 seconds.
    timeout: 7500,
    retries: 3,
  });
  return parseAnswer(answer);
}

/** A STUN message: type, length, magic cookie, transaction id, attributes. */
function message(type: number, id: Uint8Array, attributes = new Uint8Array()): Uint8Array {
  const msg = new Uint8Array(HEADER + attributes.length);
  const view = new DataView(msg.buffer);
  view.setUint16(0, type);
  view.setUint16(2, attributes.length);
  view.setUint32(4, MAGIC_COOKIE);
  msg.set(id, 8);
  msg.set(attributes, HEADER);
  return msg;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Whether a datagram is a whole STUN message: everything else is no concern of ours. */
function isStun(msg: Uint8Array): boolean {
  if (msg.length < HEADER || msg.length % 4 !== 0) return false;
  const view = viewOf(msg);
  return view.getUint16(2) === msg.length - HEADER && view.getUint32(4) === MAGIC_COOKIE;
}

/** The transaction id is what tells our answer from a late one to somebody else's question. */
function isAnswerTo(id: Uint8Array, msg: Uint8Array): boolean {
  if (!isStun(msg) || !id.every((byte, i) => msg[8 + i] === byte)) return false;
  const type = viewOf(msg).getUint16(0);
  return type === BINDING_SUCCESS || type === BINDING_ERROR;
}

/** Finds XOR-MAPPED-ADDRESS among the attributes. Throws at the first thing that is not as it must be. */
function parseAnswer(msg: Uint8Array): string {
  const view = viewOf(msg);
  if (view.getUint16(0) === BINDING_ERROR) throw new Error("The server refused the request");
  for (let at = HEADER; at < msg.length;) {
    const type = view.getUint16(at);
    const length = view.getUint16(at + 2);
    const end = at + 4 + length;
    if (end > msg.length) throw new Error("The answer is cut short");
    if (type === XOR_MAPPED_ADDRESS) return parseAddress(msg, at + 4, length);
    at = end + (-length & 3); // attributes are padded to four bytes
  }
  throw new Error("The answer has no address");
}

function parseAddress(msg: Uint8Array, at: number, length: number): string {
  const family = msg[at + 1];
  if (!(family === 1 && length === 8) && !(family === 2 && length === 20)) {
    throw new Error("The address is of an unknown family");
  }
  // The port is masked with the start of the magic cookie, the address with the cookie and the id.
  const port = viewOf(msg).getUint16(at + 2) ^ (MAGIC_COOKIE >>> 16);
  const mask = msg.subarray(4, HEADER);
  const ip = msg.slice(at + 4, at + length).map((byte, i) => byte ^ (mask[i] ?? 0));
  if (family === 1) return `${ip.join(".")}:${port}`;
  const groups = Array.from({ length: 8 }, (_, i) => viewOf(ip).getUint16(2 * i).toString(16));
  return `${new URL(`http://[${groups.join(":")}]`).hostname}:${port}`; // a URL shortens the zeros
}

/** A server for this demonstration: IPv4 only, and deaf to the first try, so that the retry is seen. */
async function demo(): Promise<void> {
  let tries = 0;
  await using server = await pipeOpen(UDP, {
    route: "127.0.0.1:0",
    msgCb: async (msg, from, pipe) => {
      if (!isStun(msg) || viewOf(msg).getUint16(0) !== BINDING_REQUEST) return;
      tries++;
      console.log(`server: try ${tries} ${tries === 1 ? "dropped on purpose" : "answered"}`);
      if (tries === 1) return;
      const attribute = new Uint8Array([0, XOR_MAPPED_ADDRESS, 0, 8, 0, 1, 0, 0, 0, 0, 0, 0]);
      viewOf(attribute).setUint16(6, from.port ^ (MAGIC_COOKIE >>> 16));
      attribute.set(from.hostname.split(".").map((n, i) => Number(n) ^ (msg[4 + i] ?? 0)), 8);
      await pipe.send(message(BINDING_SUCCESS, msg.subarray(8, HEADER), attribute), from);
    },
  });
  console.log(`Our address, as the server sees it: ${await mappedAddress(server.localAddr)}`);
}

try {
  const [server, ...rest] = Deno.args;
  if (rest.length > 0 || server?.startsWith("-")) {
    throw new TypeError(`arguments: cannot understand "${Deno.args.join(" ")}"`);
  }
  if (server === undefined) await demo();
  else console.log(`Our address, as the server sees it: ${await mappedAddress(server)}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  // Wrong arguments, ours or the library's, are TypeErrors and RangeErrors.
  const usage = error instanceof TypeError || error instanceof RangeError;
  if (usage) console.error(USAGE);
  Deno.exit(usage ? 2 : 1);
}
