/**
 * Unix sockets with peers that nobody here wrote: socat, ncat and Python, as clients and as servers,
 * over streams, abstract names and datagrams, and the files that they leave.
 */
import { formatAddr, pipeOpen, PipeOpenError, TCP, UDP } from "@p2pd/pipes";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { abstractName, exists, freePath } from "../helpers/unix.ts";
import { labTest, noise, Program, python, recvAll, recvBytes, sha256 } from "./_helpers.ts";

const DATA = noise(4 * 1024 * 1024);
const HASH = sha256(DATA);
const PIECE = 128 * 1024;

interface Tool {
  readonly name: string;
  /** A client between its standard streams and a path. */
  client(path: string): Program;
  /** A server that runs a shell command for its one peer, once it listens. */
  serverRunning(command: string, path: string): Promise<Program>;
}

/** Starts a server and waits for its own word that it listens. */
async function listening(command: string, ...args: readonly string[]): Promise<Program> {
  const program = new Program(command, args);
  await program.stderr.line(/listening on/i);
  return program;
}

const TOOLS: readonly Tool[] = [
  {
    name: "socat",
    client: (path) => new Program("socat", ["-t", "20", "-", `UNIX-CONNECT:${path}`]),
    serverRunning: (command, path) =>
      listening("socat", "-d", "-d", "-t", "20", `UNIX-LISTEN:${path}`, `SYSTEM:${command}`),
  },
  {
    name: "ncat",
    client: (path) => new Program("ncat", ["-U", path]),
    serverRunning: (command, path) =>
      listening("ncat", "-v", "-l", "-U", "--sh-exec", command, path),
  },
];

function text(data: Uint8Array | null): string {
  return new TextDecoder().decode(data ?? undefined);
}

for (const tool of TOOLS) {
  const test = (name: string, fn: () => Promise<void>) =>
    labTest(`${tool.name}, Unix: ${name}`, fn);

  test("a client of theirs gets its 4 MiB back from our echo server", async () => {
    const path = freePath();
    await using server = await pipeOpen(TCP, {
      route: { path },
      msgCb: (msg, _from, pipe) => pipe.send(msg),
    });
    await using client = tool.client(path);
    const sending = client.write(DATA).then(() => client.endInput());
    assertEquals(sha256(await client.stdout.rest()), HASH);
    await sending;
    assertEquals((await client.ended()).code, 0);
    await server.close();
    assert(!exists(path));
  });

  test("our client gets its 4 MiB back from an echo server of theirs", async () => {
    const path = freePath();
    await using _server = await tool.serverRunning("cat", path);
    await using client = await pipeOpen(TCP, { dest: { path } });
    assertEquals(formatAddr(client.remoteAddr ?? client.localAddr), path);
    const got = new Uint8Array(DATA.length);
    for (let sent = 0; sent < got.length; sent += PIECE) {
      await client.send(DATA.subarray(sent, sent + PIECE));
      got.set(await recvBytes(client, PIECE), sent);
    }
    assertEquals(sha256(got), HASH);
  });

  test("their client ends its side, our late answer arrives", async () => {
    const path = freePath();
    await using server = await pipeOpen(TCP, { route: { path } });
    await using client = tool.client(path);
    await client.write("question");
    await client.endInput();
    const pipe = await server.accept({ timeout: 10_000 });
    assert(pipe !== null);
    assertEquals(text(await recvAll(pipe)), "question");
    const answer = client.stdout.rest();
    await pipe.send(DATA);
    await pipe.close();
    assertEquals(sha256(await answer), HASH);
  });

  test("a live server's path is theirs, and that of one that was killed is ours", async () => {
    const path = freePath();
    await using theirs = await tool.serverRunning("cat", path);
    // Who looks whether it is there is not to be its one peer.
    theirs.kill("SIGSTOP");
    const open = () => pipeOpen(TCP, { route: { path } });
    const error = await assertRejects(open, PipeOpenError, "somebody listens there");
    assertEquals(error.phase, "bind");
    theirs.kill("SIGKILL");
    await theirs.ended();
    assert(exists(path), "it has left its file");
    await using server = await open();
    await using client = await pipeOpen(TCP, { dest: { path } });
    await client.send("ours");
    const pipe = await server.accept();
    assertEquals(text(await pipe?.recv() ?? null), "ours");
  });
}

