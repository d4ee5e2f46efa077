/** Each of many connections sends a message whenever the one before has come back. */
import type { Job, Traffic } from "../protocol.ts";
import { Epoll } from "./epoll.ts";
import { checked, libc, MSG_DONTWAIT } from "./libc.ts";
import { meter } from "./meter.ts";
import { connect } from "./socket.ts";

/** How long a server may be silent. Milliseconds. */
const SILENCE = 10_000;

/** Connections whose messages come back. */
export class Echoes {
  readonly #size: number;
  readonly #fds: number[] = [];
  readonly #epoll = new Epoll();
  readonly #out: Uint8Array<ArrayBuffer>;
  readonly #first: Uint32Array;
  /** For each connection: where it reads to, the message it is at, and how much of it is there. */
  readonly #in: { bytes: Uint8Array<ArrayBuffer>; words: Uint32Array; seq: number; got: number }[] =
    [];

  /** @param size Of a message; a multiple of 4. */
  constructor(size: number) {
    this.#size = size;
    this.#out = new Uint8Array(size).fill(7);
    this.#first = new Uint32Array(this.#out.buffer);
  }

  /** Adds a connection, over which one message has come back. */
  add(port: number, last?: number): void {
    const fd = connect("tcp", port, last);
    const bytes = new Uint8Array(this.#size);
    const id = this.#fds.push(fd) - 1;
    this.#in.push({ bytes, words: new Uint32Array(bytes.buffer), seq: 0, got: 0 });
    this.#epoll.add(fd, id);
    this.#send(id);
    while (!this.#receive(id, 0));
  }

  /** Goes on until the time is up. Gives how many messages came back. */
  run(seconds: number): number {
    const end = performance.now() + seconds * 1000;
    let count = 0;
    for (let id = 0; id < this.#fds.length; id++) this.#send(id);
    let open = this.#fds.length;
    while (open > 0) {
      const ready = this.#epoll.wait(SILENCE);
      if (ready === 0) throw new Error(`the server did not answer for ${SILENCE} ms`);
      const late = performance.now() > end;
      for (let n = 0; n < ready; n++) {
        const id = this.#epoll.ready(n);
        if (!this.#receive(id, MSG_DONTWAIT)) continue;
        count++;
        if (late) open--;
        else this.#send(id);
      }
    }
    return count;
  }

  close(): void {
    this.#epoll.close();
    for (const fd of this.#fds) libc.close(fd);
  }

  #send(id: number): void {
    const state = this.#in[id];
    const fd = this.#fds[id];
    if (state === undefined || fd === undefined) throw new RangeError(`no connection ${id}`);
    this.#first[0] = ++state.seq;
    state.got = 0;
    const n = checked(libc.send(fd, this.#out, this.#size, 0), "send");
    if (n !== this.#size) throw new Error(`of ${this.#size} bytes ${n} were sent`);
  }

  /** Reads, and tells whether the message is complete. */
  #receive(id: number, flags: number): boolean {
    const state = this.#in[id];
    const fd = this.#fds[id];
    if (state === undefined || fd === undefined) throw new RangeError(`no connection ${id}`);
    const { bytes, words, seq, got } = state;
    const into = got === 0 ? bytes : bytes.subarray(got);
    const n = checked(libc.recv(fd, into, this.#size - got, flags), "recv");
    if (n === 0) throw new Error("the server ended a connection");
    state.got += n;
    if (state.got < this.#size) return false;
    if (words[0] !== seq) throw new Error(`message ${words[0]} came back in place of ${seq}`);
    return true;
  }
}

/** Measures an echo server over TCP. */
export function tcpEcho({ port, pid, width, size, seconds }: Job): Traffic {
  const echoes = new Echoes(size);
  // Each is accepted and echoes before the measurement: else it would be one of fewer connections.
  for (let i = 0; i < width; i++) echoes.add(port);
  const done = meter(pid);
  const traffic = done(echoes.run(seconds));
  echoes.close();
  return traffic;
}
