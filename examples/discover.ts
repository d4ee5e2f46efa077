/**
 * Device discovery by multicast: devices join a group and answer whoever asks who is there; the one who
 * asks collects the answers for a second.
 *
 *     deno run --allow-net discover.ts                             # three devices and a search, on loopback
 *     deno run --allow-net discover.ts --serve NAME [ADDR [PORT]]  # is found, until Ctrl-C
 *     deno run --allow-net discover.ts --search [ADDR [PORT]]      # looks who is there
 *
 * ADDR is this machine's IPv4 address on the network in question; without it the system chooses.
 *
 * @module
 */
import {
  formatAddr,
  type MsgCb,
  type NetAddr,
  type Pipe,
  pipeOpen,
  PipeTimeoutError,
  UDP,
} from "@p2pd/pipes";

const USAGE =
  "Usage: deno run --allow-net discover.ts [--serve NAME [ADDR [PORT]] | --search [ADDR [PORT]]]";
/** Of the addresses that any organisation may use within its own networks (RFC 2365). */
const GROUP = "239.77.80.80";
const QUESTION = "who is there?";
/** Datagrams get lost: the question is asked more than once. */
const ROUNDS = 3, ROUND = 330;

/** A device: hears the group on one card, beside other programs of this host that do (`reuseAddr`). */
function serve(name: string, addr: string | undefined, port: number): Promise<Pipe> {
  const multicast = { group: GROUP, interface: addr };
  const answer: MsgCb = async (msg, from, pipe) => {
    if (new TextDecoder().decode(msg) === QUESTION) await pipe.send(`I am ${name}`, from);
  };
  const conf = { multicast, reuseAddr: true };
  return pipeOpen(UDP, { route: ["0.0.0.0", port], conf, msgCb: answer });
}

/** Gives the text of each answer, by that and the address it came from. */
async function search(addr: string | undefined, port: number): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  // Without a dest it hears everybody, and the address it is bound to says which card it sends by.
  await using pipe = await pipeOpen(UDP, { route: [addr ?? "0.0.0.0", 0] });
  for (let round = 0; round < ROUNDS; round++) {
    await pipe.send(QUESTION, [GROUP, port]);
    await collect(pipe, (text, from) => found.set(`${formatAddr(from)} ${text}`, text));
  }
  return found;
}

async function collect(pipe: Pipe, see: (text: string, from: NetAddr) => void): Promise<void> {
  const end = performance.now() + ROUND;
  try {
    for (;;) {
      const timeout = Math.max(0, end - performance.now());
      const got = await pipe.recvFrom(undefined, { timeout });
      if (got === null) return;
      see(new TextDecoder().decode(got[0]), got[1]);
    }
  } catch (error) {
    if (!(error instanceof PipeTimeoutError)) throw error;
  }
}

function report(answers: Iterable<string>): void {
  const sorted = [...answers].toSorted();
  for (const answer of sorted) console.log(answer);
  console.log(`${sorted.length} found`);
}

async function demo(): Promise<void> {
  const addr = "127.0.0.1", devices: Pipe[] = [];
  try {
    let port = 0;
    for (const name of ["a lamp", "a printer", "a sensor"]) {
      const device = await serve(name, addr, port);
      port = device.localAddr.port;
      devices.push(device);
    }
    report((await search(addr, port)).values());
  } finally {
    await Promise.all(devices.map((device) => device.close()));
  }
}

function portOf(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new TypeError(`PORT: a number is needed, got "${text}"`);
}

try {
  const [what, ...rest] = Deno.args;
  const name = what === "--serve" ? rest.shift() : undefined;
  const [addr, port = "5775", ...more] = rest;
  if (what === undefined) {
    await demo();
  } else if (what === "--serve" && name !== undefined && more.length === 0) {
    const device = await serve(name, addr, portOf(port));
    console.log(`${name} listens on port ${device.localAddr.port}`);
    await device.closed;
  } else if (what === "--search" && more.length === 0) {
    report((await search(addr, portOf(port))).keys());
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
