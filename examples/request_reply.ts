/**
 * Request and reply, over UDP and over framed TCP by the same code: 100 questions at once to one server
 * that answers them in another order and, over UDP, loses every third the first time.
 *
 *     deno run --allow-net request_reply.ts                # asks a server of its own, both ways
 *     deno run --allow-net request_reply.ts --listen PORT  # serves on 127.0.0.1 until Ctrl-C
 *     deno run --allow-net request_reply.ts udp HOST:PORT  # asks that one: udp or tcp
 *
 * A question is `ID add 2 3`, its reply `ID 5`. The ID tells the replies apart.
 *
 * @module
 */
import {
  formatAddr,
  lines,
  type MsgCb,
  type Pipe,
  PipeClosedError,
  pipeOpen,
  TCP,
  UDP,
} from "@p2pd/pipes";

const USAGE =
  "Usage: deno run --allow-net request_reply.ts [--listen PORT | udp HOST:PORT | tcp HOST:PORT]";
const QUESTIONS = 100;
/** A datagram is a message already; a stream gets lines. */
const CONF = { udp: {}, tcp: { framing: lines({ max: 1024 }) } };
type Proto = keyof typeof CONF;

/** Answers each question after a while of its own, and loses some on purpose. */
function answering(lost: (nth: number) => boolean): MsgCb {
  let seen = 0;
  return (msg, from, pipe) => {
    if (lost(++seen)) return;
    const [id, operation, a, b] = new TextDecoder().decode(msg).split(" ");
    const sum = operation === "add" ? Number(a) + Number(b) : NaN;
    const reply = `${id} ${Number.isNaN(sum) ? "what?" : sum}`;
    // Not awaited: on a stream the next question would wait for this answer.
    setTimeout(() => pipe.send(reply, from).catch(hasLeft), seen * 7 % 20);
  };
}

/** Who asked need not wait for the answer. */
function hasLeft(error: unknown): void {
  if (!(error instanceof PipeClosedError)) throw error;
}

function serve(proto: Proto, port: number, lost: (nth: number) => boolean): Promise<Pipe> {
  const options = { route: `127.0.0.1:${port}`, conf: CONF[proto], msgCb: answering(lost) };
  return pipeOpen(proto, options);
}

/** Asks many questions at once, each with its own reply. */
async function ask(proto: Proto, dest: string): Promise<void> {
  await using pipe = await pipeOpen(proto, { dest, conf: CONF[proto] });
  const replies = await Promise.all(
    Array.from({ length: QUESTIONS }, async (_, i) => {
      const id = `q${i}`;
      // Sent again on silence after 0.3, 1 and 2.3 s; over TCP nothing is lost, so never.
      const options = { match: new RegExp(`^${id} `), timeout: 5000, retries: 3 };
      const [reply] = await pipe.request(`${id} add ${i} 1000`, options);
      return new TextDecoder().decode(reply);
    }),
  );
  const right = replies.filter((reply, i) => reply === `q${i} ${1000 + i}`).length;
  const again = pipe.stats.messagesOut - QUESTIONS;
  console.log(
    `${proto}: ${right} of ${QUESTIONS} replies are right, ${again} questions sent again`,
  );
}

async function demo(): Promise<void> {
  for (const proto of [UDP, TCP] as const) {
    const lost = (nth: number) => proto === UDP && nth <= QUESTIONS && nth % 3 === 0;
    await using server = await serve(proto, 0, lost);
    await ask(proto, formatAddr(server.localAddr));
  }
}

try {
  const [what, where = "", ...rest] = Deno.args;
  if (what === undefined) {
    await demo();
  } else if (what === "--listen" && /^\d+$/.test(where) && rest.length === 0) {
    const servers = [];
    let port = Number(where);
    for (const proto of [TCP, UDP] as const) {
      const server = await serve(proto, port, () => false);
      port = server.localAddr.port;
      servers.push(server);
      console.log(`Listening on ${proto} ${formatAddr(server.localAddr)}`);
    }
    await Promise.all(servers.map((server) => server.closed));
  } else if ((what === UDP || what === TCP) && where !== "" && rest.length === 0) {
    await ask(what, where);
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
