import { runInNewContext } from "node:vm";
import { setFlagsFromString } from "node:v8";

let collector: (() => void) | undefined;

/**
 * Runs the garbage collector, which is what frees the port of a closed `Deno.QuicEndpoint` (Deno 2.9):
 * it has no call for that. Costs some milliseconds, more where the heap is large.
 */
export function collectGarbage(): void {
  if (collector === undefined) {
    setFlagsFromString("--expose-gc");
    const exposed: unknown = runInNewContext("gc");
    collector = isFunction(exposed) ? () => exposed() : () => {};
  }
  collector();
}

function isFunction(value: unknown): value is () => unknown {
  return typeof value === "function";
}
