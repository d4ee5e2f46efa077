/** What a measurement took, in time and in CPU time on either side. */
import type { Traffic } from "../protocol.ts";
import { cpuTime } from "./libc.ts";

/** A process and all that it started. */
function family(pid: number): number[] {
  const pids = [pid];
  for (const parent of pids) {
    for (const { name } of Deno.readDirSync(`/proc/${parent}/task`)) {
      const text = Deno.readTextFileSync(`/proc/${parent}/task/${name}/children`);
      pids.push(...text.split(" ").filter((word) => word !== "").map(Number));
    }
  }
  return pids;
}

const sum = (figures: number[]) => figures.reduce((a, b) => a + b, 0);

/**
 * Starts to measure. All processes that serve must be there.
 *
 * @param pid The server's.
 * @returns Ends the measurement. Takes what was moved, in messages or bytes, and what was lost.
 */
export function meter(pid: number): (units: number, lost?: number) => Traffic {
  const server = family(pid);
  const before = sum(server.map(cpuTime));
  const own = cpuTime(Deno.pid);
  const start = performance.now();
  return (units, lost = 0) => {
    const seconds = (performance.now() - start) / 1000;
    const loadCpu = cpuTime(Deno.pid) - own;
    return { units, lost, seconds, serverCpu: sum(server.map(cpuTime)) - before, loadCpu };
  };
}
