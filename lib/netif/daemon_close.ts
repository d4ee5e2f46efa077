/**
 * Closes servers in good order.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { PipeTimeoutError } from "../errors.ts";
import type { Handler } from "../pipe/handler_list.ts";
import { ConnPipe } from "../pipe/pipe.ts";
import { ListenPipe } from "../pipe/server.ts";
import type { Pipe } from "../pipe/pipe_types.ts";

/** A peer that sends nothing for so long has nothing on its way. Milliseconds. */
const QUIET = 100;
/** How often to look. Milliseconds. */
const TICK = 10;

const IGNORE: Handler = { cb: () => {}, filter: undefined };

/** What is known of a connection or datagram socket that is to end. */
interface Leaving {
  /** What it had received and sent at the last look. */
  activity: number;
  /** Since when it has not changed. */
  since: number;
  state: "open" | "closing" | "closed";
}

/**
 * Closes pipes once what they received is handled. It accepts no more at once. Every connection, and
 * every datagram socket, goes on as long as messages come or are handled, and is closed when it has been
 * quiet for a moment. One that is never quiet is cut between two messages at half of the time.
 */
export class Closing {
  readonly #servers: ListenPipe[] = [];
  readonly #sockets: ConnPipe[] = [];
  readonly #leaving = new Map<ConnPipe, Leaving>();
  readonly #start = performance.now();
  /** Milliseconds from the start on. */
  #grace = Infinity;
  /** Settles when all is closed. Never rejects. */
  readonly done: Promise<void>;

  /**
   * @param pipes The pipes that listen.
   * @param grace Milliseconds until what is left is aborted.
   */
  constructor(pipes: Iterable<Pipe>, grace: number) {
    for (const pipe of pipes) {
      if (pipe instanceof ListenPipe) this.#servers.push(pipe);
      else if (pipe instanceof ConnPipe) this.#sockets.push(pipe);
    }
    for (const socket of this.#sockets) this.#add(socket);
    this.hurry(grace);
    this.done = this.#run();
  }

  /** Ends it so many milliseconds from now, if that is sooner. */
  hurry(grace: number): void {
    this.#grace = Math.min(this.#grace, performance.now() - this.#start + grace);
  }

  async #run(): Promise<void> {
    const servers = this.#servers, sockets = this.#sockets;
    const deaf = servers.map((server) => server.stopAccepting());
    for (let passed = 0; this.#look(passed); passed = performance.now() - this.#start) {
      if (passed >= this.#grace) {
        const late = new PipeTimeoutError("The grace time of the daemon is over");
        for (const pipe of [...servers, ...sockets]) pipe.abort(late);
        break;
      }
      await delay(TICK);
    }
    await Promise.all([...deaf, ...servers.map((server) => server.close())]);
    await Promise.all(sockets.map((socket) => socket.closed));
  }

  /** Closes what is at rest; whether anything is left. */
  #look(passed: number): boolean {
    const cut = passed >= this.#grace / 2;
    for (const { clients } of this.#servers) for (const client of clients) this.#add(client);
    for (const [pipe, known] of this.#leaving) {
      const { activity } = pipe.tally, { idle } = pipe.flow;
      if (activity !== known.activity || !idle) known.since = passed;
      known.activity = activity;
      if (known.state === "closed") {
        if (idle) this.#leaving.delete(pipe); // or its end handlers are still running
      } else if (known.state === "open") {
        if (cut) takeNoMore(pipe);
        if (!(cut ? pipe.flow.idle : passed - known.since >= QUIET)) continue;
        known.state = "closing";
        void pipe.close();
      }
    }
    return this.#leaving.size > 0;
  }

  #add(pipe: ConnPipe): void {
    if (this.#leaving.has(pipe)) return;
    const known: Leaving = { activity: -1, since: 0, state: "open" };
    this.#leaving.set(pipe, known);
    pipe.closed.then(() => known.state = "closed");
  }
}

/** What arrives from now on is read and forgotten. */
function takeNoMore(pipe: ConnPipe): void {
  pipe.attach(IGNORE);
  for (const handler of pipe.handlers.all) if (handler !== IGNORE) pipe.detach(handler);
}
