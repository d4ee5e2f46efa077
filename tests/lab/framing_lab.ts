/** Framings against code that is not ours, and in numbers that are too big for the unit tests. */
import {
  delimiter,
  type Framing,
  jsonLines,
  lengthPrefixed,
  lines,
  netstring,
  type Pipe,
  pipeOpen,
  type Proto,
  type RequestOptions,
  TCP,
  UDP,
} from "@p2pd/pipes";
import { assert, assertEquals } from "@std/assert";
import { fuzz } from "../unit/framing/fuzz.ts";
import { Random } from "../helpers/random.ts";
import { labTest, portOf, python, sha256 } from "./_helpers.ts";

labTest("framing: 100,000 mutated streams: the same in any cut, nothing beyond the maximum", () => {
  const { heapUsed } = Deno.memoryUsage();
  fuzz(100_000, 77);
  const growth = (Deno.memoryUsage().heapUsed - heapUsed) / 1e6;
  assert(growth < 100, `the heap grew by ${growth} MB`);
  return Promise.resolve();
});

/**
 * Each framing written once more, from its description: reads messages until there are as many as it was
 * told, says their hash, and sends them all back in pieces of all sizes.
 */
const PEER = `
import hashlib, json, random, socket, struct, sys
kind, count, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if port:
    c = socket.create_connection(("127.0.0.1", port))
else:
    s = socket.create_server(("127.0.0.1", 0))
    print("port", s.getsockname()[1], flush=True)
    c, _ = s.accept()
f = c.makefile("rb")

def byte():
    b = f.read(1)
    if not b:
        raise EOFError
    return b[0]

def until(mark):
    data = b""
    while not data.endswith(mark):
        data += bytes([byte()])
    return data[:-len(mark)]

def read():
    if kind in ("lines", "json"):
        return f.readline()[:-1]
    if kind == "delimiter":
        return until(b"\\r\\n.\\r\\n")
    if kind == "netstring":
        size = int(until(b":"))
        data = f.read(size)
        assert f.read(1) == b","
        return data
    if kind == "varint":
        size = shift = 0
        while True:
            b = byte()
            size |= (b & 127) << shift
            shift += 7
            if b < 128:
                return f.read(size)
    fmt = {"1": ">B", "2": ">H", "4": ">I"}[kind]
    return f.read(struct.unpack(fmt, f.read(struct.calcsize(fmt)))[0])

def write(data):
    if kind == "lines":
        return data + (b"\\n" if len(data) % 2 else b"\\r\\n")
    if kind == "json":
        return json.dumps(json.loads(data)).encode() + b"\\n"
    if kind == "delimiter":
        return data + b"\\r\\n.\\r\\n"
    if kind == "netstring":
        return b"%d:%s," % (len(data), data)
    if kind == "varint":
        size, head = len(data), b""
        while True:
            head += bytes([size & 127 | (128 if size > 127 else 0)])
            size >>= 7
            if not size:
                return head + data
    return struct.pack({"1": ">B", "2": ">H", "4": ">I"}[kind], len(data)) + data

messages = [read() for _ in range(count)]
print("sha256", hashlib.sha256(b"|".join(messages)).hexdigest(), flush=True)
stream, at = b"".join(write(m) for m in messages), 0
random.seed(1)
c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
while at < len(stream):
    size = random.choice([1, 2, 3, 10, 1000, 70000])
    c.sendall(stream[at:at + size])
    at += size
c.shutdown(socket.SHUT_WR)
`;

const COUNT = 3000;
const encoder = new TextEncoder();

function words(random: Random, most: number): Uint8Array {
  return encoder.encode("añ c".repeat(random.below(most / 4)));
}
const noise = (random: Random, most: number) => random.bytes(random.below(most));
function value(random: Random, most: number): Uint8Array {
  const list = Array.from({ length: random.below(most / 10) }, () => random.below(1000));
  return encoder.encode(JSON.stringify({ list }));
}

const KINDS: readonly (readonly [string, Framing, (random: Random, most: number) => Uint8Array])[] =
  [
    ["lines", lines(), words],
    ["delimiter", delimiter("\r\n.\r\n"), words],
    ["1", lengthPrefixed(1), (random) => noise(random, 256)],
    ["2", lengthPrefixed(2), noise],
    ["4", lengthPrefixed(4), noise],
    ["varint", lengthPrefixed("varint"), noise],
    ["netstring", netstring(), noise],
    ["json", jsonLines(), value],
  ];

