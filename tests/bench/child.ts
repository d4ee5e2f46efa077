/** A process that the benchmark started. */
import { linesOf } from "./protocol.ts";

/** How long a process may take to start, to answer, and to end. Milliseconds. */
const PATIENCE = { answer: 30_000, end: 1000 };

/** A program, run in this folder, that is spoken to in lines (`protocol.ts`). */
export class Child implements AsyncDisposable {
  readonly #name: string;
  readonly #process: Deno.ChildProcess;
  readonly #lines: AsyncGenerator<string>;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;

  constructor([command = "", ...args]: readonly string[]) {
    this.#name = [command, ...args].join(" ");
    this.#process = new Deno.Command(command, {
      args,
      cwd: import.meta.dirname ?? ".",
      // An open stdin says that we are alive: children end when it does, however we ended.
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#lines = linesOf(this.#process.stdout);
    this.#stdin = this.#process.stdin.getWriter();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Sends a line and gives the one that answers it. */
  async ask<T>(message: unknown): Promise<T> {
    await this.#stdin.write(new TextEncoder().encode(JSON.stringify(message) + "\n"));
    return await this.hear<T>();
  }

  /** The next line. */
  async hear<T>(): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`${this.#name}: silent for ${PATIENCE.answer} ms`)),
      PATIENCE.answer,
    );
    try {
      const { done, value } = await Promise.race([this.#lines.next(), late.promise]);
      if (done) throw new Error(`${this.#name}: ended too early`);
      return JSON.parse(value);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the process, whatever it is doing. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stdin.close().catch(() => {}); // it has ended by itself
    const timer = setTimeout(() => {
      try {
        this.#process.kill("SIGKILL");
      } catch {
        // It has ended meanwhile.
      }
    }, PATIENCE.end);
    await this.#process.status;
    clearTimeout(timer);
    await this.#process.stdout.cancel().catch(() => {}); // still being read
  }
}
