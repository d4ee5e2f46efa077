/** Pipes that stay open all the time, on which everything else is made and taken away again. */
import { assertEquals } from "@std/assert";
import { type Pipe, PipeTimeoutError } from "@p2pd/pipes";
import { hear, PATIENCE } from "./tape.ts";
import type { World } from "./soak_world.ts";

/** Messages for each thing that is made. */
const MESSAGES = 20;
const LONGEST = 4000;

/** Pipes that are open from the beginning to the end. */
export class Steady {
  /** How many of them are connections of the servers. */
  static readonly connections = 2;
  readonly #world: World;
  readonly #one: Pipe;
  readonly #other: Pipe;
  readonly #udp: Pipe;

  private constructor(world: World, one: Pipe, other: Pipe, udp: Pipe) {
    this.#world = world;
    this.#one = one;
    this.#other = other;
    this.#udp = udp;
  }

  /** Opens them. */
  static async open(world: World): Promise<Steady> {
    const one = await world.connect("handler", "deno");
    const other = await world.connect("node", "node");
    return new Steady(world, one, other, await world.connectUdp());
  }

  /** Everything once. */
  readonly traffic = async (): Promise<void> => {
    await this.#handle();
    await this.#link();
    await this.#waitInVain();
    await this.#ask();
  };

  /** Ends them. */
  async close(): Promise<void> {
    await Promise.all([this.#one.close(), this.#other.close(), this.#udp.close()]);
  }

  /** A handler, a subscription that queues and one that calls: each gets everything. */
  async #handle(): Promise<void> {
    const pipe = this.#one, { random } = this.#world;
    const tape = this.#world.tape();
    let called = 0, handled = 0;
    const onMsg = (data: Uint8Array) => void (handled += data.length);
    const queue = pipe.subscribe({ from: pipe.remoteAddr });
    const calls = pipe.subscribe({}, (data) => void (called += data.length));
    pipe.addMsgCb(onMsg);
    let sent = 0;
    for (let i = 0; i < MESSAGES; i++) {
      const size = 1 + random.below(LONGEST);
      sent += await pipe.send(tape.take(size));
      while (tape.missing > 0) {
        const data = await queue.recv(PATIENCE);
        if (data === null) throw new Error("a subscription ended");
        tape.check(data);
      }
    }
    pipe.delMsgCb(onMsg).unsubscribe(calls).unsubscribe(queue);
    assertEquals([called, handled], [sent, sent]);
    this.#world.count("messages to handlers and subscriptions", 3 * MESSAGES);
  }

  /** What comes back to one is sent by the other, and comes back to that. */
  async #link(): Promise<void> {
    const tape = this.#world.tape();
    this.#one.addPipe(this.#other);
    for (let i = 0; i < MESSAGES; i++) {
      await this.#one.send(tape.take(1 + this.#world.random.below(LONGEST)));
      await hear(this.#other, tape);
    }
    this.#one.delPipe(this.#other);
    this.#world.count("links made and cut");
  }

  async #waitInVain(): Promise<void> {
    for (const pipe of [this.#one, this.#other]) {
      try {
        await pipe.recv(undefined, { timeout: 1 });
        throw new Error("something came that was never sent");
      } catch (error) {
        if (!(error instanceof PipeTimeoutError)) throw error;
      }
    }
  }

  async #ask(): Promise<void> {
    for (let i = 0; i < MESSAGES; i++) {
      const data = this.#world.random.bytes(16 + this.#world.random.below(1000));
      const [answer] = await this.#udp.request(data, { timeout: 20_000, match: data });
      assertEquals(answer, data);
    }
    this.#world.count("datagrams echoed", MESSAGES);
  }
}
