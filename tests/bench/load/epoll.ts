/** Waiting for many sockets at once. */
import { checked, libc } from "./libc.ts";

const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
/** Ready sockets told of at a time. */
const MOST = 256;

// struct epoll_event: a u32 of events, then a u64 of ours, packed on x86-64 alone. In units of a u32.
const SIZE = Deno.build.arch === "x86_64" ? 3 : 4;
const DATA = SIZE - 2;

/** A set of sockets, each with a number that says which one it is. */
export class Epoll {
  readonly #fd = checked(libc.epoll_create1(0), "epoll_create1");
  readonly #events = new Uint32Array(SIZE * MOST);

  /** Adds a socket to wait for. */
  add(fd: number, id: number): void {
    const event = new Uint32Array(SIZE);
    event[0] = EPOLLIN;
    event[DATA] = id;
    checked(libc.epoll_ctl(this.#fd, EPOLL_CTL_ADD, fd, event), "epoll_ctl");
  }

  /** Waits at most so long (milliseconds) for something to read. Gives how many sockets are ready. */
  wait(ms: number): number {
    return Math.max(0, libc.epoll_wait(this.#fd, this.#events, MOST, ms));
  }

  /** The number of the n-th socket that is ready. */
  ready(n: number): number {
    return this.#events[n * SIZE + DATA] ?? -1;
  }

  /** Lets go of the set, not of the sockets. */
  close(): void {
    libc.close(this.#fd);
  }
}
