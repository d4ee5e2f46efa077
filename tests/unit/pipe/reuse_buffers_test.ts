/**
 * `conf.reuseBuffers`: big messages are lent. Each byte of the stream tells where it belongs, so that
 * memory which is read over too early, or a piece that is missing, is seen wherever it happens.
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import { type NetConf, type Pipe, pipeOpen, type PipeOptions, TCP } from "@p2pd/pipes";
import { latch, until } from "../../helpers/pipes.ts";

const TOTAL = 8 * 1024 * 1024;
const LENT: Partial<NetConf> = { reuseBuffers: true };
/** Read far ahead, so that memory given back too early is soon read over. */
const AHEAD: Partial<NetConf> = { ...LENT, readerLimit: 1024 * 1024 };

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

/** A peer that sends the stream to whoever connects, and what one made of it. */
async function receiving<T>(use: (pipe: Pipe) => Promise<T>, options: PipeOptions = {}) {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const sent = listener.accept().then(async (conn) => {
    const writer = conn.writable.getWriter();
    for (let at = 0; at < TOTAL; at += 65_536) await writer.write(STREAM.subarray(at, at + 65_536));
    await writer.close();
  }).catch(() => {});
  const { hostname, port } = listener.addr;
  const pipe = await pipeOpen(TCP, { dest: { hostname, port }, conf: AHEAD, ...options });
  try {
    return await use(pipe);
  } finally {
    await pipe.close();
    await sent;
  }
}

/** Until the pipe has had the time to read on. */
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 1));

Deno.test("reuse: a handler that returns nothing gets all of a stream in a few buffers", async () => {
  const buffers = new Set<ArrayBufferLike>();
  let messages = 0, offset = 0;
  await receiving((pipe) => pipe.closed, {
    msgCb: (msg) => {
      assertAt(msg, offset);
      offset += msg.length;
      messages++;
      if (msg.length >= 16_384) buffers.add(msg.buffer);
    },
  });
  assertEquals(offset, TOTAL);
  assertLess(buffers.size, 8);
  assertLess(buffers.size * 4, messages);
});

