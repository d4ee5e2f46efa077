/**
 * socat and ncat as peers: their clients and our servers, our clients and their servers, over TCP and
 * UDP, IPv4 and IPv6, and half-close in every direction.
 */
import { pipeOpen, TCP, UDP } from "@p2pd/pipes";
import { assert, assertEquals } from "@std/assert";
import { getAvailablePort } from "@std/net";
import { labTest, noise, portOf, Program, recvAll, recvBytes, sha256, within } from "./_helpers.ts";

const DATA = noise(4 * 1024 * 1024);
const HASH = sha256(DATA);
const PIECE = 128 * 1024;
/** Small enough for every program to take it as one datagram. */
const DATAGRAM = 4096;

interface Tool {
  readonly name: string;
  /** A client between its standard streams and a port; it ends its side when its input ends. */
  client(proto: "tcp" | "udp", host: string, port: number): Program;
  /** A server that runs a shell command for its one peer, and its port. */
  serverRunning(command: string, proto: "tcp" | "udp", host: string): Promise<[Program, number]>;
  /** A TCP server between its standard streams and its one peer, and its port. */
  server(host: string): Promise<[Program, number]>;
}

/** Waits for a server's own word that it listens. */
async function listening(program: Program, pattern: RegExp): Promise<[Program, number]> {
  try {
    return [program, await portOf(program.stderr, pattern)];
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw error;
  }
}

function socatServer(
  proto: "tcp" | "udp",
  host: string,
  target: string,
): Promise<[Program, number]> {
  const family = host.includes(":") ? "6" : "4";
  const bind = host.includes(":") ? `[${host}]` : host;
  const [kind, port] = proto === "tcp" ? ["TCP", 0] : ["UDP", getAvailablePort()];
  const at = `${kind}${family}-LISTEN:${port},bind=${bind}`;
  // -t: how long to go on after one side has ended; half a second by default.
  const program = new Program("socat", ["-d", "-d", "-t", "20", at, target]);
  return listening(program, /listening on .*:(\d+)$|listening on UDP .*:(\d+)/);
}

function ncatServer(...args: readonly string[]): Promise<[Program, number]> {
  const program = new Program("ncat", ["-v", "-l", ...args, String(getAvailablePort())]);
  return listening(program, /Listening on .*:(\d+)/);
}

const TOOLS: readonly Tool[] = [
  {
    name: "socat",
    client: (proto, host, port) =>
      new Program("socat", [
        "-b",
        "4096",
        "-t",
        "20",
        "-",
        `${proto.toUpperCase()}:${at(host, port)}`,
      ]),
    serverRunning: (command, proto, host) => socatServer(proto, host, `SYSTEM:${command}`),
    server: (host) => socatServer("tcp", host, "-"),
  },
  {
    name: "ncat",
    client: (proto, host, port) =>
      new Program("ncat", [...(proto === "udp" ? ["-u"] : []), host, String(port)]),
    serverRunning: (command, proto, host) =>
      ncatServer(...(proto === "udp" ? ["-u"] : []), "--sh-exec", command, host),
    server: (host) => ncatServer(host),
  },
];