labTest("socat, Unix: abstract names both ways", async () => {
  const name = abstractName();
  await using server = await pipeOpen(TCP, {
    route: { path: name },
    msgCb: (msg, _from, pipe) => pipe.send(msg),
  });
  await using client = new Program("socat", ["-t", "20", "-", `ABSTRACT-CONNECT:${name.slice(1)}`]);
  await client.write("abstract");
  assertEquals(text(await client.stdout.bytes(8)), "abstract");
  await client.endInput();
  await client.ended();
  await server.close();

  const at = `ABSTRACT-LISTEN:${name.slice(1)}`;
  await using theirs = await listening("socat", "-d", "-d", at, "SYSTEM:cat");
  await using pipe = await pipeOpen(TCP, { dest: { path: name } });
  await pipe.send("and back");
  assertEquals(text(await recvBytes(pipe, 8)), "and back");
  await pipe.close();
  await theirs.ended();
});

/** Echoes datagrams on a path, bound to one of its own. */
const PYTHON_DATAGRAMS = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("ready")
while True:
    data, sender = s.recvfrom(100000)
    s.sendto(b"echo " + data, sender)
`;

labTest("python, Unix: our datagram client and their server", async () => {
  const path = freePath(), mine = freePath();
  await using theirs = python(PYTHON_DATAGRAMS, path);
  await theirs.stdout.line(/^ready/);
  await using client = await pipeOpen(UDP, { dest: { path }, route: { path: mine } });
  for (const size of [0, 1, 1000, 60_000]) {
    const [reply, from] = await client.request(DATA.subarray(0, size));
    assertEquals([reply.length, from.path], [size + 5, path]);
    assertEquals(sha256(reply.subarray(5)), sha256(DATA.subarray(0, size)));
  }
  // Many at once: a receiver with a full queue is waited for, none is lost.
  for (let i = 0; i < 200; i++) await client.send(`${i}`);
  for (let i = 0; i < 200; i++) assertEquals(text(await client.recv()), `echo ${i}`);
});

labTest(
  "python, Unix: their datagram client and our server, and one that has no name",
  async () => {
    const path = freePath(), theirs = freePath();
    await using server = await pipeOpen(UDP, {
      route: { path },
      msgCb: async (msg, from, pipe) => {
        if (from.path !== "") await pipe.send(`${from.path} says ${text(msg)}`, from);
      },
    });
    await using client = python(
      `
import socket, sys
unnamed = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
unnamed.sendto(b"nobody", sys.argv[1])
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[2])
s.sendto(b"hello", sys.argv[1])
print(s.recv(1000).decode())
`,
      path,
      theirs,
    );
    assertEquals((await client.stdout.text()).trim(), `${theirs} says hello`);
    assertEquals((await client.ended()).code, 0);
    assertEquals(server.stats.messagesIn, 2);
  },
);

labTest("python, Unix: a stream that is reset, or of another kind", async () => {
  const path = freePath();
  await using datagrams = python(PYTHON_DATAGRAMS, path);
  await datagrams.stdout.line(/^ready/);
  const error = await assertRejects(() => pipeOpen(TCP, { dest: { path } }), PipeOpenError);
  assertEquals(error.phase, "connect");
  const taken = await assertRejects(() => pipeOpen(TCP, { route: { path } }), PipeOpenError);
  assertEquals(taken.phase, "bind");

  const other = freePath();
  await using server = await pipeOpen(TCP, { route: { path: other } });
  await using client = python(
    `
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"x")
sys.stdin.readline()
s.close() # with something unread, which resets it
`,
    other,
  );
  const pipe = await server.accept();
  assert(pipe !== null);
  await pipe.send("never read");
  await client.write("\n");
  assertEquals((await pipe.closed).by, "reset");
});
