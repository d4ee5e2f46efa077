/**
 * 1 GiB through a two-way TCP link in this process, between two processes that know nothing of us. The
 * reader stops for a while in the middle. The figures that this test prints are those of CHANGELOG.
 */
import { pipeOpen, TCP } from "@p2pd/pipes";
import { assert, assertEquals } from "@std/assert";
import { Growth, labTest, portOf, python, settled, until } from "./_helpers.ts";

const MIB = 1024 * 1024;
const TOTAL = 1024;
/** MiB after which the reader stops. */
const STOP = 256;
/**
 * MB that this process may grow by: a few for what is on the way, the rest for buffers that nobody holds
 * any more and that wait for the garbage collector. The same for any number of GiB.
 */
const MOST = 128;

/** Every MiB begins with its number, so that none can be lost, doubled or moved unnoticed. */
const SOURCE = `
import hashlib, random, socket, sys
c = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
block = bytearray(random.Random(1).randbytes(1 << 20))
h = hashlib.sha256()
for i in range(${TOTAL}):
    block[:8] = i.to_bytes(8, "big")
    h.update(block)
    c.sendall(block)
c.shutdown(socket.SHUT_WR)
print("sent", h.hexdigest())
print("answer", c.makefile().read())
`;

/** Answers after the end of what it gets. */
const SINK = `
import hashlib, socket, sys
s = socket.create_server(("127.0.0.1", 0))
print("port", s.getsockname()[1])
c, _ = s.accept()
h = hashlib.sha256()
view = memoryview(bytearray(1 << 20))
got, stopped = 0, False
while n := c.recv_into(view):
    h.update(view[:n])
    got += n
    if not stopped and got >= ${STOP} << 20:
        stopped = True
        print("stopped")
        sys.stdin.readline()
c.sendall(h.hexdigest().encode())
c.close()
`;

labTest(
  "1 GiB through a relay whose reader stops for a while, half-closed at the end",
  async () => {
    await using sink = python(SINK);
    const target = await pipeOpen(TCP, {
      dest: ["127.0.0.1", await portOf(sink.stdout, /^port (\d+)/)],
    });
    await using relay = await pipeOpen(TCP, {
      route: "127.0.0.1:0",
      upCb: (_msg, _from, client) => {
        client.addPipe(target);
        target.addPipe(client);
      },
    });
    using growth = new Growth();
    const start = performance.now();
    await using source = python(SOURCE, String(relay.localAddr.port));
    await sink.stdout.line(/^stopped/);

    const stop = performance.now();
    const taken = await settled(
      () => relay.stats.bytesIn,
      "the relay, while its reader has stopped",
    );
    const held = taken - target.stats.bytesOut;
    assert(held < MIB, `the relay holds ${held} bytes`);
    const stopped = performance.now() - stop;
    await sink.write("go on\n");

    const [, sent] = await source.stdout.line(/^sent (\w+)/);
    const [, answer] = await source.stdout.line(/^answer (\w+)/);
    const seconds = (performance.now() - start - stopped) / 1000;
    assertEquals(answer, sent);
    assertEquals(target.stats.bytesOut, TOTAL * MIB);
    assertEquals((await target.closed).error, undefined);
    await until(() => relay.clients.size === 0, "the end of the relayed connection");

    const rate = Math.round(TOTAL * MIB / 1e6 / seconds);
    const { peak } = growth;
    const mib = (bytes: number) => (bytes / MIB).toFixed(1);
    console.log(
      `relay: 1 GiB, ${rate} MB/s; while the reader stood still it held ` +
        `${mib(held)} MiB, and the system ${mib(taken - held - STOP * MIB)} MiB behind it; ` +
        `this process grew by ${peak} MB`,
    );
    assert(peak < MOST, `grew by ${peak} MB`);
  },
);
