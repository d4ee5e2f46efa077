/**
 * 1 GiB through a two-way TCP link in this process, between two processes that know nothing of us. The
 * reader stops for a while in the middle. The figures that this test prints are those of CHANGELOG.
 */
import { assert, assertEquals } from "@std/assert";
import { Growth, labTest, portOf, python, relayTo, settled, until } from "./_helpers.ts";

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
    await using relay = await relayTo(["127.0.0.1", await portOf(sink.stdout, /^port (\d+)/)]);
    using growth = new Growth();
    const start = performance.now();
    await using source = python(SOURCE, String(relay.localAddr.port));
    await sink.stdout.line(/^stopped/);

    const stop = performance.now();
    const taken = await settled(
      () => relay.stats.bytesIn,
      "the relay, while its reader has stopped",
    );
    const ahead = taken / MIB - STOP;
    assert(ahead < 32, `the relay took ${ahead} MiB that nobody reads`);
    const stopped = performance.now() - stop;
    await sink.write("go on\n");

    const [, sent] = await source.stdout.line(/^sent (\w+)/);
    const [, answer] = await source.stdout.line(/^answer (\w+)/);
    const seconds = (performance.now() - start - stopped) / 1000;
    assertEquals(answer, sent);
    assertEquals(relay.stats.bytesIn, TOTAL * MIB);
    await until(() => relay.clients.size === 0, "the end of the relayed connection");

    const rate = Math.round(TOTAL * MIB / 1e6 / seconds);
    const { peak } = growth;
    console.log(
      `relay: 1 GiB in ${seconds.toFixed(1)} s, ${rate} MB/s; ${
        ahead.toFixed(1)
      } MiB on the way while ` +
        `the reader stood still; this process grew by ${peak} MB`,
    );
    assert(peak < MOST, `grew by ${peak} MB`);
  },
);
