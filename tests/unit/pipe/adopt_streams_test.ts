/** Pipes of pairs of web streams. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { PipeClosedError, pipeOpen, TCP } from "@p2pd/pipes";
import { Buffer } from "node:buffer";
import { assertEchoes, host, served, targetOf } from "../../helpers/adopt.ts";
import { recvAll, recvText, text } from "../../helpers/pipes.ts";
import { ca, echo, serverCert } from "../../helpers/tls.ts";
import { settles } from "../../helpers/turns.ts";

const caCerts = [ca.cert];

Deno.test("adopt: a pair of web streams", async () => {
  const there = new TransformStream<Uint8Array, Uint8Array>();
  const back = new TransformStream<Uint8Array, Uint8Array>();
  const sock = { readable: back.readable, writable: there.writable };
  const other = { readable: there.readable, writable: back.writable };
  await using pipe = await pipeOpen(TCP, { sock });
  await using peer = await pipeOpen(TCP, { sock: other, msgCb: echo });
  const nowhere = { transport: "tcp", hostname: "", port: 0 } as const;
  assertEquals([pipe.localAddr, pipe.remoteAddr, pipe.sock], [nowhere, nowhere, sock]);
  const data = "held";
  await pipe.send(data);
  assertEquals(await recvText(pipe, 4), "held");
  await pipe.closeWrite();
  assertEquals(await pipe.recv(), null);
  assertEquals((await peer.closed).by, "remote");
});

Deno.test("adopt: the web streams of a connection of Deno's", async () => {
  await served(Deno.listen(host), async (addr) => {
    const { readable, writable } = await Deno.connect(addr);
    await using pipe = await pipeOpen(TCP, { sock: { readable, writable } });
    const data = new Uint8Array(3_000_000).map((_, i) => i * 7);
    const sending = pipe.send(data);
    let at = 0;
    for await (const [chunk] of pipe) {
      assertEquals(chunk, data.subarray(at, at += chunk.length));
      if (at === data.length) break;
    }
    await sending;
  });
});

Deno.test("adopt: a pair is read no further than the reader is, and a slow one is waited for", async () => {
  let pulls = 0;
  const written: number[] = [];
  let room = Promise.withResolvers<void>();
  await using pipe = await pipeOpen(TCP, {
    sock: {
      readable: new ReadableStream({
        pull: (controller) => {
          pulls++;
          controller.enqueue(new Uint8Array(pulls % 2 === 0 ? 0 : 1000));
        },
      }, { highWaterMark: 0 }),
      writable: new WritableStream({
        write: (chunk) => {
          written.push(chunk.length);
          return room.promise;
        },
      }),
    },
    conf: { readerLimit: 10_000 },
  });
  assertEquals((await pipe.recv())?.length, 1000);
  assertEquals((await pipe.recv())?.length, 1000, "an empty chunk is no message");
  await settles(new Promise(() => {}));
  assert(pulls < 40, `${pulls} pulls`);
  const first = pipe.send(new Uint8Array(1)), second = pipe.send(new Uint8Array(2));
  assertEquals(await settles(first), false);
  room.resolve();
  await Promise.all([first, second]);
  room = Promise.withResolvers();
  const third = pipe.send(new Uint8Array(3));
  const refused = assertRejects(() => third);
  pipe.abort();
  await refused;
  assertEquals(written, [1, 2, 3]);
  room.resolve();
});

Deno.test("adopt: what a pair's streams say about their end", async () => {
  const log: unknown[] = [];
  const make = (fail?: unknown) =>
    pipeOpen(TCP, {
      sock: {
        readable: new ReadableStream({
          pull: (controller) => fail === undefined ? undefined : controller.error(fail),
          cancel: () => void log.push("cancel"),
        }, { highWaterMark: 0 }),
        writable: new WritableStream({
          close: () => void log.push("close"),
          abort: (reason) => void log.push(reason),
        }),
      },
    });
  const closed = await make();
  await closed.send("x");
  await closed.close();
  assertEquals(log.splice(0), ["close", "cancel"]);
  const ended = await make();
  await ended.closeWrite();
  assertEquals(log.splice(0), ["close"]);
  await ended.close();
  assertEquals(log.splice(0), ["cancel"]);
  const reason = new Error("enough");
  const aborted = await make();
  aborted.abort(reason);
  await aborted.closed;
  await settles(new Promise(() => {}), 2);
  assertEquals(log.splice(0).sort(), ["cancel", reason].sort());
  const failed = await make(new Deno.errors.ConnectionReset("gone"));
  assertEquals((await failed.closed).by, "reset");
  const broken = await make(new RangeError("no sense"));
  const info = await broken.closed;
  assertEquals(info.by, "error");
  assertInstanceOf(info.error, RangeError);
});

Deno.test("adopt: a pair that gives no bytes", async () => {
  // as a caller without types would
  const readable: ReadableStream<Uint8Array> = ReadableStream.from(["text"] as never[]);
  await using pipe = await pipeOpen(TCP, { sock: { readable, writable: new WritableStream() } });
  const { by, error } = await pipe.closed;
  assertEquals(by, "error");
  assertInstanceOf(error, TypeError);
  assertStringIncludes(
    error.message,
    'sock: its readable has to give Uint8Arrays, and gave "text"',
  );
});

Deno.test("adopt: a Buffer of Node's is handed up as the bytes that it is", async () => {
  await using pipe = await pipeOpen(TCP, {
    sock: { readable: ReadableStream.from([Buffer.from("bytes")]), writable: new WritableStream() },
  });
  const data = await pipe.recv();
  assertStrictEquals(Object.getPrototypeOf(data), Uint8Array.prototype);
  assertEquals(text(data), "bytes");
});

Deno.test("adopt: a pair that takes nothing any more, for whatever reason", async () => {
  for (const reason of [undefined, "gone", new RangeError("no sense")]) {
    await using pipe = await pipeOpen(TCP, {
      sock: {
        readable: new ReadableStream(),
        writable: new WritableStream({ write: () => Promise.reject(reason) }),
      },
    });
    const error = await assertRejects(() => pipe.send("x"), PipeClosedError);
    assertEquals(error.cause, reason);
    await assertRejects(() => pipe.send("y"), PipeClosedError);
  }
});

Deno.test("adopt: startTls on a pair of streams", async () => {
  const there = new TransformStream<Uint8Array, Uint8Array>();
  const back = new TransformStream<Uint8Array, Uint8Array>();
  const { readable, writable } = await tlsEchoStreams();
  const piping = [
    there.readable.pipeTo(writable).catch(() => {}),
    readable.pipeTo(back.writable).catch(() => {}),
  ];
  const sock = { readable: back.readable, writable: there.writable };
  await using pipe = await pipeOpen(TCP, { sock });
  await pipe.send("STARTTLS");
  assertEquals(await recvText(pipe, 2), "go");
  const info = await pipe.startTls({ caCerts, serverName: "localhost" });
  assertEquals(info.authorized, true);
  await assertEchoes(pipe);
  await pipe.close();
  await Promise.all(piping);
});

/** The streams of a connection to a server with STARTTLS, which goes with it. */
async function tlsEchoStreams(): Promise<Deno.TcpConn> {
  const server = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  void (async () => {
    const pipe = await server.accept();
    assert(pipe !== null);
    await recvText(pipe, 8);
    await pipe.send("go");
    await pipe.startTls(serverCert);
    pipe.addMsgCb(echo);
    await pipe.closed;
    await server.close();
  })();
  return await Deno.connect(targetOf(server));
}

Deno.test("adopt: everything that is sent on a pair is the caller's again", async () => {
  const there = new TransformStream<Uint8Array, Uint8Array>();
  await using pipe = await pipeOpen(TCP, {
    sock: { readable: new ReadableStream(), writable: there.writable },
  });
  await using peer = await pipeOpen(TCP, {
    sock: { readable: there.readable, writable: new WritableStream() },
  });
  const data = new TextEncoder().encode("mine");
  await pipe.send(data);
  data.fill(0);
  await pipe.close();
  assertEquals(await recvAll(peer), "mine");
});
