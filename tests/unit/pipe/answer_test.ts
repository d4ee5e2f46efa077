/**
 * Handlers that return the promise of the answer they send. The pipe needs no reaction to it of its own,
 * and yet the next message waits for it, and what goes wrong with it is told.
 */
import { assertEquals, assertInstanceOf } from "@std/assert";
import { type MsgCb, NET_CONF, type NetAddr, PipeClosedError, TCP } from "@p2pd/pipes";
import { ConnPipe } from "../../../lib/pipe/pipe.ts";
import { WriteQueue } from "../../../lib/transport/write_queue.ts";
import type { SendReport, Sink, Transport } from "../../../lib/transport/transport.ts";
import { turns } from "../../helpers/turns.ts";

const addr = (port: number) => ({ transport: TCP, hostname: "127.0.0.1", port });

/** A connection whose writes end when a test says so. */
class Slow implements Transport {
  readonly kind = "stream";
  readonly localAddr = addr(1);
  readonly remoteAddr = addr(2);
  readonly raw = undefined;
  readonly writes: PromiseWithResolvers<number>[] = [];
  readonly #queue = new WriteQueue(() => {
    const write = Promise.withResolvers<number>();
    this.writes.push(write);
    return write.promise;
  });
  #sink: Sink = () => true;
  readonly #end = Promise.withResolvers<"end">();

  pull(sink: Sink): Promise<"end"> {
    this.#sink = sink;
    return this.#end.promise;
  }

  say(byte: number): void {
    this.#sink(new Uint8Array([byte]), this.remoteAddr);
  }

  send(data: Uint8Array, to?: NetAddr, report?: SendReport): Promise<number> {
    return this.#queue.send(data, to, report);
  }

  /** Refuses what is sent from now on. */
  refuse(): void {
    this.#queue.end();
  }

  close(): Promise<void> {
    this.#end.resolve("end");
    return Promise.resolve();
  }

  abort(): void {
    this.#end.resolve("end");
  }
}

function open(handler: MsgCb) {
  const errors: unknown[] = [];
  const transport = new Slow();
  const conf = { ...NET_CONF, onError: (error: unknown) => void errors.push(error) };
  const pipe = new ConnPipe(transport, { proto: TCP, role: "client", route: undefined, conf });
  const heard: number[] = [];
  pipe.addMsgCb((msg, from, pipe) => {
    heard.push(msg[0] ?? 0);
    return handler(msg, from, pipe);
  });
  pipe.start();
  return { pipe, transport, errors, heard };
}

Deno.test("answer: the next message waits until the answer was sent", async () => {
  const { pipe, transport, errors, heard } = open((msg, from, pipe) => pipe.send(msg, from));
  for (const byte of [1, 2, 3]) transport.say(byte);
  await turns(2);
  assertEquals([heard, transport.writes.length], [[1], 1]);
  transport.writes[0]?.resolve(1);
  await turns(2);
  assertEquals([heard, transport.writes.length], [[1, 2], 2]);
  transport.writes[1]?.resolve(1);
  await turns(2);
  assertEquals([heard, transport.writes.length], [[1, 2, 3], 3]);
  assertEquals([pipe.stats.messagesOut, pipe.flow.idle], [2, false]);
  transport.writes[2]?.resolve(1);
  await turns(2);
  assertEquals([pipe.stats.messagesOut, pipe.flow.idle, errors], [3, true, []]);
  await pipe.close();
});

Deno.test("answer: one that fails is reported, once", async () => {
  const { pipe, transport, errors, heard } = open((msg, from, pipe) => pipe.send(msg, from));
  transport.say(1);
  transport.say(2);
  transport.writes[0]?.reject(new Deno.errors.BrokenPipe("gone"));
  await turns(3);
  // The second is handled too, and cannot be answered either.
  assertEquals(heard, [1, 2]);
  for (const error of errors) assertInstanceOf(error, PipeClosedError);
  assertEquals([errors.length, pipe.flow.idle], [2, true]);
  await pipe.close();
});

Deno.test("answer: an older send's promise is waited for as any other", async () => {
  let first: Promise<number> | undefined;
  const { pipe, transport, heard } = open((msg, _from, pipe) => {
    first ??= pipe.send("before");
    void pipe.send(msg);
    return first;
  });
  transport.say(1);
  transport.say(2);
  await turns(2);
  assertEquals(heard, [1]);
  transport.writes[0]?.resolve(6);
  await turns(2);
  // What it returned is over, what it sent besides is not.
  assertEquals([heard, transport.writes.length], [[1, 2], 2]);
  transport.writes[1]?.resolve(1);
  await turns(2);
  transport.writes[2]?.resolve(1);
  await turns(2);
  assertEquals(pipe.flow.idle, true);
  await pipe.close();
});

Deno.test("answer: a later send that is refused at once does not end the wait", async () => {
  const { pipe, transport, errors, heard } = open((msg, from, pipe) => pipe.send(msg, from));
  transport.say(1);
  transport.say(2);
  transport.refuse();
  const later = pipe.send("later").catch((error) => error);
  assertInstanceOf(await later, PipeClosedError);
  await turns(2);
  assertEquals([heard, errors], [[1], []]);
  transport.writes[0]?.resolve(1);
  await turns(3);
  assertEquals([heard, errors.length], [[1, 2], 1]);
  await pipe.close();
});

Deno.test("answer: a write that takes a part of it goes on, and is one answer", async () => {
  const { pipe, transport, heard } = open((_msg, _from, pipe) => pipe.send("answer"));
  transport.say(1);
  transport.say(2);
  transport.writes[0]?.resolve(2);
  await turns(2);
  assertEquals([heard, transport.writes.length, pipe.stats.messagesOut], [[1], 2, 0]);
  transport.writes[1]?.resolve(4);
  await turns(2);
  assertEquals([heard, pipe.stats.messagesOut, pipe.stats.bytesOut], [[1, 2], 1, 6]);
  pipe.abort();
});
