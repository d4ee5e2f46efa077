/** Mixed traffic over TCP: everything that can become of a connection. */
import {
  type Pipe,
  PipeClosedError,
  pipeOpen,
  PipeOpenError,
  PipeTimeoutError,
  TCP,
} from "@p2pd/pipes";
import { hear, PATIENCE } from "./tape.ts";
import type { Traffic, World } from "./soak_world.ts";

/** Where nobody listens. */
const NOBODY = "127.0.0.1:1";

async function expectEnd(pipe: Pipe): Promise<void> {
  const data = await pipe.recv(undefined, PATIENCE);
  if (data !== null) throw new Error(`${data.length} bytes came that were never sent`);
}

function size(world: World): number {
  return 1 + world.random.below(world.pick(100, 4000, 100_000));
}

/** Connects, is answered some times, and ends its side with an answer under way. */
export const talk: Traffic = async (world) => {
  const pipe = await world.connect(world.pick("handler", "node", "loop", "accept", "relay"));
  const tape = world.tape();
  for (let round = world.random.below(20); round > 0; round--) {
    await pipe.send(tape.take(size(world)));
    await hear(pipe, tape);
    world.count("messages echoed");
  }
  void pipe.send(tape.take(size(world)));
  await pipe.closeWrite();
  world.count("half-closes");
  for await (const [data] of pipe) tape.check(data);
  if (tape.missing > 0) throw new Error(`${tape.missing} bytes were lost at the half-close`);
  await pipe.close();
};

/** Sends and receives by web streams at once, so that the system's buffers are filled. */
export const stream: Traffic = async (world) => {
  const pipe = await world.connect(world.pick("handler", "node", "relay"));
  const tape = world.tape();
  const sending = async () => {
    const writer = pipe.writable.getWriter();
    for (let i = 0; i < 20; i++) await writer.write(tape.take(size(world)));
    await writer.close();
  };
  const sent = sending();
  for await (const data of pipe.readable) tape.check(data);
  await sent;
  if (tape.missing > 0) throw new Error(`${tape.missing} bytes were lost in a stream`);
  await pipe.close();
  world.count("streams");
};

/** Leaves in the middle, by a reset where it can be. */
export const leave: Traffic = async (world) => {
  const pipe = await world.connect(world.pick("handler", "node", "loop", "accept", "relay"));
  const tape = world.tape();
  await pipe.send(tape.take(size(world)));
  const how = world.pick("answered", "sending", "at once");
  if (how === "answered") await hear(pipe, tape);
  if (how === "sending") pipe.send(tape.take(100_000)).catch(expectClosed);
  pipe.abort();
  await pipe.closed;
  world.count("resets sent");
};

/** Is reset. */
export const beReset: Traffic = async (world) => {
  const pipe = await world.connect("rude");
  await pipe.send("hello?");
  try {
    await expectEnd(pipe);
  } catch (error) {
    expectClosed(error);
  }
  await pipe.close();
  world.count("resets received");
};

/** Waits in vain, in all the ways there are: each must take its timer along. */
export const wait: Traffic = async (world) => {
  const pipe = await world.connect("handler");
  const controller = new AbortController();
  const { signal } = controller;
  const tape = world.tape();
  const waits = [
    pipe.recv(undefined, { timeout: 1 }),
    pipe.recv(undefined, { timeout: 60_000, signal }),
    pipe.request("", { timeout: 60_000, signal }),
    pipeOpen(TCP, { dest: NOBODY, conf: world.conf }),
  ];
  const ends = waits.map((waiting) => waiting.then(() => undefined, (error: unknown) => error));
  const late = await ends[0];
  if (!(late instanceof PipeTimeoutError)) throw late;
  controller.abort();
  const [, received, asked, refused] = await Promise.all(ends);
  if (!(refused instanceof PipeOpenError)) throw refused;
  if (received !== signal.reason) throw received;
  if (asked !== signal.reason) throw asked;
  await pipe.send(tape.take(10));
  await hear(pipe, tape);
  await pipe.close();
  world.count("waits in vain", waits.length);
};

/** A server that is closed with connections open, and one that is aborted. */
export const serve: Traffic = async (world) => {
  const server = await world.listen();
  const clients = await Promise.all(
    Array.from({ length: 4 }, () => pipeOpen(TCP, { dest: server.localAddr, conf: world.conf })),
  );
  for (const pipe of clients) {
    world.track(pipe);
    const tape = world.tape();
    await pipe.send(tape.take(size(world)));
    await hear(pipe, tape);
  }
  if (world.random.below(2) === 0) await server.close();
  else server.abort();
  await server.closed;
  for (const pipe of clients) {
    await expectEnd(pipe).catch(expectClosed);
    await pipe.close();
  }
};

function expectClosed(error: unknown): void {
  if (!(error instanceof PipeClosedError)) throw error;
}
