/**
 * A peer that does not read: whatever sends to it has to wait, and this process must not grow. The
 * figures that these tests print are those of CHANGELOG.
 */
import { type Pipe, pipeOpen, TCP } from "@p2pd/pipes";
import { assert, assertEquals } from "@std/assert";
import { Growth, labTest, noise, portOf, python, settled, until, within } from "./_helpers.ts";

const MB = 1_000_000;
/** What is sent, or would be if the peer read. */
const TOTAL = 200 * MB;
/** The caller's own memory, there before anything is measured. */
const BIG = new Uint8Array(TOTAL).fill(1);
/** MB that this process may grow by. */
const MOST = 32;

/** Accepts one connection and never reads from it, until its input ends. */
const DEAF_SERVER = `
import socket, sys
s = socket.create_server(("127.0.0.1", 0))
print("port", s.getsockname()[1])
c, _ = s.accept()
print("accepted")
sys.stdin.read()
`;

/** Sends as much as it is let and never reads. */
const DEAF_CLIENT = `
import socket, sys
c = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
for _ in range(200):
    c.sendall(bytes(1000000))
print("all sent")
`;

/** Of Deno's own sockets, and of those of node:net, which connections from a given address use. */
const DRIVERS = [{ name: "Deno.connect" }, { name: "node:net", route: "127.0.0.1:0" }];

for (const { name, ...route } of DRIVERS) {
  labTest(`200 MB by send to a peer that does not read, ${name}`, async () => {
    await using peer = python(DEAF_SERVER);
    const dest = `127.0.0.1:${await portOf(peer.stdout, /^port (\d+)/)}`;
    const pipe = await pipeOpen(TCP, { dest, ...route });
    const chunk = noise(64 * 1024);
    using growth = new Growth();
    let outcome = "pending";
    const sending = (async () => {
      for (let sent = 0; sent < TOTAL; sent += chunk.length) await pipe.send(chunk);
    })().then(() => outcome = "sent", () => outcome = "refused");
    await settled(() => pipe.stats.bytesOut, "the send");
    report(`by send, ${name}`, growth, pipe);
    assertEquals(outcome, "pending");
    pipe.abort();
    await within(sending, "the end of the send");
    assertEquals(outcome, "refused");
  });

  labTest(`200 MB in one send to a peer that does not read, ${name}`, async () => {
    await using peer = python(DEAF_SERVER);
    const dest = `127.0.0.1:${await portOf(peer.stdout, /^port (\d+)/)}`;
    const pipe = await pipeOpen(TCP, { dest, ...route });
    using growth = new Growth();
    let outcome = "pending";
    const sending = pipe.send(BIG).then(() => outcome = "sent", () => outcome = "refused");
    await peer.stdout.line(/^accepted/);
    await settled(() => growth.peak, "the memory");
    report(`by one send, ${name}`, growth);
    assertEquals(outcome, "pending");
    pipe.abort();
    await within(sending, "the end of the send");
    assertEquals(outcome, "refused");
  });

  labTest(`200 MB by a link to a peer that does not read, ${name}`, async () => {
    await using peer = python(DEAF_SERVER);
    await using source = await pipeOpen(TCP, { route: "127.0.0.1:0" });
    await using feeder = python(DEAF_CLIENT, String(source.localAddr.port));
    const dest = `127.0.0.1:${await portOf(peer.stdout, /^port (\d+)/)}`;
    const target = await pipeOpen(TCP, { dest, ...route });
    const from = await source.accept({ timeout: 10_000 });
    assert(from !== null);
    using growth = new Growth();
    from.addPipe(target, { end: true });
    await settled(() => from.stats.bytesIn, "the link");
    report(`by a link, ${name}`, growth, target);
    assert(from.stats.bytesIn < TOTAL / 2, `${from.stats.bytesIn} bytes were taken`);
    target.abort();
    from.abort();
    await feeder.ended();
  });
}

labTest("200 MB by an echo handler to a client that does not read", async () => {
  await using server = await pipeOpen(TCP, {
    route: "127.0.0.1:0",
    msgCb: (msg, _from, pipe) => pipe.send(msg),
    conf: { onError: () => {} }, // of the send that the end of the test breaks off
  });
  using growth = new Growth();
  await using client = python(DEAF_CLIENT, String(server.localAddr.port));
  await until(() => server.stats.bytesIn > 0, "the first bytes");
  await settled(() => server.stats.bytesIn, "the echo");
  report("by an echo handler", growth, server);
  assert(server.stats.bytesIn < TOTAL / 2, `${server.stats.bytesIn} bytes were taken`);
  server.abort();
  await client.ended();
});

/** The figures of a pipe that has sent as much as it can, or of one that is about to send everything. */
function report(how: string, growth: Growth, pipe?: Pipe): void {
  const { peak } = growth;
  const taken = (pipe?.stats.bytesOut ?? MB) / MB;
  const first = pipe === undefined ? "" : `the system took ${taken.toFixed(1)} of 200 MB, `;
  console.log(`${how}: ${first}this process grew by ${peak} MB`);
  assert(taken >= 1, `only ${taken} MB were sent before it came to rest`);
  assert(peak < MOST, `grew by ${peak} MB`);
}
