/**
 * `conf.reuseBuffers`: big messages are lent. Each byte of the stream tells where it belongs, so that
 * memory which is read over too early, or a piece that is missing, is seen wherever it happens.
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import { type NetConf, type Pipe, pipeOpen, type PipeOptions, TCP } from "@p2pd/pipes";
import { latch, until } from "../../helpers/pipes.ts";

const TOTAL = 2 * 1024 * 1024;
const LENT: Partial<NetConf> = { reuseBuffers: true };

/** Runs a test with a pipe that stops to read, far ahead, and with one that never does. */
function test(name: string, fn: (conf: Partial<NetConf>) => Promise<void>): void {
  Deno.test(`reuse: ${name}`, async () => {
    for (const readerLimit of [TOTAL / 8, 2 * TOTAL]) await fn({ ...LENT, readerLimit });
  });
}

/** No two places up to 64 KiB apart have long runs in common. */
const STREAM = new Uint8Array(TOTAL).map((_, i) =>
  Math.imul(i >>> 2, 2654435761) >>> (8 * (i & 3))
);

function assertAt(data: Uint8Array, offset: number): void {
  const wrong = data.findIndex((byte, i) => byte !== STREAM[offset + i]);
  assert(wrong < 0, `byte ${wrong} of ${data.length} at ${offset} is not what was sent there`);
}

function assertWhole(pieces: readonly Uint8Array[]): void {
  let offset = 0;
  for (const piece of pieces) {
    assertAt(piece, offset);
    offset += piece.length;
  }
  assertEquals(offset, TOTAL);
}

/** A peer that sends the stream to whoever connects. What handlers throw is thrown here. */
async function receiving(options: PipeOptions, use: (pipe: Pipe) => Promise<unknown>) {
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const sent = listener.accept().then(async (conn) => {
    const writer = conn.writable.getWriter();
    for (let at = 0; at < TOTAL; at += 65_536) await writer.write(STREAM.subarray(at, at + 65_536));
    await writer.close();
  }).catch(() => {});
  const { hostname, port } = listener.addr;
  const more: PipeOptions = { ...options, conf: { onError, ...options.conf } };
  const pipe = await pipeOpen(TCP, { ...more, dest: { hostname, port } });
  try {
    await use(pipe);
  } finally {
    await pipe.close();
    await sent;
  }
  for (const error of errors) throw error;
}

/** The same, with handlers alone. */
function handling(options: PipeOptions): Promise<void> {
  return receiving(options, (pipe) => pipe.closed);
}

/** Until the pipe has had the time to read on. */
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 1));

Deno.test("reuse: a handler that returns nothing gets all of a stream in a few buffers", async () => {
  const buffers = new Set<ArrayBufferLike>();
  let messages = 0, offset = 0;
  await handling({
    conf: LENT,
    msgCb: (msg) => {
      assertAt(msg, offset);
      offset += msg.length;
      if (msg.length < 32_768) return; // copied where a buffer may hold twice as much
      messages++;
      buffers.add(msg.buffer);
    },
  });
  assertEquals(offset, TOTAL);
  assertLess(buffers.size, 8);
  assertLess(buffers.size * 4, messages);
});

test("what a handler has stays as it is until its promise has settled", async (conf) => {
  const errors: unknown[] = [];
  let offset = 0;
  const onError = (error: unknown) => void errors.push(error);
  await handling({
    conf: { ...conf, onError },
    msgCb: async (msg) => {
      const at = offset;
      offset += msg.length;
      await aWhile();
      assertAt(msg, at);
      if (at === 0) throw new RangeError("refused");
    },
  });
  assertEquals(offset, TOTAL);
  assertEquals(errors.map(String), ["RangeError: refused"]);
});

test("an up handler that ends in between gives nothing back that is still used", async (conf) => {
  let offset = 0;
  await handling({
    conf,
    msgCb: async (msg, _from, pipe) => {
      const at = offset;
      offset += msg.length;
      pipe.addUpCb(async () => await undefined);
      await aWhile();
      assertAt(msg, at);
    },
  });
  assertEquals(offset, TOTAL);
});

Deno.test("reuse: a loop and handlers that return promises make do with a few buffers", async () => {
  const buffers = new Set<ArrayBufferLike>();
  let messages = 0;
  const check = async (msg: Uint8Array) => {
    await aWhile();
    if (msg.length < 32_768) return; // copied where a buffer may hold twice as much
    messages++;
    buffers.add(msg.buffer);
    assert(msg.buffer.byteLength <= 65_536);
  };
  await receiving({ conf: LENT }, async (pipe) => {
    for await (const [msg] of pipe) await check(msg);
  });
  await handling({ conf: LENT, msgCb: check });
  assertLess(buffers.size, 12);
  assertLess(buffers.size * 4, messages);
});

test("what a loop gave stays as it is until it is asked again", async (conf) => {
  let offset = 0;
  await receiving({ conf }, async (pipe) => {
    for await (const [msg] of pipe) {
      await aWhile();
      assertAt(msg, offset);
      offset += msg.length;
    }
  });
  assertEquals(offset, TOTAL);
});

