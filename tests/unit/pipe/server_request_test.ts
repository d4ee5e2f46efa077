import { assertEquals } from "@std/assert";
import { lines, pipeOpen, TCP } from "@p2pd/pipes";
import { text, until } from "../../helpers/pipes.ts";

const route = "127.0.0.1:0";
const conf = { framing: lines() };

for (const how of ["the server", "the accepted pipe"]) {
  Deno.test(`request of ${how}: the server's loop gets what else the client says`, async () => {
    await using server = await pipeOpen(TCP, { route, conf });
    await using client = await pipeOpen(TCP, { dest: server.localAddr, conf });
    const got: unknown[] = [];
    const loop = (async () => {
      for await (const [msg, from] of server) {
        got.push(text(msg));
        if (text(msg) !== "hello") continue;
        const [pipe] = how === "the server" ? [server] : server.clients;
        const [reply] = await pipe!.request("who?", {
          match: "me",
          ...(how === "the server" ? { dest: from } : {}),
        });
        got.push(text(reply));
      }
    })();
    await client.send("hello");
    assertEquals(text(await client.recv()), "who?");
    for (const line of ["wait", "me", "more"]) await client.send(line);
    await until(() => server.stats.messagesIn === 4, "arrival");
    await until(() => got.length >= 5, "all of it");
    assertEquals(got, ["hello", "me", "wait", "me", "more"]); // a loop gets everything
    await client.closeWrite();
    assertEquals(await client.recv(), null); // the connection closes itself
    await server.close();
    await loop;
  });
}
