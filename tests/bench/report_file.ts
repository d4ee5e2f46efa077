/** Where the report goes. */

const BEGIN = "<!-- figures: begin -->";
const END = "<!-- figures: end -->";

/** Markdown as this project formats it. */
export async function formatted(markdown: string): Promise<string> {
  const fmt = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", "--ext=md", "-"],
    cwd: import.meta.dirname ?? ".",
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = fmt.stdin.getWriter();
  await writer.write(new TextEncoder().encode(markdown));
  await writer.close();
  return new TextDecoder().decode((await fmt.output()).stdout);
}

function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** A file that a report goes into, between two marks. */
export class ReportFile {
  readonly #path: string;
  readonly #before: string;
  readonly #after: string;

  /**
   * @param name What the caller calls the file.
   * @throws {TypeError} When there is no such file, or it has no marks.
   */
  constructor(name: string, path: string) {
    const text = textOf(path);
    const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
    if (begin < 0 || end < begin) {
      throw new TypeError(`${name}: a file with "${BEGIN}" and "${END}" is needed, got "${path}"`);
    }
    this.#path = path;
    this.#before = text.slice(0, begin + BEGIN.length);
    this.#after = text.slice(end);
  }

  /** Puts it in place of the one before. */
  async write(report: string): Promise<void> {
    const text = `${this.#before}\n\n${report}\n${this.#after}`;
    await Deno.writeTextFile(this.#path, await formatted(text));
  }
}
