/** Mixed traffic over links: made, cut and made again while data goes through them. */
import type { Traffic } from "./soak_world.ts";
import { hear, Tape } from "./tape.ts";

/** Messages that are sent in one go. */
const MESSAGES = 30;
/** After how many of them a link is made, or cut. */
const EVERY = 3;

/**
 * What one pipe sends comes back to it, goes on by a link to another one, and comes back to that. The
 * link is cut and made again all the while: what comes while it is cut is kept for it.
 */
export const relink: Traffic = async (world) => {
  const source = await world.connect(world.pick("handler", "node"));
  const target = await world.connect(world.pick("handler", "node"));
  const tape = world.tape();
  const messages = Array.from({ length: MESSAGES }, () => tape.take(1 + world.random.below(4000)));
  const heard = hear(target, tape);
  for (const [i, message] of messages.entries()) {
    await source.send(message);
    if (i % EVERY === 0) source.addPipe(target);
    if (i % EVERY === 1) source.delPipe(target);
  }
  source.addPipe(target);
  await heard;
  await Promise.all([source.close(), target.close()]);
  world.count("links made and cut", MESSAGES / EVERY);
};

/** One pipe linked to several: each gets everything. */
export const fan: Traffic = async (world) => {
  const source = await world.connect(world.pick("handler", "node"));
  const targets = await Promise.all(Array.from({ length: 5 }, () => world.connect("handler")));
  for (const target of targets) source.addPipe(target);
  const start = world.random.below(2 ** 30);
  const tapes = targets.map(() => new Tape(start));
  const tape = new Tape(start);
  for (let i = 0; i < MESSAGES; i++) {
    const length = 1 + world.random.below(4000);
    for (const each of tapes) each.take(length);
    await source.send(tape.take(length));
  }
  await Promise.all(targets.map(async (target, i) => {
    const expected = tapes[i];
    if (expected !== undefined) await hear(target, expected);
  }));
  await Promise.all([source, ...targets].map((pipe) => pipe.close()));
  world.count("messages to linked pipes", MESSAGES * targets.length);
};
