/** `conf.allow` and `conf.deny` on UDP: who is not let in is not heard at all. */
import { assertEquals } from "@std/assert";
import { type Pipe, pipeOpen, UDP } from "@p2pd/pipes";
import { text, until } from "../../helpers/pipes.ts";

const onlyLinux = { ignore: Deno.build.os !== "linux" }; // there all of 127.0.0.0/8 is this host
const from = (host: string): Promise<Pipe> => pipeOpen(UDP, { route: [host, 0] });

Deno.test("rules on UDP: a refused datagram is counted, and nothing else", onlyLinux, async () => {
  const lists = [
    { deny: ["127.0.0.2", "127.0.0.4/30"] },
    { allow: ["127.0.0.1"] },
    { allow: ["127.0.0.0/8"], deny: ["127.0.0.2/31", "127.0.0.5"] },
  ];
  await using good = await from("127.0.0.1");
  await using bad = await from("127.0.0.2");
  await using worse = await from("127.0.0.5");
  for (const conf of lists) {
    let handled = 0;
    await using server = await pipeOpen(UDP, {
      route: "0.0.0.0:0",
      conf: { ...conf, enableMsgIds: true },
      msgCb: () => void handled++,
    });
    const dest = ["127.0.0.1", server.localAddr.port] as const;
    for (const sender of [bad, worse, bad]) await sender.send("same", dest);
    await good.send("same", dest);
    await until(() => server.stats.messagesIn > 0, "the one that is let in");
    const { messagesIn, bytesIn, refused, strangers, duplicates, queued } = server.stats;
    assertEquals([messagesIn, bytesIn, refused], [1, 4, 3]);
    assertEquals([strangers, duplicates, queued, handled], [0, 0, 0, 1]);
  }
});

Deno.test("rules on UDP: over a socket of both families, and past anyPeer", onlyLinux, async () => {
  await using good = await from("127.0.0.1");
  await using bad = await from("127.0.0.2");
  await using server = await pipeOpen(UDP, { route: "*:0", conf: { deny: ["127.0.0.2"] } });
  await using client = await pipeOpen(UDP, {
    dest: good.localAddr,
    route: "127.0.0.1:0",
    conf: { anyPeer: true, deny: ["127.0.0.2"] },
  });
  for (const pipe of [server, client]) {
    const dest = ["127.0.0.1", pipe.localAddr.port] as const;
    await bad.send("no", dest);
    await good.send("yes", dest);
    assertEquals(text(await pipe.recv()), "yes");
    assertEquals(pipe.stats.refused, 1);
  }
});