for (const [kind, framing, make] of KINDS) {
  labTest(`framing ${kind}: with Python's own, both ways round`, async () => {
    const conf = { framing };
    for (const side of ["client", "server"] as const) {
      const random = new Random(5);
      const messages = Array.from(
        { length: COUNT },
        (_, i) => make(random, i % 50 === 0 ? 9000 : 300),
      );
      await using server = await pipeOpen(TCP, { route: "127.0.0.1:0", conf });
      const port = side === "client" ? 0 : server.localAddr.port;
      await using peer = python(PEER, kind, `${COUNT}`, `${port}`);
      const pipe = side === "client"
        ? await pipeOpen(TCP, {
          dest: ["127.0.0.1", await portOf(peer.stdout, /^port (\d+)$/)],
          conf,
        })
        : await server.accept();
      assert(pipe !== null);
      await Promise.all(messages.map((message) => pipe.send(message)));
      const [, hash] = await peer.stdout.line(/^sha256 (\w+)$/);
      assertEquals(hash, sha256(joined(messages)));
      const back: Uint8Array[] = [];
      for await (const [msg] of pipe) back.push(msg);
      const same = (msg: Uint8Array) => kind === "json" ? compact(msg) : msg;
      assertEquals(back.length, COUNT);
      assertEquals(sha256(joined(back.map(same))), hash);
      await pipe.close();
    }
  });
}

/** Messages with "|" between them. */
function joined(messages: readonly Uint8Array[]): Uint8Array {
  const parts = messages.flatMap((message, i) => i === 0 ? [...message] : [124, ...message]);
  return new Uint8Array(parts);
}

function compact(msg: Uint8Array): Uint8Array {
  return encoder.encode(JSON.stringify(JSON.parse(new TextDecoder().decode(msg))));
}

/** Replies of another order than the questions, by id. */
async function askAll(
  proto: Proto,
  match: (id: string) => RequestOptions["match"],
): Promise<[client: Pipe, ms: number]> {
  const conf = proto === TCP ? { framing: lines() } : {};
  const random = new Random(3);
  const heap: (() => Promise<number>)[] = [];
  const server = await pipeOpen(proto, {
    route: "127.0.0.1:0",
    conf,
    msgCb(msg, from, pipe) {
      const answer = () => pipe.send(`re ${new TextDecoder().decode(msg)};`, from);
      heap.splice(random.below(heap.length + 1), 0, answer);
      if (heap.length === 1) setTimeout(() => heap.splice(0).forEach((each) => void each()), 2);
    },
  });
  const client = await pipeOpen(proto, { dest: server.localAddr, conf });
  const start = performance.now();
  const replies = await Promise.all(
    Array.from({ length: 10_000 }, (_, i) => {
      const id = `re ${i};`;
      return client.request(`${i}`, { match: match(id), timeout: 30_000, retries: 5 });
    }),
  );
  const ms = performance.now() - start;
  const decoder = new TextDecoder();
  replies.forEach(([msg], i) => assertEquals(decoder.decode(msg), `re ${i};`));
  await Promise.all([client.close(), server.close()]);
  return [client, ms];
}

for (const proto of [UDP, TCP]) {
  labTest(
    `request: 10,000 at once over ${proto === TCP ? "framed TCP" : "UDP"}, shuffled`,
    async () => {
      const byNumber = (id: string) => {
        const bytes = encoder.encode(id);
        return (msg: Uint8Array) =>
          msg.length === bytes.length && msg.every((byte, i) => byte === bytes[i]);
      };
      for (const [what, match] of [["text", (id: string) => id], ["function", byNumber]] as const) {
        const before = Deno.memoryUsage().rss;
        const [{ stats }, ms] = await askAll(proto, match);
        const grown = (Deno.memoryUsage().rss - before) / 1e6;
        console.log(
          `${proto}, match by ${what}: ${ms.toFixed(0)} ms, ${stats.messagesOut} sent, ` +
            `${grown.toFixed(0)} MB more`,
        );
        assert(stats.messagesOut < 13_000, `${stats.messagesOut} were sent`);
        assert(grown < 200, `memory grew by ${grown} MB`);
      }
    },
  );
}
