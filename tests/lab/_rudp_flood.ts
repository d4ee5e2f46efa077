/**
 * What a million made-up senders ("engine"), answers to 200,000 of them ("answers") or a hundred
 * thousand fuzzed packets over a socket ("socket") leave in the heap, measured after a collection (`--v8-flags=--expose-gc`). Prints the bytes.
 *
 * @module
 */
import { pipeOpen, RUDP, UDP } from "@p2pd/pipes";
import { Engine } from "../../lib/rudp/engine.ts";
import { dataPacket } from "../../lib/rudp/packet.ts";
import { Random } from "../helpers/random.ts";

const collect: unknown = Reflect.get(globalThis, "gc");
if (typeof collect !== "function") throw new Error("needs --v8-flags=--expose-gc");

function held(): number {
  if (typeof collect === "function") collect();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

const random = new Random(1);

/** Every other one looks like a packet. */
function fuzzed(n: number): Uint8Array<ArrayBuffer> {
  const packet = random.bytes(random.below(64));
  if (n % 2 === 0 && packet.length > 8) packet[8] = random.below(3);
  return packet;
}

let most = 0;

/** Does something many times, and looks after each tenth. */
async function flood(count: number, one: (n: number) => void | Promise<void>): Promise<void> {
  const start = held();
  for (let n = 1; n <= count; n++) {
    const done = one(n);
    if (done !== undefined) await done;
    if (n % (count / 10) !== 0) continue;
    most = Math.max(most, held() - start);
    console.log("a tenth more");
  }
}

async function floodEngine(): Promise<void> {
  let taken = 0;
  const engine = new Engine({
    ackTimeout: 10_000,
    transmit: () => {},
    take: () => ++taken > 0,
    onDuplicate: () => {},
  });
  await flood(1_100_000, (n) => {
    const hostname = `${n % 223 + 1}.${n >>> 16 & 255}.${n >>> 8 & 255}.${n & 255}`;
    const from = { transport: "udp", hostname, port: 1 + random.below(65_535) } as const;
    const number = BigInt(random.below(2 ** 32)) << 32n | BigInt(n);
    const packet = n % 11 === 0 ? fuzzed(n) : dataPacket(number, random.bytes(random.below(32)));
    engine.receive(packet, from, n / 100);
  });
  if (taken < 1_000_000) throw new Error(`${taken} taken`);
}

/** Everyone is answered, which nobody acknowledges. */
async function floodAnswers(): Promise<void> {
  let pending = 0, rejected = 0;
  const engine = new Engine({
    ackTimeout: 10_000,
    transmit: () => {},
    take: (message, from) => {
      pending++;
      new Promise<void>((resolve, reject) => {
        const settle = (error?: Error) => error === undefined ? resolve() : reject(error);
        engine.send(message, from, now, settle);
      }).catch(() => rejected++).finally(() => pending--);
      return true;
    },
    onDuplicate: () => {},
  });
  let now = 0;
  await flood(200_000, (n) => {
    const hostname = `10.${n >>> 16 & 255}.${n >>> 8 & 255}.${n & 255}`;
    now = n / 20;
    const from = { transport: "udp", hostname, port: 9 } as const;
    engine.receive(dataPacket(BigInt(n) << 32n, random.bytes(random.below(32))), from, now);
    if (engine.due <= now) engine.tick(now);
    // The rejections are told now and then.
    if (n % 100 === 0) return new Promise((resolve) => setTimeout(resolve));
  });
  if (pending > 4200 || rejected < 190_000) throw new Error(`${pending} pending`);
}

async function floodSocket(): Promise<void> {
  let handled = 0;
  await using server = await pipeOpen(RUDP, {
    route: "127.0.0.1:0",
    msgCb: () => void handled++,
  });
  await using noisy = await pipeOpen(UDP, { dest: server.localAddr });
  await flood(100_000, async (n) => {
    await noisy.send(fuzzed(n));
    // The system has no room for all of them at once.
    if (n % 64 === 0) await new Promise((resolve) => setTimeout(resolve));
  });
  await using client = await pipeOpen(RUDP, { dest: server.localAddr });
  await client.send("still there?");
  if (handled < 10_000) throw new Error(`${handled} handled`);
}

const floods = { engine: floodEngine, answers: floodAnswers, socket: floodSocket };
const [, run] = Object.entries(floods).find(([name]) => name === Deno.args[0]) ?? [];
if (run === undefined) throw new Error("engine, answers or socket?");
await run();
console.log(most);
