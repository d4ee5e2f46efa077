/** A reader that takes its time sees what a quick one sees. */
import { assertEquals } from "@std/assert";
import { connectTls, serveTls } from "../../helpers/tls.ts";
import { Random } from "../../helpers/random.ts";

const SIZE = 300_000;
const random = new Random(5);
const moment = () => new Promise((resolve) => setTimeout(resolve, random.below(4)));

async function serve() {
  return await serveTls({
    upCb: async (_msg, _from, pipe) => {
      await pipe.send(new Uint8Array(SIZE));
      await pipe.close();
    },
  });
}

Deno.test("tls: a slow loop gets everything, and then the end in good order", async () => {
  await using server = await serve();
  await Promise.all(Array.from({ length: 40 }, async () => {
    await using client = await connectTls(server.localAddr);
    let got = 0;
    for await (const [msg] of client) {
      got += msg.length;
      await moment();
    }
    assertEquals(got, SIZE);
  }));
});

Deno.test("tls: a slow handler gets everything, and then the end in good order", async () => {
  await using server = await serve();
  await Promise.all(Array.from({ length: 40 }, async () => {
    let got = 0;
    const client = await connectTls(server.localAddr, {
      msgCb: async (msg) => {
        got += msg.length;
        await moment();
      },
    });
    assertEquals([await client.closed, got], [{ by: "remote" }, SIZE]);
  }));
});
