import { assert, assertEquals, assertRejects } from "@std/assert";
import { deadline } from "@std/async";
import { NET_CONF, type NetConf } from "../../lib/pipe/conf.ts";
import type { NetAddr } from "../../lib/pipe/types.ts";
import type { OpenSocket } from "../../lib/pipe/pipe_options.ts";
import { adoptSocket } from "../../lib/transport/adopt.ts";
import { TransportError } from "../../lib/transport/error.ts";
import { selectDriver } from "../../lib/transport/select.ts";
import { connect } from "node:net";
import { once } from "node:events";
import { hasDenoUdp } from "../helpers/probes.ts";
import { turns } from "../helpers/turns.ts";
import { readBytes, tcp } from "./pair.ts";

async function nameFor(
  role: "client" | "server",
  from: NetAddr | undefined,
  conf: Partial<NetConf> = {},
): Promise<string> {
  return (await selectDriver("tcp", { role, from, conf: { ...NET_CONF, ...conf } })).name;
}

Deno.test("TCP is Deno's own, except for a client with a local address", async () => {
  assertEquals(await nameFor("server", undefined), "Deno TCP");
  assertEquals(await nameFor("server", tcp("127.0.0.1", 80)), "Deno TCP");
  assertEquals(await nameFor("client", undefined), "Deno TCP");
  assertEquals(await nameFor("client", tcp("0.0.0.0")), "Deno TCP");
  assertEquals(await nameFor("client", tcp("::")), "Deno TCP");
  assertEquals(await nameFor("client", tcp("127.0.0.1")), "node:net TCP");
  assertEquals(await nameFor("client", tcp("0.0.0.0", 5000)), "node:net TCP");
  assertEquals(await nameFor("client", tcp("2001:db8::1")), "node:net TCP");
});

Deno.test("node:net cannot use link-local addresses, so that Deno's TCP takes them", async () => {
  assertEquals(await nameFor("client", tcp("fe80::1%eth0")), "Deno TCP");
  assertEquals(await nameFor("client", tcp("169.254.1.1")), "node:net TCP");
});

Deno.test("a TCP server with reuseAddr needs node:net where --unstable-net is missing", async () => {
  const expected = hasDenoUdp ? "Deno TCP" : "node:net TCP";
  assertEquals(await nameFor("server", undefined, { reuseAddr: true }), expected);
  assertEquals(await nameFor("client", undefined, { reuseAddr: true }), "Deno TCP");
});

Deno.test("only node:net can send the reset that linger asks for", async () => {
  assertEquals(await nameFor("server", undefined, { linger: 0 }), "node:net TCP");
  assertEquals(await nameFor("client", undefined, { linger: 5 }), "node:net TCP");
});

Deno.test("only node:net can take back the read of a TLS handshake that failed", async () => {
  assertEquals(await nameFor("client", undefined, { useSsl: true }), "Deno TCP");
  const conf = { useSsl: true, doClose: false };
  assertEquals(await nameFor("client", undefined, conf), "node:net TCP");
  assertEquals(await nameFor("server", undefined, conf), "Deno TCP");
});

Deno.test("Unix sockets are Deno's own, whatever else is asked for", async () => {
  const conf = { ...NET_CONF, linger: 0 };
  const unix = { role: "server", from: undefined, unix: true, conf } as const;
  assertEquals((await selectDriver("tcp", unix)).name, "Unix stream");
  if (hasDenoUdp) assertEquals((await selectDriver("udp", unix)).name, "Deno UDP");
  else await assertRejects(() => selectDriver("udp", unix), TransportError, "--unstable-net");
});

Deno.test("UDP is Deno's own where the process has it", async () => {
  for (const role of ["client", "server"] as const) {
    const { name } = await selectDriver("udp", { role, from: undefined, conf: NET_CONF });
    assertEquals(name, hasDenoUdp ? "Deno UDP" : "node:dgram UDP");
  }
});

Deno.test("open sockets of all kinds are adopted", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const acceptor = await adoptSocket(listener, NET_CONF);
  assert("accept" in acceptor);
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const stream = await adoptSocket(conn, NET_CONF);
  assert("kind" in stream);
  assertEquals(stream.kind, "stream");
  await Promise.all([stream.close(), acceptor.close()]);
});

Deno.test({
  name: "an open datagram socket is adopted",
  ignore: !hasDenoUdp,
  async fn() {
    const conn = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const socket = await adoptSocket(conn, NET_CONF);
    assert("kind" in socket);
    assertEquals(socket.kind, "datagram");
    await socket.close();
  },
});

Deno.test("an adopted listener takes along whom nobody has accepted", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const acceptor = await adoptSocket(listener, NET_CONF);
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  await turns(3);
  await acceptor.close();
  assertEquals(await conn.read(new Uint8Array(1)).catch(() => null), null);
});

Deno.test("an adopted node:net Socket keeps what comes before the first pull", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const socket = connect({ host: "127.0.0.1", port: listener.addr.port });
  const [conn] = await Promise.all([listener.accept(), once(socket, "connect")]);
  const transport = await adoptSocket(socket.resume(), NET_CONF);
  assert("pull" in transport);
  try {
    await conn.write(new Uint8Array([1, 2, 3]));
    await turns(20);
    const first = await deadline(readBytes(transport, 3), 5000);
    assertEquals(first, new Uint8Array([1, 2, 3]));
  } finally {
    await transport.close();
    conn.close();
    listener.close();
  }
});

Deno.test("what is no socket is refused by name", async () => {
  // as a caller without types would
  const wrong: OpenSocket = JSON.parse('{ "port": 80 }');
  await assertRejects(() => adoptSocket(wrong, NET_CONF), TypeError, "sock: must be");
});
