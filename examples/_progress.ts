/**
 * Shows how a download goes: one line that is written again and again on a terminal, a line for each
 * quarter elsewhere.
 *
 * @module
 */

/** Milliseconds between two looks of a terminal. */
const STEP = 100;

/** The progress of one download. */
export class Progress {
  readonly #got: Map<string, number>;
  readonly #terminal = Deno.stdout.isTerminal();
  #start = performance.now();
  #size = 0;
  #shown = 0;
  #quarters = 0;

  /** @param names What it comes over. */
  constructor(names: readonly string[]) {
    this.#got = new Map(names.map((name) => [name, 0]));
  }

  /** The size is known. */
  begin(size: number): void {
    this.#size = size;
    this.#start = performance.now();
  }

  /** Something came. */
  add(name: string, bytes: number): void {
    this.#got.set(name, (this.#got.get(name) ?? 0) + bytes);
    const now = performance.now();
    const quarters = Math.floor(4 * this.#sum / this.#size);
    if (this.#terminal ? now - this.#shown < STEP : quarters === this.#quarters) return;
    this.#quarters = quarters;
    this.#shown = now;
    this.#write(this.#terminal ? `\r${this.#line()}` : `${this.#line()}\n`);
  }

  /** Says something else. */
  say(text: string): void {
    this.#write(`${this.#terminal ? "\r\x1b[K" : ""}${text}\n`);
  }

  /** It is over. */
  end(): void {
    if (this.#terminal) this.#write(`\r${this.#line()}\n`);
  }

  get #sum(): number {
    return this.#got.values().reduce((sum, bytes) => sum + bytes, 0);
  }

  #line(): string {
    const percent = this.#size === 0 ? 100 : Math.floor(100 * this.#sum / this.#size);
    const parts = Array.from(this.#got, ([name, bytes]) => `${name} ${megabytes(bytes)}`);
    const rate = this.#sum / (performance.now() - this.#start) * 1000;
    return `${String(percent).padStart(3)} %  ${parts.join("  ")}  ${megabytes(rate)}/s`;
  }

  #write(text: string): void {
    Deno.stdout.writeSync(new TextEncoder().encode(text));
  }
}

/** Bytes for people. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(2)} MB`;
}
