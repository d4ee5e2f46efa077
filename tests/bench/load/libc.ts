/**
 * The calls of the C library that the load generator consists of. Called directly they cost a fraction
 * of Deno's own sockets, so that the servers are what limits a measurement. Linux with glibc.
 *
 * @module
 */

const i32 = "i32";

// Sizes are u32 and i32 in place of usize and isize, which would be bigints: nothing here is bigger.
const { symbols } = Deno.dlopen("libc.so.6", {
  socket: { parameters: [i32, i32, i32], result: i32 },
  bind: { parameters: [i32, "buffer", i32], result: i32 },
  connect: { parameters: [i32, "buffer", i32], result: i32 },
  listen: { parameters: [i32, i32], result: i32 },
  accept: { parameters: [i32, "pointer", "pointer"], result: i32 },
  getsockname: { parameters: [i32, "buffer", "buffer"], result: i32 },
  setsockopt: { parameters: [i32, i32, i32, "buffer", i32], result: i32 },
  send: { parameters: [i32, "buffer", "u32", i32], result: i32 },
  recv: { parameters: [i32, "buffer", "u32", i32], result: i32 },
  recvfrom: { parameters: [i32, "buffer", "u32", i32, "buffer", "buffer"], result: i32 },
  sendto: { parameters: [i32, "buffer", "u32", i32, "buffer", i32], result: i32 },
  shutdown: { parameters: [i32, i32], result: i32 },
  close: { parameters: [i32], result: i32 },
  epoll_create1: { parameters: [i32], result: i32 },
  epoll_ctl: { parameters: [i32, i32, i32, "buffer"], result: i32 },
  epoll_wait: { parameters: [i32, "buffer", i32, i32], result: i32 },
  clock_gettime: { parameters: [i32, "buffer"], result: i32 },
  __errno_location: { parameters: [], result: "pointer" },
});

/** The calls by their names in C. */
export const libc = symbols;

/** Do not wait (`send`, `recv`). */
export const MSG_DONTWAIT = 0x40;
/** Throw away instead of copying (`recv` on TCP). */
export const MSG_TRUNC = 0x20;

const EINTR = 4;
const EAGAIN = 11;

function errno(): number {
  const at = libc.__errno_location();
  return at === null ? 0 : new Deno.UnsafePointerView(at).getInt32();
}

/**
 * What a call returned.
 *
 * @throws {Error} When it failed.
 */
export function checked(result: number, call: string): number {
  if (result < 0) throw new Error(`${call}: errno ${errno()}`);
  return result;
}

/**
 * The bytes that a send or receive moved, or -1 when it would have had to wait, or waited too long.
 *
 * @throws {Error} When it failed.
 */
export function moved(result: number, call: string): number {
  if (result >= 0) return result;
  const code = errno();
  if (code !== EAGAIN && code !== EINTR) throw new Error(`${call}: errno ${code}`);
  return -1;
}

const time = new BigInt64Array(2);

/** The CPU time that a process has used, all threads together, past ones too. Seconds. */
export function cpuTime(pid: number): number {
  // As clock_getcpuclockid(3) makes it.
  checked(libc.clock_gettime((~pid << 3) | 2, time), `clock of process ${pid}`);
  return Number(time[0]) + Number(time[1]) / 1e9;
}