test("a loop that asks ahead may keep what it gets", async (conf) => {
  for (const held of [false, true]) {
    await receiving({ conf }, async (pipe) => {
      // With messages that are held, as with those to come.
      if (held) await until(() => pipe.stats.bytesIn > TOTAL / 16, "some is held");
      const loop = pipe[Symbol.asyncIterator]();
      const ahead = [loop.next(), loop.next(), loop.next()];
      let offset = 0;
      for (let next; (next = ahead.shift()) !== undefined;) {
        const { value } = await next;
        if (value === undefined) continue;
        ahead.push(loop.next());
        await aWhile();
        assertAt(value[0], offset);
        offset += value[0].length;
      }
      assertEquals(offset, TOTAL);
    });
  }
});

test("two loops at a time, each with a message of its own", async (conf) => {
  let seen = 0;
  await receiving({ conf }, async (pipe) => {
    const loop = async () => {
      for await (const [msg] of pipe) {
        const copy = msg.slice();
        await aWhile();
        assertEquals(msg, copy);
        seen += msg.length;
      }
    };
    await Promise.all([loop(), loop()]);
  });
  assertEquals(seen, TOTAL);
});

test("what recv and subscriptions give is theirs to keep, what was held before included", async (conf) => {
  for (const first of ["at once", "later"]) {
    const received: Uint8Array[] = [], subscribed: Uint8Array[] = [];
    await receiving({ conf }, async (pipe) => {
      if (first === "later") await until(() => pipe.stats.bytesIn > TOTAL / 16, "some is held");
      const next = () => Promise.all([pipe.recv(), pipe.recv()]);
      for (let two; (two = await next())[0] !== null;) {
        for (const msg of two) if (msg !== null) received.push(msg);
      }
    });
    await receiving({ conf }, async (pipe) => {
      if (first === "later") await until(() => pipe.stats.bytesIn > TOTAL / 16, "some is held");
      for await (const [msg] of pipe.subscribe()) subscribed.push(msg);
    });
    assertWhole(received);
    assertWhole(subscribed);
  }
});

Deno.test("reuse: who keeps what was lent does not hold many times as much", async () => {
  const kept: Uint8Array[] = [];
  await using server = await pipeOpen(TCP, { route: "127.0.0.1:0", conf: LENT });
  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  const accepted = await server.accept();
  assert(accepted !== null);
  const loop = accepted[Symbol.asyncIterator]();
  // A burst makes the buffers long; then come pieces that are short beside them.
  const burst = client.send(STREAM);
  for (let left = TOTAL; left > 0;) left -= (await loop.next()).value?.[0].length ?? left;
  await burst;
  await loop.return?.();
  for (let i = 0; i < 50; i++) {
    await client.send(STREAM.subarray(0, 17_000));
    for (let left = 17_000; left > 0;) {
      const piece = await accepted.recv();
      kept.push(piece ?? new Uint8Array());
      left -= piece?.length ?? left;
    }
  }
  const held = new Set(kept.map(({ buffer }) => buffer));
  const bytes = [...held].reduce((sum, { byteLength }) => sum + byteLength, 0);
  assertLess(bytes, 50 * 17_000 * 2);
  await accepted.close();
});

test("a loop that is left, or a pipe that is closed, leaves its last message alone", async (conf) => {
  await receiving({ conf }, async (pipe) => {
    let last = new Uint8Array(), offset = 0, at = 0;
    for await (const [msg] of pipe) {
      await aWhile();
      at = offset;
      offset += msg.length;
      last = msg as Uint8Array<ArrayBuffer>;
      if (offset > TOTAL / 4 && msg.length >= 32_768) break;
    }
    for await (const [msg] of pipe) {
      await aWhile();
      assertAt(msg, offset);
      offset += msg.length;
    }
    assertAt(last, at);
    assertEquals(offset, TOTAL);
  });
});

test("a message that a subscription or a link gets as well is theirs to keep", async (conf) => {
  await using far = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  const target = await pipeOpen(TCP, { dest: far.localAddr });
  const end = await far.accept();
  const handled: Uint8Array[] = [], subscribed: Uint8Array[] = [], linked: Uint8Array[] = [];
  await receiving({ conf }, async (pipe) => {
    const subscription = pipe.subscribe();
    pipe.addMsgCb((msg) => void handled.push(msg));
    for await (const [msg] of subscription) subscribed.push(msg);
  });
  await receiving({ conf }, async (pipe) => {
    pipe.addPipe(target).addMsgCb(() => {});
    for (let left = TOTAL, msg; left > 0 && (msg = await end?.recv()); left -= msg.length) {
      linked.push(msg);
    }
  });
  await target.close();
  await end?.close();
  for (const pieces of [handled, subscribed, linked]) assertWhole(pieces);
});

