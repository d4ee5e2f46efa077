/**
 * What the tests with other programs share: starting them, reading what they say, and ending those that
 * a test started, and no others.
 *
 * @module
 */
import { type Dest, type Pipe, pipeOpen, type ServerPipe, TCP } from "@p2pd/pipes";
import { deadline } from "@std/async";
import { createHash } from "node:crypto";

/** Milliseconds that anything in a test may take unless it says otherwise. */
const LIMIT = 20_000;

/** Awaits with a time limit and says what did not happen. */
export async function within<T>(promise: Promise<T>, what: string, ms = LIMIT): Promise<T> {
  try {
    return await deadline(promise, ms);
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "TimeoutError")) throw error;
    throw new Error(`Not within ${ms} ms: ${what}`, { cause: error });
  }
}

/**
 * A test with a time limit over all of it: closing a pipe waits for a peer that does not read, so a
 * failure elsewhere could otherwise become a wait for ever.
 */
export function labTest(name: string, test: () => Promise<void>): void {
  Deno.test(name, () => within(test(), "the end of the test", 3 * LIMIT));
}

/** One output of a program, read as lines or as bytes. */
export class Output {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #held: Uint8Array = new Uint8Array();

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /** The first line from here on that matches. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    const seen: string[] = [];
    const found = async () => {
      for (;;) {
        const line = await this.#line();
        if (line === undefined) {
          throw new Error(`No line like ${pattern}, only:\n${seen.join("\n")}`);
        }
        seen.push(line);
        const match = pattern.exec(line);
        if (match !== null) return match;
      }
    };
    return await within(found(), `a line like ${pattern}`);
  }

  /** So many bytes. */
  async bytes(count: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let left = count; left > 0;) {
      if (this.#held.length === 0 && !await this.#more()) throw new Error("The output ended early");
      const part = this.#held.subarray(0, left);
      this.#held = this.#held.subarray(part.length);
      parts.push(part);
      left -= part.length;
    }
    return join(parts);
  }

  /** All the rest. */
  async rest(): Promise<Uint8Array> {
    const parts = [this.#held];
    const all = async () => {
      while (await this.#more(true)) parts.push(this.#held);
    };
    await within(all(), "the end of the output");
    this.#held = new Uint8Array();
    return join(parts);
  }

  /** All the rest as text. */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.rest());
  }

  /** Wants no more of it. */
  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }

  async #line(): Promise<string | undefined> {
    let end = this.#held.indexOf(10);
    while (end < 0 && await this.#more()) end = this.#held.indexOf(10);
    if (end < 0 && this.#held.length === 0) return undefined;
    const line = end < 0 ? this.#held : this.#held.subarray(0, end);
    this.#held = end < 0 ? new Uint8Array() : this.#held.subarray(end + 1);
    return new TextDecoder().decode(line);
  }

  async #more(replace = false): Promise<boolean> {
    const { done, value } = await this.#reader.read();
    if (done) return false;
    this.#held = replace || this.#held.length === 0 ? value : join([this.#held, value]);
    return true;
  }
}

/** A program that runs until it ends by itself or the test lets go of it. */
export class Program implements AsyncDisposable {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;

  /**
   * @param command Its name.
   * @param args Its arguments.
   * @param cwd Where it runs.
   */
  constructor(command: string, args: readonly string[], cwd?: string) {
    this.#child = new Deno.Command(command, {
      args: [...args],
      ...(cwd === undefined ? {} : { cwd }),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.stdout = new Output(this.#child.stdout);
    this.stderr = new Output(this.#child.stderr);
    this.#stdin = this.#child.stdin.getWriter();
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Writes to its standard input. */
  async write(data: Uint8Array | string): Promise<void> {
    await this.#stdin.write(typeof data === "string" ? new TextEncoder().encode(data) : data);
  }

  /** Ends its standard input. */
  async endInput(): Promise<void> {
    await this.#stdin.close();
  }

  /** Sends it a signal. */
  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits until it has ended. */
  async ended(): Promise<Deno.CommandStatus> {
    return await within(this.#child.status, "the end of the program");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#stdin.abort().catch(() => {}); // closed before
    await Promise.all([this.stdout.cancel(), this.stderr.cancel(), this.#child.status]);
  }
}

/** Starts a Python script, with `arg` as `sys.argv[1:]`. Its prints arrive at once. */
export function python(script: string, ...args: readonly string[]): Program {
  return new Program("python3", ["-u", "-c", script, ...args]);
}

/** A program's first line with a port, as "... 127.0.0.1:4711" or "port 4711". */
export async function portOf(output: Output, pattern: RegExp): Promise<number> {
  const match = await output.line(pattern);
  const port = Number(match[1]);
  if (!(port > 0)) throw new Error(`No port in "${match[0]}"`);
  return port;
}

/** Everything joined. */
export function join(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Bytes that look random and are always the same. */
export function noise(length: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  let x = seed;
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[i] = x;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** SHA-256 in hexadecimal, as sha256sum prints it. */
export function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** Everything that a pipe receives until its end. */
export async function recvAll(pipe: Pipe): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const all = async () => {
    for await (const [msg] of pipe) parts.push(msg);
  };
  await within(all(), "the end of what the pipe receives");
  return join(parts);
}

/** Receives so many bytes of a stream. */
export async function recvBytes(pipe: Pipe, count: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let left = count; left > 0;) {
    const msg = await pipe.recv(undefined, { timeout: LIMIT });
    if (msg === null) throw new Error(`The input ended ${left} bytes early`);
    parts.push(msg);
    left -= msg.length;
  }
  return join(parts);
}

/**
 * A TCP relay: each connection is linked, both ways, to one of its own to the target. Closing it waits
 * for these too.
 */
export async function relayTo(dest: Dest): Promise<ServerPipe> {
  const server = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  const targets: Pipe[] = [];
  server.addUpCb(async (_, _from, client) => {
    const target = await pipeOpen(TCP, { dest });
    targets.push(target);
    client.addPipe(target);
    target.addPipe(client);
  });
  const close = server.close.bind(server);
  server.close = async () => {
    await close();
    await Promise.all(targets.map((target) => target.closed));
  };
  return server;
}

/** Resolves when a number has not changed for half a second; gives the number. */
export async function settled(read: () => number, what: string): Promise<number> {
  const limit = performance.now() + LIMIT;
  let last = read();
  for (let since = performance.now(); performance.now() - since < 500;) {
    if (performance.now() > limit) throw new Error(`Never came to rest: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const now = read();
    if (now !== last) since = performance.now();
    last = now;
  }
  return last;
}

/** Resolves when a condition holds. */
export async function until(condition: () => boolean, what: string, ms = LIMIT): Promise<void> {
  const limit = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > limit) throw new Error(`Not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Watches how much memory this process takes more than at the start. */
export class Growth implements Disposable {
  readonly #start = Deno.memoryUsage().rss;
  readonly #timer = setInterval(() => this.#look(), 10);
  #peak = this.#start;

  /** The most so far, in MB. */
  get peak(): number {
    this.#look();
    return Math.round((this.#peak - this.#start) / 1e5) / 10;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    this.#peak = Math.max(this.#peak, Deno.memoryUsage().rss);
  }
}

/** Runs `ip` and waits for it; its complaint is the error. */
export async function ip(...args: readonly string[]): Promise<void> {
  await using program = new Program("ip", args);
  const { success } = await program.ended();
  if (!success) throw new Error(`ip ${args.join(" ")}: ${await program.stderr.text()}`);
}
