import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type MsgCb, PipeOpenError, ResolveError, RUDP, TCP, UDP } from "@p2pd/pipes";
import { memoryNetwork } from "@p2pd/pipes/testing";
import { text } from "../../helpers/pipes.ts";

Deno.test("memory network: hosts by address and by name, either family", async () => {
  const net = memoryNetwork({ hosts: { "Server.Example": ["10.0.0.1", "2001:db8::1"] } });
  for (const proto of [TCP, UDP]) {
    for (const host of ["10.0.0.1", "2001:db8::1"]) {
      await using server = await net.pipeOpen(proto, {
        route: [host, 80],
        msgCb: (msg, from, pipe) => void pipe.send(msg, from),
      });
      const own = host === "10.0.0.1" ? "10.0.0.2" : "2001:db8::2";
      await using client = await net.pipeOpen(proto, {
        dest: "SERVER.example:80",
        route: [own, 0],
      });
      assertEquals(client.localAddr.hostname, own);
      assertEquals(client.remoteAddr, server.localAddr);
      await client.send("hello");
      assertEquals(text(await client.recv()), "hello");
    }
  }
});

Deno.test("memory network: localhost is known, and no other name", async () => {
  const net = memoryNetwork();
  await using server = await net.pipeOpen(TCP, { route: "[::1]:80" });
  await using client = await net.pipeOpen(TCP, { dest: "localhost:80" });
  assertEquals(client.remoteAddr, server.localAddr);
  const error = await assertRejects(
    () => net.pipeOpen(TCP, { dest: "elsewhere.example:80" }),
    PipeOpenError,
    'no "elsewhere.example" on this network',
  );
  assertEquals(error.phase, "resolve");
  const lookup = () => Promise.resolve(["::1"]);
  await using other = await net.pipeOpen(TCP, { dest: "elsewhere.example:80", conf: { lookup } });
  assertEquals(other.remoteAddr, server.localAddr);
});

Deno.test("memory network: a send by name finds its hosts, and asks nobody else", async () => {
  const net = memoryNetwork({ hosts: { server: "10.0.0.1" } });
  for (const proto of [UDP, RUDP]) {
    await using server = await net.pipeOpen(proto, {
      route: "10.0.0.1:53",
      msgCb: (msg, from, pipe) => void pipe.send(msg, from),
    });
    await using client = await net.pipeOpen(proto, { route: "10.0.0.2:0" });
    const [reply, from] = await client.request("hello", { dest: "server:53" });
    assertEquals([text(reply), from], ["hello", server.localAddr]);
    await assertRejects(
      () => client.send("hello", "elsewhere.example:53"),
      ResolveError,
      'no "elsewhere.example" on this network',
    );
  }
});

Deno.test("memory network: two that answer each other for ever let timers have their turn", async () => {
  for (const proto of [UDP, RUDP, TCP]) {
    const net = memoryNetwork();
    let answers = 0;
    const answer: MsgCb = (msg, from, pipe) => {
      if (++answers < 200_000) void pipe.send(msg, from).catch(() => {});
    };
    await using server = await net.pipeOpen(proto, { route: "10.0.0.1:7", msgCb: answer });
    await using client = await net.pipeOpen(proto, { dest: server.localAddr, msgCb: answer });
    await client.send("hello");
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert(answers > 0 && answers < 200_000, `${answers} answers in 5 ms`);
    answers = Infinity;
  }
});

Deno.test("memory network: each is one of its own, and says so like a real one", async () => {
  const [one, other] = [memoryNetwork(), memoryNetwork()];
  await using server = await one.pipeOpen(TCP, { route: "10.0.0.1:80" });
  const refused = await assertRejects(
    () => other.pipeOpen(TCP, { dest: server.localAddr }),
    PipeOpenError,
    "refused",
  );
  assertEquals(refused.phase, "connect");
  const used = await assertRejects(
    () => one.pipeOpen(TCP, { route: "10.0.0.1:80" }),
    PipeOpenError,
    "in use",
  );
  assertEquals(used.phase, "bind");
});

Deno.test("memory network: what it has not is refused", async () => {
  const net = memoryNetwork();
  const unix = { path: "/tmp/never" };
  await assertRejects(() => net.pipeOpen(TCP, { route: unix }), PipeOpenError, "no Unix sockets");
  const group = { route: "0.0.0.0:0", conf: { multicast: { group: "224.0.0.9" } } };
  await assertRejects(() => net.pipeOpen(UDP, group), PipeOpenError, "no multicast groups");
  assertThrows(() => memoryNetwork({ hosts: { a: "b" } }), TypeError, "hosts.a: an IP address");
  assertThrows(
    () => net.setLink("10.0.0.1", "x", {}),
    TypeError,
    'b: an IP address is needed, got "x"',
  );
});

