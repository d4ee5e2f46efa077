/** What a TCP server lives through, from another host that plays by no rules. */
import { pipeOpen, type ServerPipe, TCP } from "@p2pd/pipes";
import { assert, assertEquals } from "@std/assert";
import { type Cable, pythonIn, withHost } from "./_cable.ts";
import { labTest, Program, until, within } from "./_helpers.ts";

/** Connects and resets, again and again. */
const FLOOD = `
import socket, struct, sys
to, count = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3])
reset = struct.pack("ii", 1, 0)
for i in range(count):
    s = socket.create_connection(to)
    if i % 3 == 1: s.send(b"\\x16\\x03\\x01" + bytes(range(256)))
    if i % 3 != 2: s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    s.close()
print("done")
`;

/** Starts to connect from addresses that nobody has, and so never goes on (RFC 9293, section 3.5). */
const HALF_OPEN = `
import socket, struct, sys
net, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
to = net + ".1"
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
raw.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total > 0xffff: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
for i in range(count):
    source = "%s.%d" % (net, 3 + i % 250)
    ends = socket.inet_aton(source) + socket.inet_aton(to)
    tcp = struct.pack("!HHIIBBHHH", 1024 + i, port, i, 0, 5 << 4, 2, 65535, 0, 0)
    sum_ = checksum(ends + struct.pack("!BBH", 0, 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", sum_) + tcp[18:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + ends
    raw.sendto(header + tcp, (to, 0))
print("done")
`;

/** One who plays by the rules, and wants an answer. */
const CLIENT = `
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 15)
s.settimeout(15)
s.sendall(b"still there?")
print(s.recv(100).decode())
`;

async function assertServes(namespace: string, { net }: Cable, server: ServerPipe): Promise<void> {
  const port = String(server.localAddr.port);
  await using client = pythonIn(namespace, CLIENT, `${net}.1`, port);
  assertEquals((await client.stdout.text()).trim(), "still there?");
  await until(() => server.clients.size === 0, "an empty server");
}

for (const [name, conf] of [["Deno's TCP", {}], ["node:net", { linger: 2000 }]] as const) {
  const open = () =>
    pipeOpen(TCP, {
      route: "0.0.0.0:0",
      conf: { ...conf, onError: () => {} }, // an echo to one who has left
      msgCb: (msg, _from, pipe) => pipe.send(msg),
    });

  labTest(`${name}: 10,000 connections of another host, most of them reset`, async () => {
    await withHost(1, async (namespace, cable) => {
      await using server = await open();
      const args = [`${cable.net}.1`, String(server.localAddr.port), "10000"];
      await using flood = pythonIn(namespace, FLOOD, ...args);
      await within(flood.stdout.line(/^done/), "the end of the flood", 50_000);
      await assertServes(namespace, cable, server);
      const { refused, acceptErrors, queued } = server.stats;
      assertEquals([refused, acceptErrors, queued], [0, 0, 0]);
    });
  });

  labTest(`${name}: 20,000 handshakes that nobody goes on with`, async () => {
    await withHost(1, async (namespace, cable) => {
      await using server = await open();
      const args = [cable.net, String(server.localAddr.port), "20000"];
      await using flood = pythonIn(namespace, HALF_OPEN, ...args);
      await flood.stdout.line(/^done/);
      // The system holds as many as it has room for, and forgets the others.
      await using ss = new Program("ss", ["-Htn", "state", "syn-recv"]);
      assert((await ss.stdout.text()).trim().split("\n").length > 100, "half-open connections");
      await assertServes(namespace, cable, server);
      assertEquals(server.stats.messagesIn, 1);
    });
  });
}