test("a message that a loop and a handler get is theirs to keep", async (conf) => {
  const slowly: [data: Uint8Array, offset: number][] = [], looped: Uint8Array[] = [];
  let offset = 0;
  await receiving({ conf }, async (pipe) => {
    pipe.addMsgCb(async (msg) => {
      slowly.push([msg, offset]);
      offset += msg.length;
      await aWhile();
    });
    for await (const [msg] of pipe) looped.push(msg);
  });
  for (const [data, at] of slowly) assertAt(data, at);
  assertWhole(looped);
});

test("what waits for a busy handler while a subscription has it is not lent", async (conf) => {
  const subscribed: Uint8Array[] = [];
  let handled = 0;
  await receiving({ conf }, async (pipe) => {
    const subscription = pipe.subscribe();
    pipe.addMsgCb(async (msg) => {
      await aWhile();
      handled += msg.length;
    });
    for await (const [msg] of subscription) subscribed.push(msg);
    await until(() => handled === TOTAL, "the handler has had everything");
  });
  assertWhole(subscribed);
});

test("two handlers have a message until both are done with it", async (conf) => {
  let offset = 0, seen = 0;
  await handling({
    conf,
    msgCb: async (msg) => {
      const at = offset;
      offset += msg.length;
      await aWhile();
      assertAt(msg, at);
    },
    upCb: (_msg, _from, pipe) => void pipe.addMsgCb((msg) => void (seen += msg.length)),
  });
  assertEquals([offset, seen], [TOTAL, TOTAL]);
});

test("readable, readExactly and readUntil give memory to keep", async (conf) => {
  const chunks: Uint8Array[] = [];
  await receiving({ conf }, async (pipe) => {
    for await (const chunk of pipe.readable) chunks.push(chunk);
  });
  assertWhole(chunks);
  const pieces: Uint8Array[] = [];
  await receiving({ conf }, async (pipe) => {
    for (let i = 0; i < 16; i++) {
      const piece = await pipe.readExactly(i % 2 === 0 ? TOTAL / 32 : 1000);
      if (piece !== null) pieces.push(piece);
    }
    // The rest of what the last piece was cut from is read in the other way.
    let offset = pieces.reduce((sum, { length }) => sum + length, 0);
    for await (const [msg] of pipe) {
      assertAt(msg, offset);
      pieces.push(msg.slice());
      offset += msg.length;
    }
  });
  assertWhole(pieces);
});

test("what waited for a first handler, and what a last one left, is whole", async (conf) => {
  const pieces: Uint8Array[] = [];
  await receiving({ conf }, async (pipe) => {
    await aWhile();
    const enough = latch();
    const handler = async (msg: Uint8Array) => {
      pieces.push(msg.slice());
      await aWhile();
      if (pieces.length === 20) enough.open();
    };
    pipe.addMsgCb(handler);
    await enough.done;
    pipe.delMsgCb(handler);
    for (let msg; (msg = await pipe.recv()) !== null;) pieces.push(msg.slice());
  });
  assertWhole(pieces);
});

test("a message whose memory was transferred away is not read over", async (conf) => {
  const kept: Uint8Array[] = [];
  await handling({
    conf,
    msgCb: (msg) => void kept.push(structuredClone(msg, { transfer: [msg.buffer as ArrayBuffer] })),
  });
  assertWhole(kept);
});

test("a server's loop, each of whose connections has its own memory", async (conf) => {
  await using server = await pipeOpen(TCP, { route: "127.0.0.1:0", conf });
  const clients = await Promise.all([1, 2, 3].map(() => pipeOpen(TCP, { dest: server.localAddr })));
  const sent = clients.map(async (client) => {
    await client.send(STREAM);
    await client.closeWrite();
  });
  const offsets = new Map<number, number>();
  let left = TOTAL * clients.length;
  for await (const [msg, { port }] of server) {
    const offset = offsets.get(port) ?? 0;
    if (left % 7 === 0) await aWhile();
    assertAt(msg, offset);
    offsets.set(port, offset + msg.length);
    left -= msg.length;
    if (left === 0) break;
  }
  await Promise.all(sent);
  await Promise.all(clients.map((client) => client.close()));
  assertEquals([...offsets.values()], clients.map(() => TOTAL));
});

test("a relay by a handler passes everything on", async (conf) => {
  await using far = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  const target = await pipeOpen(TCP, { dest: far.localAddr });
  const end = await far.accept();
  const pieces: Uint8Array[] = [];
  const arrived = (async () => {
    for (let msg; (msg = await end?.recv()) instanceof Uint8Array;) pieces.push(msg);
  })();
  await handling({ conf, msgCb: (msg) => target.send(msg) });
  await target.closeWrite();
  await arrived;
  await target.close();
  await end?.close();
  assertWhole(pieces);
});

Deno.test("reuse: by default every message is its receiver's to keep", async () => {
  const handled: Uint8Array[] = [], looped: Uint8Array[] = [];
  await handling({ msgCb: (msg) => void handled.push(msg) });
  assertWhole(handled);
  await receiving({}, async (pipe) => {
    for await (const [msg] of pipe) looped.push(msg);
  });
  assertWhole(looped);
});
