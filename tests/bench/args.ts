/** The command line of the benchmark. */
import { type Table, TABLES } from "./plan.ts";
import { ReportFile } from "./report_file.ts";
import { STACK_IDS, type StackId } from "./stacks.ts";

const names = TABLES.map(({ id }) => id).join(", ");

/** How to call it. */
export const USAGE = `Usage: deno task bench [OPTIONS]
  --only a,b       tables, by their names or the beginnings of these: ${names}
  --stacks a,b     rows, besides the first of each table: ${STACK_IDS.join(", ")}
  --rounds N       default 5
  --seconds S      measured for each row in each round, default 0.5
  --warm-up S      of each server of a table before the first round, default 1.2
  --connections N  idle ones, default 10000
  --quick          a few seconds for everything: shows that it works, the figures mean nothing
  --json FILE      writes all figures
  --markdown FILE  puts the report between the marks in this file, as RESULTS.md has them`;

/** How much is measured. */
export interface Settings {
  readonly rounds: number;
  /** Measured for each row in each round. Seconds. */
  readonly seconds: number;
  /**
   * Of each server before the first round. Seconds. What V8 compiles in its first second of work
   * doubles the cost of a message.
   */
  readonly warmUp: number;
  /** How often each process is started to see how long that takes. */
  readonly starts: number;
  /** Idle ones. */
  readonly connections: number;
  /** How often memory is measured. */
  readonly memoryRounds: number;
  /** For memory to come to rest. Seconds. */
  readonly rest: number;
}

const DEFAULT: Settings = {
  rounds: 5,
  seconds: 0.5,
  warmUp: 1.2,
  starts: 10,
  connections: 10_000,
  memoryRounds: 2,
  rest: 0.8,
};

const QUICK: Settings = {
  rounds: 1,
  seconds: 0.05,
  warmUp: 0.02,
  starts: 1,
  connections: 300,
  memoryRounds: 1,
  rest: 0.1,
};

/** What was asked for. */
export interface Options {
  readonly settings: Settings;
  readonly tables: readonly Table[];
  /** The rows besides each table's first; all when undefined. */
  readonly stacks: ReadonlySet<StackId> | undefined;
  readonly json: string | undefined;
  readonly report: ReportFile | undefined;
}

function number(name: string, text: string, most: number, whole: boolean): number {
  const value = Number(text);
  // Bounds, so that a slip of the finger does not keep the machine busy for hours.
  if (!(value > 0 && value <= most) || whole && !Number.isInteger(value)) {
    const kind = whole ? "a whole number" : "a number";
    throw new TypeError(`${name}: ${kind} up to ${most} is needed, got "${text}"`);
  }
  return value;
}

function words<T extends string>(name: string, text: string, known: readonly T[]): readonly T[] {
  return text.split(",").map((word) => {
    const found = known.find((each) => each === word);
    if (found === undefined) {
      throw new TypeError(`${name}: one of ${known.join(", ")} is needed, got "${word}"`);
    }
    return found;
  });
}

function tables(name: string, text: string): readonly Table[] {
  const words = text.split(",");
  const called = ({ id }: Table, word: string) => id === word || id.startsWith(`${word}-`);
  for (const word of words) {
    if (!TABLES.some((table) => called(table, word))) {
      throw new TypeError(`${name}: no table is called "${word}"`);
    }
  }
  return TABLES.filter((table) => words.some((word) => called(table, word)));
}

/**
 * Reads the arguments.
 *
 * @throws {TypeError} When they cannot be understood.
 */
export function parseArguments(args: readonly string[]): Options {
  const rest = args.filter((arg) => arg !== "--quick");
  let settings = rest.length < args.length ? QUICK : DEFAULT;
  let only = TABLES;
  let stacks: Options["stacks"];
  let json: string | undefined;
  let report: ReportFile | undefined;
  for (let i = 0; i < rest.length; i += 2) {
    const [name = "", value] = rest.slice(i, i + 2);
    if (value === undefined) throw new TypeError(`${name}: there is no such option, or no value`);
    switch (name) {
      case "--only":
        only = tables(name, value);
        break;
      case "--stacks":
        stacks = new Set(words(name, value, STACK_IDS));
        break;
      case "--rounds":
        settings = { ...settings, rounds: number(name, value, 1000, true) };
        break;
      case "--seconds":
        settings = { ...settings, seconds: number(name, value, 60, false) };
        break;
      case "--warm-up":
        settings = { ...settings, warmUp: number(name, value, 60, false) };
        break;
      case "--connections":
        settings = { ...settings, connections: number(name, value, 100_000, true) };
        break;
      case "--json":
        json = value;
        break;
      case "--markdown":
        report = new ReportFile(name, value);
        break;
      default:
        throw new TypeError(`there is no option "${name}"`);
    }
  }
  return { settings, tables: only, stacks, json, report };
}
