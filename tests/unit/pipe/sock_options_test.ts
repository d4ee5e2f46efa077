/** The socket options `reuseAddr`, `noDelay` and `keepAlive`, by what they do that others can see. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type NetConf, type Pipe, pipeOpen, PipeOpenError, TCP, UDP } from "@p2pd/pipes";
import { freePort, until } from "../../helpers/pipes.ts";

const route = "127.0.0.1:0";
const onlyLinux = { ignore: Deno.build.os !== "linux" };

for (const proto of [TCP, UDP] as const) {
  Deno.test(`${proto}: without reuseAddr a port has one owner, and the next is told at once`, async () => {
    for (const [first, second] of [[false, false], [true, false], [false, true]]) {
      await using owner = await pipeOpen(proto, { route, conf: { reuseAddr: first } });
      const error = await assertRejects(
        () => pipeOpen(proto, { route: owner.localAddr, conf: { reuseAddr: second } }),
        PipeOpenError,
      );
      assertEquals([error.phase, error.addr], ["bind", owner.localAddr]);
      assert(/in ?use/i.test(String(error.cause)), `cause: ${error.cause}`);
    }
  });

  Deno.test(`${proto}: with reuseAddr a port has several, and is free when they have closed`, async () => {
    const conf = { reuseAddr: true };
    const one = await pipeOpen(proto, { route: ["127.0.0.1", freePort()], conf });
    const two = await pipeOpen(proto, { route: one.localAddr, conf });
    assertEquals(two.localAddr, one.localAddr);
    await Promise.all([one.close(), two.close()]);
    await using again = await pipeOpen(proto, { route: one.localAddr });
    assertEquals(again.localAddr, one.localAddr);
  });
}

Deno.test("tcp: servers that share a port all get connections", onlyLinux, async () => {
  const conf = { reuseAddr: true };
  await using one = await pipeOpen(TCP, { route, conf, msgCb: (_, __, pipe) => pipe.send("1") });
  await using two = await pipeOpen(TCP, {
    route: one.localAddr,
    conf,
    msgCb: (_, __, pipe) => pipe.send("2"),
  });
  const served = { 1: 0, 2: 0 };
  // The system deals them out by a hash; that one gets all of 64 is less likely than 1 to 2^63.
  for (let i = 0; i < 64; i++) {
    await using client = await pipeOpen(TCP, { dest: two.localAddr });
    await client.send("who?");
    served[(await client.recv())?.[0] === 0x31 ? 1 : 2]++;
  }
  assert(served[1] > 0 && served[2] > 0, `served: ${JSON.stringify(served)}`);
});

/** The two ways of TCP: `linger` is what only node:net can do. */
const WAYS: readonly { name: string; conf: Partial<NetConf> }[] = [
  { name: "Deno's TCP", conf: {} },
  { name: "node:net", conf: { linger: 5000 } },
];

/** A pipe and the plain socket at its other end. */
interface Wire extends AsyncDisposable {
  readonly pipe: Pipe;
  readonly peer: Deno.TcpConn;
}

async function dialled(conf: Partial<NetConf>): Promise<Wire> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepting = listener.accept();
  const { port } = listener.addr;
  const pipe = await pipeOpen(TCP, { dest: ["127.0.0.1", port], conf });
  const peer = await accepting;
  return {
    pipe,
    peer,
    async [Symbol.asyncDispose]() {
      peer.close();
      await pipe.close();
    },
  };
}

async function accepted(conf: Partial<NetConf>): Promise<Wire> {
  const server = await pipeOpen(TCP, { route, conf });
  const { hostname, port } = server.localAddr;
  const peer = await Deno.connect({ hostname, port });
  const pipe = await server.accept({ timeout: 5000 });
  assert(pipe !== null);
  return {
    pipe,
    peer,
    async [Symbol.asyncDispose]() {
      peer.close();
      await server.close();
    },
  };
}

const SIDES = [["client", dialled], ["accepted", accepted]] as const;

/**
 * The shortest of a few rounds of two small sends and an answer, in milliseconds. With Nagle's algorithm
 * (RFC 896) the second waits for the acknowledgement of the first, which a peer that has nothing to
 * say delays: by 40 ms on Linux.
 */
async function shortestRound({ pipe, peer }: Wire): Promise<number> {
  const buffer = new Uint8Array(16);
  const answering = (async () => {
    let heard = 0;
    for (let size; (size = await peer.read(buffer)) !== null;) {
      for (heard += size; heard >= 2; heard -= 2) await peer.write(new Uint8Array(1));
    }
  })();
  const times: number[] = [];
  for (let i = 0; i < 6; i++) {
    const start = performance.now();
    await pipe.send("a");
    await pipe.send("b");
    await pipe.recv();
    times.push(performance.now() - start);
  }
  await pipe.closeWrite();
  await answering;
  return Math.min(...times.slice(1)); // the first acknowledgement is never delayed
}

for (const { name, conf } of WAYS) {
  for (const [side, open] of SIDES) {
    Deno.test(
      `${name}, ${side}: noDelay sends at once what otherwise waits`,
      onlyLinux,
      async () => {
        for (const noDelay of [true, false]) {
          await using wire = await open({ ...conf, noDelay });
          const ms = await shortestRound(wire);
          assert(noDelay ? ms < 30 : ms >= 30, `noDelay ${noDelay}: ${ms} ms`);
        }
      },
    );
  }
}

const canRun = Deno.permissions.querySync({ name: "run", command: "cat" }).state === "granted";

/** Whether a connection of this host waits to send a keep-alive probe (proc(5), net/tcp). */
async function hasKeepAlive(local: number, remote: number): Promise<boolean> {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, "0");
  const { stdout } = await new Deno.Command("cat", { args: ["/proc/net/tcp"] }).output();
  for (const line of new TextDecoder().decode(stdout).split("\n")) {
    const [, from, to, , , timer] = line.trim().split(/\s+/);
    if (from?.endsWith(`:${hex(local)}`) && to?.endsWith(`:${hex(remote)}`)) {
      return timer?.startsWith("02:") ?? false;
    }
  }
  throw new Error(`no connection from ${local} to ${remote}`);
}

for (const { name, conf } of WAYS) {
  for (const [side, open] of SIDES) {
    Deno.test({
      name: `${name}, ${side}: keepAlive makes the system probe a silent peer`,
      ignore: onlyLinux.ignore || !canRun,
      async fn() {
        for (const keepAlive of [false, true]) {
          await using wire = await open({ ...conf, keepAlive });
          const { localAddr, remoteAddr } = wire.pipe;
          const has = await hasKeepAlive(localAddr.port, remoteAddr?.port ?? 0);
          assertEquals(has, keepAlive);
        }
      },
    });
  }
}

Deno.test(
  "udp: all that share a port hear a broadcast, one of them anything else",
  onlyLinux,
  async () => {
    const conf = { reuseAddr: true };
    await using one = await pipeOpen(UDP, { route: "0.0.0.0:0", conf });
    await using two = await pipeOpen(UDP, { route: one.localAddr, conf });
    await using sender = await pipeOpen(UDP, { route, conf: { broadcast: true } });
    const { port } = one.localAddr;
    await sender.send("all", ["127.255.255.255", port]);
    await sender.send("one", ["127.0.0.1", port]);
    const heard = () => one.stats.messagesIn + two.stats.messagesIn;
    await until(() => heard() === 3, "three datagrams");
    assertEquals([one.stats.messagesIn, two.stats.messagesIn].sort(), [1, 2]);
  },
);