function at(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function text(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

for (const tool of TOOLS) {
  for (const host of ["127.0.0.1", "::1"]) {
    const test = (name: string, fn: () => Promise<void>) =>
      labTest(`${tool.name}, ${host}: ${name}`, fn);

    test("a TCP client of theirs gets its 4 MiB back from our echo server", async () => {
      await using server = await pipeOpen(TCP, {
        route: [host, 0],
        msgCb: (msg, _from, pipe) => pipe.send(msg),
      });
      await using client = tool.client("tcp", host, server.localAddr.port);
      const sending = client.write(DATA).then(() => client.endInput());
      assertEquals(sha256(await client.stdout.rest()), HASH);
      await sending;
      assertEquals((await client.ended()).code, 0);
    });

    test("our TCP client gets its 4 MiB back from an echo server of theirs", async () => {
      const [server, port] = await tool.serverRunning("cat", "tcp", host);
      await using _ = server;
      await using client = await pipeOpen(TCP, { dest: [host, port] });
      // Piece by piece: ncat stops for good when both directions are full.
      const got = new Uint8Array(DATA.length);
      for (let sent = 0; sent < got.length; sent += PIECE) {
        await client.send(DATA.subarray(sent, sent + PIECE));
        got.set(await recvBytes(client, PIECE), sent);
      }
      assertEquals(sha256(got), HASH);
    });

    test("their client ends its side, our late answer arrives", async () => {
      await using server = await pipeOpen(TCP, { route: [host, 0] });
      await using client = tool.client("tcp", host, server.localAddr.port);
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

    test("their server ends its side, our late answer arrives", async () => {
      const [server, port] = await tool.server(host);
      await using _ = server;
      await using client = await pipeOpen(TCP, { dest: [host, port] });
      await server.write("question");
      await server.endInput();
      assertEquals(text(await recvAll(client)), "question");
      const answer = server.stdout.rest();
      await client.send(DATA);
      await client.close();
      assertEquals(sha256(await answer), HASH);
    });

    test("our server ends its side, their client's late answer arrives", async () => {
      await using server = await pipeOpen(TCP, { route: [host, 0] });
      await using client = tool.client("tcp", host, server.localAddr.port);
      const pipe = await server.accept({ timeout: 10_000 });
      assert(pipe !== null);
      const question = client.stdout.bytes(DATA.length);
      await pipe.send(DATA);
      await pipe.closeWrite();
      assertEquals(sha256(await within(question, "what we sent")), HASH);
      await client.write("late answer");
      await client.endInput();
      assertEquals(text(await recvAll(pipe)), "late answer");
      assertEquals(await pipe.closed, { by: "remote" });
    });

    test("our client ends its side, their server still gets all of it", async () => {
      const [server, port] = await tool.server(host);
      await using _ = server;
      await using client = await pipeOpen(TCP, { dest: [host, port] });
      const question = server.stdout.bytes(DATA.length);
      await client.send(DATA);
      await client.closeWrite();
      assertEquals(sha256(await within(question, "what we sent")), HASH);
    });

    // A server of ncat's ends with its client's side, whatever it still has to say.
    if (tool.name === "socat") {
      test("our client ends its side, their server's answer arrives", async () => {
        const [server, port] = await tool.serverRunning("sha256sum", "tcp", host);
        await using _ = server;
        await using client = await pipeOpen(TCP, { dest: [host, port] });
        await client.send(DATA);
        await client.closeWrite();
        assertEquals(text(await recvAll(client)), `${HASH}  -\n`);
        assertEquals(await client.closed, { by: "remote" });
      });
    }

    // Datagrams go one by one, each after the answer to the one before: UDP may drop what is sent in
    // a heap, and neither program numbers what it sends.
    test("a UDP client of theirs gets its 2 MiB back from our echo server", async () => {
      await using server = await pipeOpen(UDP, { route: [host, 0] });
      const serving = (async () => {
        for await (const [msg, from] of server) await server.send(msg, from);
      })();
      await using client = tool.client("udp", host, server.localAddr.port);
      const got = new Uint8Array(DATA.length / 2);
      for (let sent = 0; sent < got.length; sent += DATAGRAM) {
        await client.write(DATA.subarray(sent, sent + DATAGRAM));
        got.set(await within(client.stdout.bytes(DATAGRAM), `the echo at ${sent}`), sent);
      }
      assertEquals(sha256(got), sha256(DATA.subarray(0, got.length)));
      assertEquals(server.stats.bytesIn, got.length);
      await server.close();
      await serving;
    });

    test("our UDP client gets its 2 MiB back from an echo server of theirs", async () => {
      const [server, port] = await tool.serverRunning("cat", "udp", host);
      await using _ = server;
      await using client = await pipeOpen(UDP, { dest: [host, port] });
      const got = new Uint8Array(DATA.length / 2);
      for (let sent = 0; sent < got.length; sent += DATAGRAM) {
        await client.send(DATA.subarray(sent, sent + DATAGRAM));
        got.set(await recvBytes(client, DATAGRAM), sent);
      }
      assertEquals(sha256(got), sha256(DATA.subarray(0, got.length)));
      assertEquals(client.stats.messagesIn, got.length / DATAGRAM);
    });
  }
}
