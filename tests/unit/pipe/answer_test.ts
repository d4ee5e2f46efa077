/**
 * Handlers that return the promise of the answer they send. The pipe needs no reaction to it of its own,
 * and yet the next message waits for it, and what goes wrong with it is told.
 */
import { assertEquals, assertInstanceOf } from "@std/assert";
import { type MsgCb, NET_CONF, type NetAddr, PipeClosedError, TCP } from "@p2pd/pipes";
import { ConnPipe } from "../../../lib/pipe/pipe.ts";
import { TransportError } from "../../../lib/transport/error.ts";
import { reported } from "../../../lib/transport/send_report.ts";
import { WriteQueue } from "../../../lib/transport/write_queue.ts";
import type { SendReport, Sink, Transport } from "../../../lib/transport/transport.ts";
import { turns } from "../../helpers/turns.ts";

const addr = (port: number) => ({ transport: TCP, hostname: "127.0.0.1", port });

/** A connection whose writes end when a test says so. */
class Slow implements Transport {
  readonly kind: Transport["kind"];
  readonly localAddr = addr(1);
  readonly remoteAddr = addr(2);
  readonly raw = undefined;
  readonly writes: PromiseWithResolvers<number>[] = [];
  readonly #queue: WriteQueue;
  #sink: Sink = () => true;
  readonly #end = Promise.withResolvers<"end">();

  constructor(kind: Transport["kind"]) {
    this.kind = kind;
    const write = () => {
      const write = Promise.withResolvers<number>();
      this.writes.push(write);
      return write.promise;
    };
    this.#queue = new WriteQueue(write, kind);
  }

  pull(sink: Sink): Promise<"end"> {
    this.#sink = sink;
    return this.#end.promise;
  }

  say(byte: number, size = 1): void {
    this.#sink(new Uint8Array(size).fill(byte), this.remoteAddr);
  }

  send(data: Uint8Array, to?: NetAddr, report?: SendReport): Promise<number> {
    return this.#queue.send(data, to, report);
  }

  /** Refuses what is sent from now on. */
  refuse(): void {
    this.#queue.end();
  }

  /** The peer ends its side. */
  end(): void {
    this.#end.resolve("end");
  }

  async close(): Promise<void> {
    this.#queue.end();
    await this.#queue.drain();
    this.end();
  }

  abort(): void {
    this.end();
  }
}

function open(handler: MsgCb, kind: Transport["kind"] = "stream") {
  const errors: unknown[] = [];
  const transport = new Slow(kind);
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

Deno.test("answer: one that is refused at once, beside a send under way, is reported at once", async () => {
  const { pipe, transport, errors, heard } = open((msg, from, pipe) => pipe.send(msg, from));
  const before = pipe.send("before");
  transport.refuse();
  transport.say(1);
  transport.say(2);
  await turns(3);
  assertEquals([heard, errors.length, pipe.flow.idle], [[1, 2], 2, true]);
  transport.writes[0]?.resolve(6);
  assertEquals(await before, 6);
  await pipe.close();
});

Deno.test("answer: what the handler does after it comes before the next message", async () => {
  const order: string[] = [];
  const { pipe, transport } = open((msg, _from, pipe) => {
    order.push(`in ${msg[0]}`);
    const sending = pipe.send(msg);
    sending.finally(() => order.push(`out ${msg[0]}`));
    return sending;
  });
  for (const byte of [1, 2]) transport.say(byte);
  transport.writes[0]?.resolve(1);
  await turns(2);
  assertEquals(order, ["in 1", "out 1", "in 2"]);
  transport.writes[1]?.resolve(1);
  await turns(2);
  assertEquals(order, ["in 1", "out 1", "in 2", "out 2"]);
  await pipe.close();
});

Deno.test("answer: after the peer's end, too, what follows it is still sent", async () => {
  const { pipe, transport, errors } = open((msg, _from, pipe) => {
    const sending = pipe.send(msg);
    sending.then(() => pipe.send("and more")).catch((error) => errors.push(error));
    return sending;
  });
  transport.say(1);
  transport.end();
  await turns(2);
  transport.writes[0]?.resolve(1);
  await turns(2);
  assertEquals(transport.writes.length, 2);
  transport.writes[1]?.resolve(8);
  assertEquals([(await pipe.closed).by, pipe.stats.bytesOut, errors], ["remote", 9, []]);
});

Deno.test("answer: sends that do not end in their order are not taken for one another", async () => {
  const { pipe, transport, errors, heard } = open((msg, _from, pipe) => {
    queueMicrotask(() => void pipe.send("later"));
    return pipe.send(msg);
  });
  const ends: ((error?: Error) => void)[] = [];
  transport.send = ({ length }, to, report) => {
    const sending = Promise.withResolvers<void>();
    ends.push((error) => error === undefined ? sending.resolve() : sending.reject(error));
    return reported(sending.promise, length, to, report);
  };
  transport.say(1);
  transport.say(2);
  await turns(2);
  ends[1]?.();
  await turns(2);
  assertEquals([heard, errors], [[1], []]);
  ends[0]?.(new TransportError("failed", new Error("not sent")));
  await turns(2);
  assertEquals([heard, errors.map(String)], [[1, 2], [
    "PipeError: Cannot send to 127.0.0.1:2: not sent",
  ]]);
  pipe.abort();
});

Deno.test("answer: of two sends the second is waited for, if that is what was returned", async () => {
  const { pipe, transport, heard } = open((msg, _from, pipe) => {
    void pipe.send("first");
    return pipe.send(msg);
  });
  transport.say(1);
  transport.writes[0]?.resolve(5);
  await turns(2);
  assertEquals([heard, transport.writes.length, pipe.flow.idle], [[1], 2, false]);
  transport.writes[1]?.resolve(1);
  await turns(2);
  assertEquals(pipe.flow.idle, true);
  pipe.abort();
});

Deno.test("answer: one that has ended already, before another one, is not waited for", async () => {
  const ends: (() => void)[] = [];
  const sends: Promise<number>[] = [];
  const { pipe, transport, heard } = open(() => sends[1]);
  transport.send = ({ length }, to, report) => {
    const sending = Promise.withResolvers<void>();
    ends.push(sending.resolve);
    return reported(sending.promise, length, to, report);
  };
  sends.push(pipe.send("slow"), pipe.send("fast"));
  ends[1]?.();
  await sends[1];
  transport.say(1);
  transport.say(2);
  await turns(2);
  assertEquals(heard, [1, 2]);
  pipe.abort();
});

Deno.test("answer: datagrams that were answered leave their room to others", async () => {
  const go = Promise.withResolvers<void>();
  let isOver = false;
  const { pipe, transport, heard } = open(
    (_msg, _from, pipe) => isOver ? go.promise : pipe.send("answer"),
    "datagram",
  );
  for (let i = 0; i < 60; i++) {
    transport.say(1, 60_000);
    transport.writes[i]?.resolve(6);
    await turns(1);
  }
  isOver = true;
  for (let i = 0; i < 10; i++) transport.say(2, 60_000);
  assertEquals(heard.length, 70);
  go.resolve();
  await pipe.close();
});