Deno.test("memory network: a link has faults of its own, in both directions", async () => {
  const net = memoryNetwork({ upstream: { loss: 1 } });
  net.setLink("10.0.0.1", "10.0.0.2", { downstream: { loss: (_, index) => index === 0 } });
  await using server = await net.pipeOpen(UDP, {
    route: "10.0.0.1:53",
    msgCb: (msg, from, pipe) => void pipe.send(msg, from),
  });
  const dest = server.localAddr;
  await using near = await net.pipeOpen(UDP, { dest, route: "10.0.0.2:0" });
  await using far = await net.pipeOpen(UDP, { dest, route: "10.0.0.3:0" });
  await far.send("never there");
  await near.send("one");
  await near.send("two");
  assertEquals(text(await near.recv()), "two");
  assertEquals(server.stats.messagesIn, 2);
  net.setFaults({});
  await far.send("three");
  assertEquals(text(await far.recv()), "three");
  // Its own are still there, until they are replaced.
  net.setLink("10.0.0.2", "10.0.0.1", { down: true });
  await near.send("nobody there");
  assertEquals(server.stats.messagesIn, 3);
  await far.send("four");
  assertEquals(text(await far.recv()), "four");
});

Deno.test("memory network: a link that goes down takes its connections along, and no others", async () => {
  const net = memoryNetwork();
  await using server = await net.pipeOpen(TCP, { route: "10.0.0.1:80" });
  const dest = server.localAddr;
  const near = await net.pipeOpen(TCP, { dest, route: "10.0.0.2:0" });
  await using far = await net.pipeOpen(TCP, { dest, route: "10.0.0.3:0" });
  net.setLink("10.0.0.1", "10.0.0.2", { down: true });
  assertEquals((await near.closed).by, "reset");
  await assertRejects(
    () => net.pipeOpen(TCP, { dest, route: "10.0.0.2:0" }),
    PipeOpenError,
    "10.0.0.1:80 is down",
  );
  await far.send("still there");
  assertEquals(text(await server.recv()), "still there");
  assertEquals(server.clients.size, 1);
});

Deno.test("memory network: reliable datagrams over a link that loses a third", async () => {
  const net = memoryNetwork({ seed: 3, upstream: { loss: 0.3 }, downstream: { loss: 0.3 } });
  await using server = await net.pipeOpen(RUDP, { route: "10.0.0.1:80" });
  await using client = await net.pipeOpen(RUDP, { dest: server.localAddr });
  await Promise.all(["a", "b", "c", "d"].map((msg) => client.send(msg)));
  const got = [];
  for (let i = 0; i < 4; i++) got.push(text(await server.recv()));
  assertEquals(got.toSorted(), ["a", "b", "c", "d"]);
  assert(net.counts.upstream.lost + net.counts.downstream.lost > 0);
});

Deno.test("memory network: a pair of web streams is adopted as ever", async () => {
  const net = memoryNetwork();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  await using pipe = await net.pipeOpen(TCP, { sock: { readable, writable } });
  void pipe.send("echo");
  assertEquals(text(await pipe.recv()), "echo");
});

const { state } = Deno.permissions.querySync({ name: "run", command: Deno.execPath() });

Deno.test({
  name: "memory network: needs no permission, and keeps no process alive",
  ignore: state !== "granted",
  async fn() {
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-prompt", "--deny-net", "--deny-sys", "--deny-env", "-"],
      cwd: new URL("../../..", import.meta.url),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    });
    await using child = command.spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(`
      import { TCP, UDP } from "@p2pd/pipes";
      import { memoryNetwork } from "@p2pd/pipes/testing";
      const net = memoryNetwork({ upstream: { latency: 5 } });
      for (const proto of [TCP, UDP]) {
        const msgCb = (msg, from, pipe) => pipe.send(msg, from);
        const server = await net.pipeOpen(proto, { route: "10.0.0.1:80", msgCb });
        const client = await net.pipeOpen(proto, { dest: "10.0.0.1:80", route: "10.0.0.2:0" });
        await client.send(proto);
        console.log(new TextDecoder().decode(await client.recv()));
        await client.close();
        await server.close();
      }
    `));
    await writer.close();
    const { stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    assertEquals(decoder.decode(stdout) + decoder.decode(stderr), "tcp\nudp\n");
  },
});
