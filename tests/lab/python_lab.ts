/** Python's sockets as peers: an echo in both directions, a reset, and a pattern of small writes. */
import { PipeClosedError, pipeOpen, TCP, UDP } from "@p2pd/pipes";
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  labTest,
  noise,
  portOf,
  python,
  recvAll,
  relayTo,
  sha256,
  until,
  within,
} from "./_helpers.ts";

const DATA = noise(4 * 1024 * 1024);
const HASH = sha256(DATA);

const FAMILY = `
import hashlib, socket, struct, sys
host, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
def all_of(c):
    parts = []
    while data := c.recv(65536):
        parts.append(data)
    return b"".join(parts)
`;

const TCP_ECHO_SERVER = `${FAMILY}
s = socket.create_server((host, port), family=family)
print("port", s.getsockname()[1])
c, peer = s.accept()
print("peer", peer[1])
while data := c.recv(65536):
    c.sendall(data)
c.close()
`;

/** Sends in uneven pieces, ends its side, and says what came back. */
const TCP_CLIENT = `${FAMILY}
import threading
data = sys.stdin.buffer.read()
c = socket.create_connection((host, port))
def send():
    at, size = 0, 1
    while at < len(data):
        c.sendall(data[at:at + size])
        at, size = at + size, size % 50000 + 777
    c.shutdown(socket.SHUT_WR)
sender = threading.Thread(target=send)
sender.start()
got = all_of(c)
sender.join()
print("sha256", hashlib.sha256(got).hexdigest())
`;

const UDP_ECHO_SERVER = `${FAMILY}
s = socket.socket(family, socket.SOCK_DGRAM)
s.bind((host, port))
print("port", s.getsockname()[1])
while True:
    data, peer = s.recvfrom(65535)
    s.sendto(data, peer)
`;

/** Sends datagrams of all sizes, the empty and the biggest one included, each after the last echo. */
const UDP_CLIENT = `${FAMILY}
s = socket.socket(family, socket.SOCK_DGRAM)
s.settimeout(10)
s.connect((host, port))
for size in [0, 1, 2, 512, 1472, 1473, 9000, 32768, 65506, 65507]:
    sent = bytes(i % 251 for i in range(size))
    s.send(sent)
    print(size, "same" if s.recv(65535) == sent else "different")
`;

/** Says something, and resets the connection when told to. */
const RESETTING_CLIENT = `${FAMILY}
c = socket.create_connection((host, port))
c.sendall(b"last words")
sys.stdin.readline()
c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
c.close()
`;

const RESETTING_SERVER = `${FAMILY}
s = socket.create_server((host, port), family=family)
print("port", s.getsockname()[1])
c, _ = s.accept()
c.sendall(b"last words")
sys.stdin.readline()
c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
c.close()
`;

const SIZES = [0, 1, 2, 512, 1472, 1473, 9000, 32768, 65506, 65507];

for (const host of ["127.0.0.1", "::1"]) {
  const test = (name: string, fn: () => Promise<void>) => labTest(`Python, ${host}: ${name}`, fn);

  test("our TCP client gets its 4 MiB back from their server", async () => {
    await using server = python(TCP_ECHO_SERVER, host, "0");
    const port = await portOf(server.stdout, /^port (\d+)/);
    await using client = await pipeOpen(TCP, { dest: [host, port] });
    await server.stdout.line(new RegExp(`^peer ${client.localAddr.port}$`));
    const sending = client.send(DATA).then(() => client.closeWrite());
    assertEquals(sha256(await recvAll(client)), HASH);
    await sending;
    assertEquals((await server.ended()).code, 0);
  });

  test("their TCP client gets its 4 MiB back from our server", async () => {
    await using server = await pipeOpen(TCP, { route: [host, 0] });
    const serving = (async () => {
      for await (const [msg, from] of server) await server.send(msg, from);
    })();
    await using client = python(TCP_CLIENT, host, String(server.localAddr.port));
    await client.write(DATA);
    await client.endInput();
    const [, hash] = await client.stdout.line(/^sha256 (\w+)/);
    assertEquals(hash, HASH);
    assertEquals((await client.ended()).code, 0);
    await server.close();
    await serving;
  });

  test("our UDP client and their server, from the empty datagram to the biggest", async () => {
    await using server = python(UDP_ECHO_SERVER, host, "0");
    const port = await portOf(server.stdout, /^port (\d+)/);
    await using client = await pipeOpen(UDP, { dest: [host, port] });
    for (const size of SIZES) {
      const sent = noise(size);
      const [got, from] = await client.request(sent);
      assertEquals(sha256(got), sha256(sent), `of ${size} bytes`);
      assertEquals(from, { transport: "udp", hostname: host, port });
    }
  });

  test("their UDP client and our server, from the empty datagram to the biggest", async () => {
    await using server = await pipeOpen(UDP, {
      route: [host, 0],
      msgCb: (msg, from, pipe) => pipe.send(msg, from),
    });
    await using client = python(UDP_CLIENT, host, String(server.localAddr.port));
    const lines = (await client.stdout.text()).trim().split("\n");
    assertEquals(lines, SIZES.map((size) => `${size} same`));
  });

  test("their client resets: what it said first, then the error", async () => {
    await using server = await pipeOpen(TCP, { route: [host, 0] });
    await using client = python(RESETTING_CLIENT, host, String(server.localAddr.port));
    const pipe = await server.accept({ timeout: 10_000 });
    assert(pipe !== null);
    assertEquals(new TextDecoder().decode(await pipe.recv() ?? undefined), "last words");
    await client.write("now\n");
    const error = await assertRejects(() => within(recvAll(pipe), "the reset"), PipeClosedError);
    assert(error.cause instanceof Error, "the system's error is the cause");
    assertEquals((await pipe.closed).by, "reset");
  });

  test("their server resets: what it said first, then the error, also for a send", async () => {
    await using server = python(RESETTING_SERVER, host, "0");
    const port = await portOf(server.stdout, /^port (\d+)/);
    await using client = await pipeOpen(TCP, { dest: [host, port] });
    assertEquals(new TextDecoder().decode(await client.recv() ?? undefined), "last words");
    await server.write("now\n");
    await assertRejects(() => within(recvAll(client), "the reset"), PipeClosedError);
    assertEquals((await client.closed).by, "reset");
    await assertRejects(() => client.send("anybody there?"), PipeClosedError);
  });

  test("their client resets behind our relay: their server's connection ends too", async () => {
    await using server = python(TCP_ECHO_SERVER, host, "0");
    const port = await portOf(server.stdout, /^port (\d+)/);
    await using relay = await relayTo([host, port]);
    await using client = python(RESETTING_CLIENT, "127.0.0.1", String(relay.localAddr.port));
    await server.stdout.line(/^peer \d+$/);
    await client.write("now\n");
    await server.ended();
    await until(() => relay.clients.size === 0, "the end of the relayed connection");
  });
}
