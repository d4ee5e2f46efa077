/** Deno programs in processes of their own, which answer line by line. */

/** The project's own configuration, for `@p2pd/pipes`. */
const config = new URL("../../deno.json", import.meta.url).pathname;

/** How to start one. */
export interface ChildOptions {
  /** Flags of `deno run`, besides `--allow-net`. */
  readonly flags?: readonly string[];
  /** Arguments of the program. */
  readonly args?: readonly string[];
  /** How many files it may have open. */
  readonly files?: number;
}

/** A program that is running; a test that ends lets go of it. */
export class Child implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #held: string[] = [];
  #rest = "";

  /** @param script Its file, beside this one. */
  constructor(script: string, { flags = [], args = [], files }: ChildOptions = {}) {
    const deno = [
      ...[Deno.execPath(), "run", "--quiet", "--no-prompt", "--allow-net", `--config=${config}`],
      ...[...flags, new URL(script, import.meta.url).pathname, ...args],
    ];
    const limit = files === undefined ? "" : `ulimit -n ${files} && `;
    this.#process = new Deno.Command("sh", {
      args: ["-c", `${limit}exec "$@"`, "sh", ...deno],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#stdin = this.#process.stdin.getWriter();
    this.#lines = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Its process id. */
  get pid(): number {
    return this.#process.pid;
  }

  /** The next line that it prints. */
  async line(): Promise<string> {
    while (this.#held.length === 0) {
      const { done, value } = await this.#lines.read();
      if (done) throw new Error(`the program ended (${(await this.#process.status).code})`);
      const parts = (this.#rest + value).split("\n");
      this.#rest = parts.pop() ?? "";
      this.#held = parts;
    }
    return this.#held.shift() ?? "";
  }

  /** Writes a line to its input, and gives the line that it answers with. */
  async ask(line = ""): Promise<string> {
    await this.#stdin.write(new TextEncoder().encode(`${line}\n`));
    return await this.line();
  }

  /** How many files it has open. */
  async openFiles(): Promise<number> {
    const args = [`/proc/${this.pid}/fd`];
    const { stdout } = await new Deno.Command("ls", { args }).output();
    return new TextDecoder().decode(stdout).trim().split("\n").length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#stdin.abort().catch(() => {}); // closed with the process
    await this.#lines.cancel();
    await this.#process.status;
  }
}
