/** A pipe that was closed in good order stays so, whatever becomes of its connection. */
import { type Pipe, PipeClosedError, pipeOpen, QUIC } from "@p2pd/pipes";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { deadline } from "@std/async";
import { latch } from "../../helpers/pipes.ts";
import { bytesOf, connectQuic, ignore, serveQuic } from "./quic.ts";

function test(name: string, fn: () => Promise<void>): void {
  Deno.test(`quic: ${name}`, { ignore }, () => deadline(fn(), 10_000));
}

/** A client with two pipes on one connection, each of which has sent a byte. */
async function twoPipes(server: Pipe): Promise<readonly [Pipe, Pipe]> {
  const first = await connectQuic(server);
  const second = await pipeOpen(QUIC, { over: first });
  await first.send("1");
  await second.send("2");
  return [first, second];
}

for (const size of [10, 300_000]) {
  test(`close, and abort of the last pipe at once: ${size} bytes arrive whole`, async () => {
    await using server = await serveQuic();
    const [closing, aborted] = await twoPipes(server);
    const [whole, cut] = [await server.accept(), await server.accept()];
    assert(whole !== null && cut !== null);
    const sending = closing.send(new Uint8Array(size));
    await closing.close();
    await sending;
    aborted.abort();
    assertEquals(await bytesOf(whole), size + 1);
    // That one was cut all the same.
    await assertRejects(() => bytesOf(cut), PipeClosedError);
    assertEquals((await cut.closed).by, "reset");
    await whole.close();
    assertEquals((await closing.closed).by, "local");
  });
}

test("close, and abort of the last pipe at once: handlers get it all, and an end", async () => {
  let size = 0;
  const known = latch(), ended = latch();
  const ends: string[] = [];
  await using server = await serveQuic({
    msgCb: (msg) => {
      size += msg.length;
      if (size >= 2) known.open();
    },
    endCb: (_msg, _from, pipe) => {
      pipe.closed.then(({ by }) => {
        if (ends.push(by) === 2) ended.open();
      });
    },
  });
  const [closing, aborted] = await twoPipes(server);
  await known.done;
  const sending = closing.send(new Uint8Array(100_000));
  await closing.close();
  await sending;
  aborted.abort();
  await ended.done;
  assertEquals([size, ends.toSorted()], [100_002, ["remote", "reset"]]);
});

test("close while the peer reads late: by us, and no reset", async () => {
  await using server = await serveQuic();
  const client = await connectQuic(server);
  const sending = client.send(new Uint8Array(200_000));
  const accepted = await server.accept();
  assert(accepted !== null);
  const closing = client.close();
  assertEquals(await bytesOf(accepted), 200_000);
  await closing;
  assertEquals(await sending, 200_000);
  assertEquals(await client.closed, { by: "local" });
  accepted.abort();
});
