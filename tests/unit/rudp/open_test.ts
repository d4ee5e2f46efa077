/** Ways to open a pipe of acknowledged datagrams, and what it cannot be. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  Daemon,
  IpRange,
  type Pipe,
  pipeOpen,
  type PipeOptions,
  PipeStateError,
  Route,
  RUDP,
} from "@p2pd/pipes";
import { deadline } from "@std/async";
import { text } from "../../helpers/pipes.ts";
import { turns } from "../../helpers/turns.ts";

const route = "127.0.0.1:0";

const serve = (options: PipeOptions = {}) => pipeOpen(RUDP, { route, ...options });
const connect = (server: Pipe, options: PipeOptions = {}) =>
  pipeOpen(RUDP, { dest: server.localAddr, ...options });

Deno.test("rudp: a daemon listens with it, a route and sock open it", async () => {
  await using daemon = new Daemon({
    msgCb: (msg, from, pipe) => pipe.send(msg, from),
  });
  const { pipes } = await daemon.listenLoopback([RUDP], 0);
  for (const pipe of pipes) {
    await using client = await connect(pipe);
    assertEquals(text((await client.request("hi"))[0]), "hi");
  }
  const own = new Route({ family: "IPv4", nicIps: [new IpRange("127.0.0.1")] });
  await using server = await serve({ route: own });
  await using client = await connect(server, { route: own });
  assertEquals(client.localAddr.hostname, "127.0.0.1");
  await client.send("by route");
  assertEquals(text(await server.recv()), "by route");
});

const noDeno = typeof Deno.listenDatagram !== "function";

Deno.test("rudp: on an open datagram socket", { ignore: noDeno }, async () => {
  const sock = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  await using server = await pipeOpen(RUDP, { sock });
  assertEquals(server.sock, sock);
  await using client = await connect(server);
  await client.send("hi");
  assertEquals(text(await server.recv()), "hi");
});

Deno.test("rudp: sockOnly gives the socket underneath, unread", { ignore: noDeno }, async () => {
  const raw = await pipeOpen(RUDP, { route, conf: { sockOnly: true } });
  assert("receive" in raw && raw.addr.transport === "udp");
  await raw.send(new Uint8Array([1, 2, 3]), raw.addr);
  await turns(3); // a read of anybody else's would have it now
  const [data] = await deadline(raw.receive(), 5000);
  assertEquals(data, new Uint8Array([1, 2, 3]));
  raw.close();
});

Deno.test("rudp: what it cannot have is refused before there is a socket", async () => {
  const refused: readonly (readonly [PipeOptions, string])[] = [
    [{ route, conf: { broadcast: true } }, "conf.broadcast"],
    [{ route: "0.0.0.0:0", conf: { multicast: { group: "239.1.2.3" } } }, "conf.multicast"],
    [{ dest: "127.0.0.1:1", conf: { useSsl: true } }, "conf.useSsl"],
    [{ dest: "224.0.0.5:9" }, "dest: 224.0.0.5:9 is everybody's address"],
    [{ dest: "255.255.255.255:9" }, "dest: 255.255.255.255:9 is everybody's address"],
    [{ dest: "[ff02::1]:9" }, "dest: [ff02::1]:9 is everybody's address"],
    [{ dest: { path: "/tmp/x" } }, "dest: rudp has no Unix sockets"],
    [{ route: { path: "/tmp/x" } }, "route: rudp has no Unix sockets"],
  ];
  for (const [options, message] of refused) {
    await assertRejects(() => pipeOpen(RUDP, options), TypeError, message);
  }
  for (const ackTimeout of [0, 60_001, Infinity, -1]) {
    await assertRejects(() => serve({ conf: { ackTimeout } }), RangeError, "conf.ackTimeout");
  }
});

Deno.test("rudp: nobody is sent to whom everybody hears", async () => {
  await using pipe = await pipeOpen(RUDP, { route: "0.0.0.0:0" });
  for (const dest of ["239.1.2.3:9", "255.255.255.255:9"]) {
    await assertRejects(() => pipe.send("x", dest), PipeStateError, "one peer must acknowledge");
  }
});
