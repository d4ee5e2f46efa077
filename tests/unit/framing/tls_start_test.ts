/** STARTTLS on a framed connection: what came in the clear is never taken for protected. */
import { assertEquals, assertRejects } from "@std/assert";
import { lines, pipeOpen, PipeStateError, TCP } from "@p2pd/pipes";
import { plainPair, serverTls, upgrade } from "../../helpers/tls.ts";
import { text, until } from "../../helpers/pipes.ts";
import { turns } from "../../helpers/turns.ts";

const conf = { framing: lines() };

Deno.test("framed: startTls goes on with the same framing, encrypted", async () => {
  await using p = await plainPair({ conf });
  await p.client.send("STARTTLS");
  assertEquals(text(await p.accepted.recv()), "STARTTLS");
  await upgrade(p.client, p.accepted);
  await Promise.all([p.client.send("secret one"), p.client.send(""), p.client.send("two")]);
  for (const line of ["secret one", "", "two"]) assertEquals(text(await p.accepted.recv()), line);
  await p.accepted.send("answer");
  assertEquals(text(await p.client.recv()), "answer");
  assertEquals(p.seen().includes("STARTTLS\n"), true);
  assertEquals(p.seen().includes("secret"), false);
  await assertRejects(() => p.client.send("a\nb"), TypeError);
  await p.client.closeWrite();
  assertEquals(await p.accepted.recv(), null);
});

Deno.test("framed: startTls from a message handler, which is in the middle of reading", async () => {
  await using p = await plainPair({ conf });
  const upgraded = Promise.withResolvers<unknown>();
  p.accepted.addMsgCb((msg, _from, pipe) => {
    if (text(msg) !== "STARTTLS") return pipe.send(`re: ${text(msg)}`);
    const started = pipe.startTls(serverTls());
    started.then(upgraded.resolve, upgraded.reject);
    return pipe.send("go"); // goes out encrypted: not awaited before TLS is there
  });
  await p.client.send("STARTTLS");
  await until(() => p.accepted.stats.messagesIn === 1, "the request");
  const { clientTls } = await import("../../helpers/tls.ts");
  await p.client.startTls(clientTls());
  await upgraded.promise;
  assertEquals(text(await p.client.recv()), "go");
  await p.client.send("hello");
  assertEquals(text(await p.client.recv()), "re: hello");
});

for (
  const [what, injected, why] of [
    ["a whole message behind the request", "STARTTLS\nRSET\n", "unread (messages: 1)"],
    ["the beginning of one", "STARTTLS\nRSE", "still incomplete (bytes: 3)"],
  ] as const
) {
  Deno.test(`framed: startTls is refused with ${what} in the same segment`, async () => {
    await using server = await pipeOpen(TCP, { route: "127.0.0.1:0", conf });
    await using client = await pipeOpen(TCP, { dest: server.localAddr });
    await using accepted = await server.accept();
    await client.send(injected);
    assertEquals(text(await accepted?.recv()), "STARTTLS");
    await turns(3);
    const starting = async () => await accepted?.startTls(serverTls());
    await assertRejects(starting, PipeStateError, why);
    // The connection goes on in the clear.
    await client.send("T\n");
    assertEquals(text(await accepted?.recv()), "RSET");
  });
}

Deno.test("framed: startTls in a handler is refused with more in the same segment", async () => {
  const refused = Promise.withResolvers<unknown>();
  await using server = await pipeOpen(TCP, {
    route: "127.0.0.1:0",
    conf,
    msgCb: (msg, _from, pipe) => {
      if (text(msg) === "STARTTLS") pipe.startTls(serverTls()).catch(refused.resolve);
      else return pipe.send(msg);
    },
  });
  await using raw = await pipeOpen(TCP, { dest: server.localAddr });
  await raw.send("STARTTLS\nRSET\n");
  const error = await refused.promise;
  assertEquals(error instanceof PipeStateError && error.message.includes("incomplete"), true);
  assertEquals(text(await raw.recv()), "RSET\n");
});
