/** Functions of `match` that change who is to hear a message while it is given to everybody. */
import { assert, assertEquals } from "@std/assert";
import { lines, type Pipe, pipeOpen, type Subscription, TCP } from "@p2pd/pipes";
import { text, until } from "../../helpers/pipes.ts";

const route = "127.0.0.1:0";
const conf = { framing: lines() };

async function pair() {
  const server = await pipeOpen(TCP, { route, conf });
  const client = await pipeOpen(TCP, { dest: server.localAddr, conf });
  const accepted = await server.accept();
  assert(accepted !== null);
  return {
    client,
    accepted,
    async [Symbol.asyncDispose]() {
      await client.close();
      await server.close();
    },
  };
}

for (const peer of [undefined, "of one peer"]) {
  Deno.test(`match: a subscription ${peer ?? ""} that replaces itself is asked once for a message`, async () => {
    await using p = await pair();
    let calls = 0;
    let current: Subscription | undefined;
    const renew = (pipe: Pipe) => {
      const filter = peer === undefined ? {} : { from: pipe.remoteAddr };
      current = pipe.subscribe({
        ...filter,
        match: () => {
          if (++calls > 100) throw new Error("asked again and again");
          current?.close();
          renew(pipe);
          return false;
        },
      });
    };
    renew(p.accepted);
    await p.client.send("hello");
    await until(() => p.accepted.stats.messagesIn === 1, "the message");
    assertEquals(calls, 1);
  });
}

Deno.test("match: a link that is made while a reply is looked at has that reply", async () => {
  await using p = await pair();
  await using other = await pair();
  const reply = p.client.request("question", {
    match: () => {
      p.client.addPipe(other.client);
      return true;
    },
  });
  assertEquals(text(await p.accepted.recv()), "question");
  await p.accepted.send("reply");
  assertEquals(text((await reply)[0]), "reply");
  assertEquals(text(await other.accepted.recv()), "reply");
});
