import { assertEquals } from "@std/assert";
import { memoryDatagrams, memoryPair, memoryStreams } from "../../lib/transport/memory.ts";
import { settles } from "../helpers/turns.ts";
import { bind, failure, listen, options, readBytes, receive, tcp, udp } from "./pair.ts";

Deno.test("a pair is connected both ways, with a window of 64 KiB", async () => {
  const [a, b] = memoryPair();
  assertEquals(a.remoteAddr, b.localAddr);
  assertEquals(b.remoteAddr, a.localAddr);
  await a.send(new Uint8Array(65_536));
  const more = a.send(new Uint8Array(1));
  assertEquals(await settles(more, 3), false);
  await readBytes(b, 65_536);
  await more;
  await b.send(new Uint8Array([7]));
  assertEquals(await readBytes(a, 1), new Uint8Array([7]));
  await Promise.all([a.close(), b.close()]);
});

Deno.test("every network is one of its own", async () => {
  const one = memoryStreams(), other = memoryStreams();
  const acceptor = await listen(one, tcp("10.1.2.3", 80));
  await failure(other.connect(tcp("10.1.2.3", 80), undefined, options()));
  const client = await one.connect(tcp("10.1.2.3", 80), tcp("10.9.9.9", 5000), options());
  assertEquals(client.localAddr, tcp("10.9.9.9", 5000));
  await Promise.all([client.close(), acceptor.close()]);
});

Deno.test("a full backlog refuses", async () => {
  const driver = memoryStreams();
  const acceptor = await driver.listen(tcp("::1", 80), options({ backlog: 1 }));
  const first = await driver.connect(tcp("::1", 80), undefined, options());
  await failure(driver.connect(tcp("::1", 80), undefined, options()));
  await Promise.all([first.close(), acceptor.close()]);
});

Deno.test("two that answer each other do not call each other", async () => {
  const driver = memoryDatagrams();
  const a = await bind(driver, udp("127.0.0.1")), b = await bind(driver, udp("127.0.0.1"));
  let left = 10_000;
  const echo = b.pull((data, from) => {
    void b.send(data, from);
    return true;
  });
  const pings = a.pull((data, from) => {
    void a.send(data, from);
    return --left > 0;
  });
  await a.send(new Uint8Array(1), b.localAddr);
  assertEquals(await pings, "paused");
  await Promise.all([a.close(), b.close()]);
  assertEquals(await echo, "end");
});

Deno.test("a datagram to nobody is lost", async () => {
  const driver = memoryDatagrams();
  const a = await bind(driver, udp("127.0.0.1")), b = await bind(driver, udp("127.0.0.1"));
  await a.send(new Uint8Array([1]), udp("127.0.0.1", 1));
  await a.send(new Uint8Array([2]), b.localAddr);
  assertEquals((await receive(b))[0], new Uint8Array([2]));
  await Promise.all([a.close(), b.close()]);
});