Deno.test("reuse: what a handler has stays as it is until its promise has settled", async () => {
  const errors: unknown[] = [];
  let offset = 0;
  const onError = (error: unknown) => void errors.push(error);
  await receiving((pipe) => pipe.closed, {
    conf: { ...AHEAD, onError },
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

Deno.test("reuse: an up handler that ends in between gives nothing back that is still used", async () => {
  let offset = 0;
  await receiving((pipe) => pipe.closed, {
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

Deno.test("reuse: recv, a loop and handlers that return promises make do with a few buffers", async () => {
  const buffers = new Set<ArrayBufferLike>();
  let messages = 0;
  const check = async (msg: Uint8Array) => {
    await aWhile();
    messages++;
    if (msg.length >= 16_384) buffers.add(msg.buffer);
  };
  await receiving(async (pipe) => {
    for (let i = 0; i < 20; i++) await check(await pipe.recv() ?? new Uint8Array());
    for await (const [msg] of pipe) await check(msg);
  }, { conf: LENT });
  await receiving((pipe) => pipe.closed, { conf: LENT, msgCb: check });
  assertLess(buffers.size, 20);
  assertLess(buffers.size * 2, messages);
});

Deno.test("reuse: what recv and a loop gave stays as it is until they are asked again", async () => {
  let offset = 0;
  const check = async (msg: Uint8Array) => {
    await aWhile();
    assertAt(msg, offset);
    offset += msg.length;
  };
  await receiving(async (pipe) => {
    while (offset < TOTAL / 2) await check(await pipe.recv() ?? new Uint8Array());
    for await (const [msg] of pipe) await check(msg);
  });
  assertEquals(offset, TOTAL);
});

Deno.test("reuse: a loop that is left, or a pipe that is closed, leaves its last message alone", async () => {
  await receiving(async (pipe) => {
    let last = new Uint8Array(), offset = 0, at = 0;
    for await (const [msg] of pipe) {
      at = offset;
      offset += msg.length;
      last = msg as Uint8Array<ArrayBuffer>;
      if (offset > TOTAL / 2) break;
    }
    for (let msg; (msg = await pipe.recv()) !== null; offset += msg.length) assertAt(msg, offset);
    assertAt(last, at);
    assertEquals(offset, TOTAL);
  });
});

Deno.test("reuse: a message that a subscription or a link gets as well is theirs to keep", async () => {
  await using far = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  const target = await pipeOpen(TCP, { dest: far.localAddr });
  const end = await far.accept();
  const handled: Uint8Array[] = [], subscribed: Uint8Array[] = [], linked: Uint8Array[] = [];
  await receiving(async (pipe) => {
    const subscription = pipe.subscribe();
    pipe.addMsgCb((msg) => void handled.push(msg));
    for await (const [msg] of subscription) subscribed.push(msg);
  });
  await receiving(async (pipe) => {
    pipe.addPipe(target).addMsgCb(() => {});
    for (let left = TOTAL, msg; left > 0 && (msg = await end?.recv()); left -= msg.length) {
      linked.push(msg);
    }
  });
  await target.close();
  await end?.close();
  for (const pieces of [handled, subscribed, linked]) assertWhole(pieces);
});

Deno.test("reuse: a message that a loop and a handler get is theirs to keep", async () => {
  const slowly: [data: Uint8Array, offset: number][] = [], looped: Uint8Array[] = [];
  let offset = 0;
  await receiving(async (pipe) => {
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

Deno.test("reuse: what waits for a busy handler while a subscription has it is not lent", async () => {
  const subscribed: Uint8Array[] = [];
  let handled = 0;
  await receiving(async (pipe) => {
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

Deno.test("reuse: two handlers have a message until both are done with it", async () => {
  let offset = 0, seen = 0;
  await receiving((pipe) => pipe.closed, {
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

Deno.test("reuse: readable, readExactly and readUntil give memory to keep", async () => {
  const chunks: Uint8Array[] = [];
  await receiving(async (pipe) => {
    for await (const chunk of pipe.readable) chunks.push(chunk);
  });
  assertWhole(chunks);
  const pieces: Uint8Array[] = [];
  await receiving(async (pipe) => {
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

Deno.test("reuse: what waited for a first handler, and what a last one left, is whole", async () => {
  const pieces: Uint8Array[] = [];
  await receiving(async (pipe) => {
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

Deno.test("reuse: a message whose memory was transferred away is not read over", async () => {
  const kept: Uint8Array[] = [];
  await receiving((pipe) => pipe.closed, {
    msgCb: (msg) => void kept.push(structuredClone(msg, { transfer: [msg.buffer as ArrayBuffer] })),
  });
  assertWhole(kept);
});

Deno.test("reuse: a server's loop, each of whose connections has its own memory", async () => {
  await using server = await pipeOpen(TCP, { route: "127.0.0.1:0", conf: LENT });
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

Deno.test("reuse: a relay by a handler passes everything on", async () => {
  await using far = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  const target = await pipeOpen(TCP, { dest: far.localAddr });
  const end = await far.accept();
  const pieces: Uint8Array[] = [];
  const arrived = (async () => {
    for (let msg; (msg = await end?.recv()) instanceof Uint8Array;) pieces.push(msg);
  })();
  await receiving((pipe) => pipe.closed, { msgCb: (msg) => target.send(msg) });
  await target.closeWrite();
  await arrived;
  await target.close();
  await end?.close();
  assertWhole(pieces);
});

Deno.test("reuse: by default every message is its receiver's to keep", async () => {
  const handled: Uint8Array[] = [], looped: Uint8Array[] = [];
  await receiving((pipe) => pipe.closed, { conf: {}, msgCb: (msg) => void handled.push(msg) });
  assertWhole(handled);
  await receiving(async (pipe) => {
    for await (const [msg] of pipe) looped.push(msg);
  }, { conf: {} });
  assertWhole(looped);
});
