/** Connections that are there and do nothing, and the memory that they take. */
import type { Job, Memory } from "../protocol.ts";
import { Echoes } from "./tcp_echo.ts";

/** Connections from each of our addresses, few enough for any range of ports. */
const EACH = 5000;

/** What a process has in memory. Bytes. */
function resident(pid: number): number {
  const found = /^VmRSS:\s*(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`));
  return Number(found?.[1]) * 1024;
}

/** Lets the time pass for memory to come to rest, and gives the least that was resident meanwhile. */
async function settled(pid: number, seconds: number): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < 10; i++) {
    await new Promise((resolve) => setTimeout(resolve, seconds * 100));
    least = Math.min(least, resident(pid));
  }
  return least;
}

/** Measures an echo server's memory with one connection and with `width` more. */
export async function idle({ port, pid, width, size, seconds }: Job): Promise<Memory> {
  const echoes = new Echoes(size);
  echoes.add(port);
  const before = await settled(pid, seconds);
  for (let i = 0; i < width; i++) echoes.add(port, 1 + Math.floor(i / EACH));
  const after = await settled(pid, seconds);
  echoes.close();
  return { before, after };
}
