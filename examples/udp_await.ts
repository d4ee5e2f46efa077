/**
 * A request over UDP that is awaited, with a timeout and retries: "what is my address?", asked of a
 * STUN server (RFC 8489).
 *
 *     deno run --allow-net udp_await.ts                        # asks a small server of its own
 *     deno run --allow-net udp_await.ts stun.example.org:3478  # asks that one
 *
 * This shows `request` and the codec. A program that only wants its address calls `getMapping` of
 * `@p2pd/pipes/stun`.
 *
 * @module
 */
import { formatAddr, type NetAddr, pipeOpen, UDP } from "@p2pd/pipes";
import { ATTRIBUTES, StunError, StunMessage } from "@p2pd/pipes/stun";

const USAGE = "Usage: deno run --allow-net udp_await.ts [HOST:PORT]";

/** Asks a server for the address that it sees us under. */
async function mappedAddress(server: string | NetAddr): Promise<string> {
  await using pipe = await pipeOpen(UDP, { dest: server });
  const request = new StunMessage({ class: "request" });
  const [answer] = await pipe.request(request.encode(), {
    match: (msg) => isAnswerTo(request, read(msg)),
    // Sent again on silence after 0.5, 1.5 and 3.5 seconds.
    timeout: 7500,
    retries: 3,
  });
  const message = StunMessage.decode(answer);
  if (message.class === "error") throw new Error("The server refused the request");
  const mapped = message.get(ATTRIBUTES.xorMappedAddress);
  if (mapped === undefined) throw new Error("The answer has no address");
  return formatAddr(mapped);
}

/** A datagram as a STUN message: everything else is no concern of ours. */
function read(msg: Uint8Array): StunMessage | undefined {
  try {
    return StunMessage.decode(msg);
  } catch (error) {
    if (error instanceof StunError) return undefined;
    throw error;
  }
}

/** The transaction id is what tells our answer from a late one to somebody else's question. */
function isAnswerTo(request: StunMessage, message: StunMessage | undefined): boolean {
  if (message?.class !== "success" && message?.class !== "error") return false;
  return request.transactionId.every((byte, i) => message.transactionId[i] === byte);
}

/** A server for this demonstration: deaf to the first try, so that the retry is seen. */
async function demo(): Promise<void> {
  let tries = 0;
  await using server = await pipeOpen(UDP, {
    route: "127.0.0.1:0",
    msgCb: async (msg, from, pipe) => {
      const request = read(msg);
      if (request?.class !== "request") return;
      tries++;
      console.log(`server: try ${tries} ${tries === 1 ? "dropped on purpose" : "answered"}`);
      if (tries === 1) return;
      const { transactionId } = request;
      const answer = new StunMessage({ class: "success", transactionId });
      await pipe.send(answer.with(ATTRIBUTES.xorMappedAddress, from).encode(), from);
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
