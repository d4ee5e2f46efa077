/** A process that the benchmark started. */
import { linesOf } from "./protocol.ts";

/** A program of this folder in a process of its own, which is spoken to in lines. */
export class Child {
  readonly #name: string;
  readonly #process: Deno.ChildProcess;
  readonly #lines: AsyncGenerator<string>;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;

  constructor(script: string, ...args: string[]) {
    this.#name = [script, ...args].join(" ");
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--unstable-net", script, ...args],
      cwd: import.meta.dirname ?? ".",
      // An open stdin says that we are alive: children end when it does, however we ended.
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#lines = linesOf(this.#process.stdout);
    this.#stdin = this.#process.stdin.getWriter();
  }

  /** Sends a line. */
  async tell(message: unknown): Promise<void> {
    await this.#stdin.write(new TextEncoder().encode(JSON.stringify(message) + "\n"));
  }

  /** The next line. Rejects when it does not come within the time (milliseconds). */
  async hear<T>(timeout: number): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`${this.#name}: silent for ${timeout} ms`)),
      timeout,
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
  async stop(): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#process.status;
  }
}
