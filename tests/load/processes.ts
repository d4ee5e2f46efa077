/** The processes of a load test: a server, and a generator that drives it. */
import { Child } from "../integration/_child.ts";
import type { Done, Order } from "./echo_load.ts";
import type { Held } from "./echo_server.ts";

/** Files that a process has open besides its connections, generously. */
const OTHER_FILES = 200;
/** What `/proc/PID/stat` counts in, in milliseconds: 100 Hz on every Linux. */
const TICK = 10;

const program = (name: string) => new URL(name, import.meta.url).href;

/** How a server is made. */
export type Stack = "raw" | "pipes";

/** Milliseconds that a process has computed so far. */
export async function cpuOf(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  // The name of the program, in brackets, may hold blanks. After it: state, ..., utime, stime.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK;
}

/** A load generator in a process of its own. */
export class Generator implements AsyncDisposable {
  readonly #child: Child;
  readonly #ready: Promise<string>;

  /** @param files How many files it may have open. */
  constructor(files?: number) {
    this.#child = new Child(program("echo_load.ts"), files === undefined ? {} : { files });
    this.#ready = this.#child.line();
  }

  /** Gives it an order, and waits until that is done. */
  async tell(order: Order): Promise<Done> {
    await this.#ready;
    return JSON.parse(await this.#child.ask(JSON.stringify(order)));
  }

  /** Milliseconds that it has computed so far. */
  cpu(): Promise<number> {
    return cpuOf(this.#child.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }
}

/** A server and its generator, each in a process of its own. */
export class Pair implements AsyncDisposable {
  readonly stack: Stack;
  readonly #server: Child;
  readonly #load: Generator;
  readonly #port: number;

  private constructor(stack: Stack, server: Child, load: Generator, port: number) {
    this.stack = stack;
    this.#server = server;
    this.#load = load;
    this.#port = port;
  }

  /**
   * Starts both.
   *
   * @param stack How the server is made.
   * @param connections How many there may be; each needs a file.
   */
  static async start(stack: Stack, connections: number): Promise<Pair> {
    const files = connections + OTHER_FILES;
    const flags = ["--v8-flags=--expose-gc"];
    const server = new Child(program("echo_server.ts"), { flags, args: [stack], files });
    const load = new Generator(files);
    try {
      return new Pair(stack, server, load, Number(await server.line()));
    } catch (error) {
      await Promise.all([server[Symbol.asyncDispose](), load[Symbol.asyncDispose]()]);
      throw error;
    }
  }

  /** Opens so many connections more. */
  open(connections: number): Promise<Done> {
    return this.#load.tell({ do: "open", port: this.#port, connections });
  }

  /** Sends messages by all connections in turn, in batches of `width`. */
  echo(messages: number, width: number): Promise<Done> {
    return this.#load.tell({ do: "echo", messages, width });
  }

  /** Ends all connections. */
  close(): Promise<Done> {
    return this.#load.tell({ do: "close" });
  }

  /** What the server holds now. */
  async held(): Promise<Held> {
    return JSON.parse(await this.#server.ask());
  }

  /** What the server holds as soon as that is as wanted, or at last. */
  async heldWhen(wanted: (held: Held) => boolean, ms = 10_000): Promise<Held> {
    const limit = performance.now() + ms;
    for (;;) {
      const held = await this.held();
      if (wanted(held) || performance.now() > limit) return held;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Milliseconds that the server has computed so far. */
  cpu(): Promise<number> {
    return cpuOf(this.#server.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#server[Symbol.asyncDispose](), this.#load[Symbol.asyncDispose]()]);
  }
}
