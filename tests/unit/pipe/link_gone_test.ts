import { assertEquals } from "@std/assert";
import { NET_CONF, type NetAddr, TCP } from "@p2pd/pipes";
import { ConnPipe } from "../../../lib/pipe/pipe.ts";
import { TransportError } from "../../../lib/transport/error.ts";
import { reported } from "../../../lib/transport/send_report.ts";
import type { SendReport, Sink, Transport } from "../../../lib/transport/transport.ts";
import { turns } from "../../helpers/turns.ts";

const addr = (port: number) => ({ transport: TCP, hostname: "127.0.0.1", port });

/** A connection that does what a test says. */
class Scripted implements Transport {
  readonly kind = "stream";
  readonly localAddr = addr(1);
  readonly remoteAddr = addr(2);
  readonly raw = undefined;
  /** Whether its peer takes nothing any more. */
  broken = false;
  /** What `send` waits for. */
  taken = Promise.resolve();
  /** How often its output was ended. */
  ends = 0;
  /** What `close` waits for. */
  flushed = Promise.resolve();
  #sink: Sink = () => true;
  readonly #end = Promise.withResolvers<"end">();

  pull(sink: Sink): Promise<"end"> {
    this.#sink = sink;
    return this.#end.promise;
  }

  /** Something arrives. */
  say(): void {
    this.#sink(new Uint8Array(10), this.remoteAddr);
  }

  /** The peer ends its side. */
  end(): void {
    this.#end.resolve("end");
  }

  send({ length }: Uint8Array, to?: NetAddr, report?: SendReport): Promise<number> {
    const gone = new TransportError("reset", new Deno.errors.BrokenPipe("gone"));
    return reported(this.broken ? Promise.reject(gone) : this.taken, length, to, report);
  }

  closeWrite(): Promise<void> {
    this.ends++;
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await this.flushed;
    this.end();
  }

  abort(): void {
    this.end();
  }
}

/** Two connections, and their transports. */
function two() {
  const [[a, near], [b, far]] = [0, 1].map(() => {
    const transport = new Scripted();
    const options = { proto: TCP, role: "client", route: undefined, conf: NET_CONF } as const;
    const pipe = new ConnPipe(transport, options);
    pipe.start();
    return [pipe, transport] as const;
  }) as [[ConnPipe, Scripted], [ConnPipe, Scripted]];
  return { a, b, near, far };
}

/** The two connections of a relay, and their transports. */
function relay() {
  const { a, b, near, far } = two();
  a.addPipe(b);
  b.addPipe(a);
  return { a, b, near, far };
}

Deno.test("link: a side that takes nothing any more, and then ends, takes the other one along", async () => {
  const { a, b, near, far } = relay();
  near.broken = true;
  far.say();
  await turns(2);
  near.end();
  assertEquals((await a.closed).by, "remote");
  assertEquals((await b.closed).by, "local");
});

Deno.test("link: a side that ends, and then takes nothing any more, takes the other one along", async () => {
  const { a, b, near, far } = relay();
  near.broken = true;
  near.end();
  far.say();
  assertEquals((await a.closed).by, "reset");
  assertEquals((await b.closed).by, "local");
});

Deno.test("link: what comes while the other side closes keeps no side open", async () => {
  const { a, b, near, far } = relay();
  const { promise, resolve } = Promise.withResolvers<void>();
  near.flushed = promise;
  const closing = a.close();
  await turns(2);
  far.say();
  await turns(2);
  resolve();
  await closing;
  assertEquals((await b.closed).by, "local");
});

Deno.test("link: one that has failed can be removed, and is forgotten with its source", async () => {
  for (const how of ["removed", "closed"]) {
    const { a, b, near, far } = relay();
    near.broken = true;
    far.say();
    await turns(2);
    assertEquals([b.ties.links.size, a.ties.incoming.size], [0, 1]);
    if (how === "removed") b.delPipe(a);
    else await b.close();
    assertEquals([b.ties.failedLinks.size, a.ties.incoming.size], [0, 0], how);
    a.abort();
    if (how === "removed") assertEquals(b.stats.messagesIn, 1);
    b.abort();
  }
});

Deno.test("link: one that is removed while it sends passes no end on any more", async () => {
  for (const how of ["its target fails", "its source ends", "its source had ended"]) {
    const { a, b, near, far } = two();
    a.addMsgCb(() => {});
    const { promise, resolve } = Promise.withResolvers<void>();
    far.taken = promise;
    a.addPipe(b, { end: true });
    near.say();
    if (how === "its source had ended") near.end();
    await turns(2);
    a.delPipe(b);
    if (how === "its target fails") b.abort();
    else near.end();
    await turns(2);
    if (how === "its target fails") assertEquals(a.refusal("send"), undefined, how);
    resolve();
    await turns(4);
    assertEquals([far.ends, b.ties.incoming.size], [0, 0], how);
    if (how !== "its target fails") assertEquals(b.stats.messagesOut, 1, how);
    a.abort();
    b.abort();
  }
});

Deno.test("link: what one that is removed had taken over is sent, though its target would close itself", async () => {
  const { a, b, near, far } = two();
  a.addMsgCb(() => {});
  const { promise, resolve } = Promise.withResolvers<void>();
  near.taken = promise;
  b.addPipe(a);
  for (let i = 0; i < 3; i++) far.say();
  b.delPipe(a);
  near.end();
  await turns(4);
  resolve();
  assertEquals((await a.closed).by, "remote");
  assertEquals(a.stats.messagesOut, 3);
  b.abort();
});
