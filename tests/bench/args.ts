/** The command line of the benchmark. */
import { type Kind, KINDS } from "./plan.ts";

/** How to call it. */
export const USAGE = "Usage: deno task bench [--rounds N] [--seconds S] [--only tcp|udp|relay]";

/** What was asked for. */
export interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly kinds: readonly Kind[];
}

/**
 * Reads the arguments.
 *
 * @throws {TypeError} When they cannot be understood.
 */
export function parseArguments(args: readonly string[]): Options {
  let rounds = 5;
  let seconds = 1;
  let kinds = KINDS;
  for (let i = 0; i < args.length; i += 2) {
    const value = args[i + 1] ?? "";
    switch (args[i]) {
      case "--rounds":
        rounds = Number(value);
        if (!Number.isInteger(rounds) || rounds < 1) {
          throw new TypeError(`--rounds: a whole number of 1 or more is needed, got "${value}"`);
        }
        break;
      case "--seconds":
        seconds = Number(value);
        // A bound, so that a slip of the finger does not keep the machine busy for hours.
        if (!(seconds > 0 && seconds <= 60)) {
          throw new TypeError(`--seconds: a number up to 60 is needed, got "${value}"`);
        }
        break;
      case "--only":
        kinds = KINDS.filter((kind) => kind === value);
        if (kinds.length === 0) {
          throw new TypeError(`--only: one of ${KINDS.join(", ")} is needed, got "${value}"`);
        }
        break;
      default:
        throw new TypeError(`there is no option "${args[i]}"`);
    }
  }
  return { rounds, seconds, kinds };
}
