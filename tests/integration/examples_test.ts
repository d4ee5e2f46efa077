/** Each example as its user runs it: a program of its own, with `--allow-net` and nothing more. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort } from "../helpers/pipes.ts";
import { join, portOf, Program, within } from "../lab/_helpers.ts";
import { Conn, Udp } from "../lab/_sockets.ts";

const may = (name: "run" | "read") => Deno.permissions.querySync({ name }).state === "granted";
/** Without these the tests are skipped: `deno task test` grants them. */
const ignore = !may("run") || !may("read");
const hasIpv6 = (() => {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
})();
/** The examples use the same UDP as this run of the tests. */
const unstable = typeof Deno.listenDatagram === "function" ? ["--unstable-net"] : [];
const encode = (text: string) => new TextEncoder().encode(text);
const examples = new URL("../../examples/", import.meta.url);

function start(name: string, ...args: readonly string[]): Program {
  const url = new URL(`${name}.ts`, examples).href;
  const program = new Program(
    Deno.execPath(),
    ["run", "--allow-net", "--quiet", ...unstable, url, ...args],
  );
  return program;
}

function test(name: string, fn: () => Promise<void>, ipv6 = false): void {
  Deno.test(name, { ignore: ignore || (ipv6 && !hasIpv6) }, fn);
}

/** Runs to the end and gives what was printed, line by line. */
async function run(name: string, ...args: readonly string[]): Promise<string[]> {
  await using program = start(name, ...args);
  await program.endInput();
  const [out, err] = await Promise.all([program.stdout.text(), program.stderr.text()]);
  assertEquals(err, "");
  assertEquals((await program.ended()).code, 0);
  return out.trimEnd().split("\n");
}

/** Runs to the end and gives the exit code and what it complained about. */
async function fail(name: string, ...args: readonly string[]): Promise<[number, string[]]> {
  await using program = start(name, ...args);
  const [out, err] = await Promise.all([program.stdout.text(), program.stderr.text()]);
  assertEquals(out, "");
  return [(await program.ended()).code, err.trimEnd().split("\n")];
}

test("discover: finds its own devices", async () => {
  assertEquals(await run("discover"), [
    "I am a lamp",
    "I am a printer",
    "I am a sensor",
    "3 found",
  ]);
});

test("discover: devices of other processes on one port, and nobody where nobody is", async () => {
  const port = String(freePort());
  await using lamp = start("discover", "--serve", "a lamp", "127.0.0.1", port);
  await using door = start("discover", "--serve", "a door", "127.0.0.1", port);
  for (const [device, name] of [[lamp, "a lamp"], [door, "a door"]] as const) {
    await device.stdout.line(new RegExp(`^${name} listens on port ${port}$`));
  }
  assertEquals(await run("discover", "--search", "127.0.0.1", port), [
    `127.0.0.1:${port} I am a door`,
    `127.0.0.1:${port} I am a lamp`,
    "2 found",
  ]);
  const elsewhere = String(freePort());
  assertEquals(await run("discover", "--search", "127.0.0.1", elsewhere), ["0 found"]);
});

test("discover: wrong arguments", async () => {
  for (const args of [["--serve"], ["--find"], ["--search", "127.0.0.1", "x"]]) {
    const [code, [, usage]] = await fail("discover", ...args);
    assertEquals(code, 2);
    assertMatch(usage ?? "", /^Usage: deno run --allow-net discover\.ts /);
  }
});

test("echo: serves itself", async () => {
  const [listening, ...lines] = await run("echo");
  assertMatch(listening ?? "", /^Listening on 127\.0\.0\.1:\d+$/);
  assertEquals(lines, [
    'sent "hello", got "hello"',
    'sent "echo me", got "echo me"',
    'sent "bye", got "bye"',
  ]);
});

for (const hostname of ["127.0.0.1", "::1"]) {
  const host = hostname === "::1" ? "[::1]" : hostname;
  test(`echo --listen ${host}: serves until it is interrupted`, async () => {
    await using program = start("echo", "--listen", `${host}:0`);
    const port = await portOf(program.stdout, /^Listening on .*:(\d+)$/);
    using one = await Conn.to(port, hostname);
    using two = await Conn.to(port, hostname);
    await one.say("first");
    await two.say("second");
    assertEquals([await two.hear(6), await one.hear(5)], ["second", "first"]);
    program.kill("SIGINT");
    await program.ended();
    assertEquals(await program.stderr.text(), "");
  }, hostname === "::1");
}

test("udp_await: the first try is dropped, the second answered", async () => {
  const lines = await run("udp_await");
  assertEquals(lines.slice(0, 2), ["server: try 1 dropped on purpose", "server: try 2 answered"]);
  assertMatch(lines[2] ?? "", /^Our address, as the server sees it: 127\.0\.0\.1:\d+$/);
});

/** A binding success of RFC 5769, section 2.2: its XOR-MAPPED-ADDRESS is 192.0.2.1:32853. */
const XOR_MAPPED = new Uint8Array([0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
/** SOFTWARE, of three bytes and one of padding. */
const SOFTWARE = new Uint8Array([0x80, 0x22, 0, 3, 0x61, 0x62, 0x63, 0x20]);

function stunAnswer(request: Uint8Array, type: number, ...attributes: Uint8Array[]): Uint8Array {
  const body = join(attributes);
  const length = new Uint8Array([body.length >> 8, body.length & 255]);
  return join([new Uint8Array([type >> 8, type & 255]), length, request.subarray(4, 20), body]);
}

test("udp_await SERVER: takes the one answer that is right", async () => {
  await using server = await Udp.open();
  await using program = start("udp_await", `127.0.0.1:${server.port}`);
  const { bytes, from } = await server.hear();
  assertEquals(bytes.length, 20);
  assertEquals([...bytes.subarray(0, 8)], [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]);
  const right = stunAnswer(bytes, 0x0101, SOFTWARE, XOR_MAPPED);
  const wrong = (at: number) => right.map((byte, i) => i === at ? byte ^ 1 : byte);
  // Of another type, length, cookie or id, cut short, too long; each would be some other address.
  for (const at of [0, 1, 2, 3, 4, 7, 8, 19]) await server.say(wrong(at), from.port);
  await server.say(right.subarray(0, -1), from.port);
  await server.say(right.subarray(0, 16), from.port);
  await server.say(join([right, new Uint8Array(4)]), from.port);
  await server.say(new Uint8Array(), from.port);
  // With an attribute cut short, of an unknown family, of the other family's length.
  const cut = new Uint8Array([0x80, 0x22, 0, 5]);
  for (const attribute of [cut, XOR_MAPPED.with(5, 3), XOR_MAPPED.with(5, 2)]) {
    await server.say(stunAnswer(bytes, 0x0101, attribute), from.port);
  }
  await server.say(right, from.port);
  assertEquals(
    await program.stdout.text(),
    "Our address, as the server sees it: 192.0.2.1:32853\n",
  );
  assertEquals((await program.ended()).code, 0);
});

test("udp_await SERVER over IPv6", async () => {
  await using server = await Udp.open("::1");
  await using program = start("udp_await", `[::1]:${server.port}`);
  const { bytes, from } = await server.hear();
  const ip = new Uint8Array([0x20, 1, 0xd, 0xb8, ...new Uint8Array(11), 7]);
  const masked = ip.map((byte, i) => byte ^ (bytes[4 + i] ?? 0));
  const attribute = join([new Uint8Array([0, 0x20, 0, 20, 0, 2, 0xa1, 0x47]), masked]);
  await server.say(stunAnswer(bytes, 0x0101, attribute), from.port, "::1");
  assertEquals(
    await program.stdout.text(),
    "Our address, as the server sees it: [2001:db8::7]:32853\n",
  );
}, true);

for (
  const [what, type, attributes, message] of [
    ["an error", 0x0111, [], "The server refused the request"],
    ["no address", 0x0101, [SOFTWARE], "The answer has no address"],
  ] as const
) {
  test(`udp_await SERVER: an answer with ${what}`, async () => {
    await using server = await Udp.open();
    await using program = start("udp_await", `127.0.0.1:${server.port}`);
    const { bytes, from } = await server.hear();
    await server.say(stunAnswer(bytes, type, ...attributes), from.port);
    const err = await program.stderr.text();
    assertStringIncludes(err, message);
    assertEquals(err.trimEnd().split("\n").length, 1);
    assertEquals((await program.ended()).code, 1);
  });
}

test("relay: forwards in all four ways", async () => {
  const lines = await run("relay");
  assertEquals(lines.map((line) => line.replace(/127\.0\.0\.1:\d+/g, "ADDR")), [
    'tcp://ADDR to tcp://ADDR: sent "hello", got "hello"',
    'udp://ADDR to tcp://ADDR: sent "hello", got "hello"',
    'tcp://ADDR to udp://ADDR: sent "hello", got "hello"',
    'udp://ADDR to udp://ADDR: sent "hello", got "hello"',
  ]);
});

/** Starts a relay and gives its port. */
async function relay(listen: string, to: string): Promise<[Program, number]> {
  const program = start("relay", "--listen", listen, "--to", to);
  try {
    return [program, await portOf(program.stdout, /^Listening on \w+:\/\/127\.0\.0\.1:(\d+),/)];
  } catch (error) {
    const complaint = await program.stderr.text();
    await program[Symbol.asyncDispose]();
    throw new Error(complaint, { cause: error });
  }
}

function listen(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

test("relay TCP to TCP: the end of one side leaves the other one open", async () => {
  using target = listen();
  const [program, port] = await relay("127.0.0.1:0", `127.0.0.1:${target.addr.port}`);
  await using _ = program;
  using client = await Conn.to(port);
  using theirs = new Conn(await target.accept());
  await client.say("question");
  await client.endWrite();
  assertEquals(await theirs.input.text(), "question");
});

test("relay TCP to TCP: a late answer after the end of the question", async () => {
  using target = listen();
  const [program, port] = await relay("tcp://127.0.0.1:0", `tcp://127.0.0.1:${target.addr.port}`);
  await using _ = program;
  using client = await Conn.to(port);
  using conn = await target.accept();
  await client.say("question");
  await client.endWrite();
  const question = new Uint8Array(100);
  // Read by hand: the end of `readable` would close the whole connection.
  let got = 0;
  for (let n = await conn.read(question); n !== null; n = await conn.read(question)) got += n;
  assertEquals(got, "question".length);
  await conn.write(encode("late answer"));
  await conn.closeWrite();
  assertEquals(await client.input.text(), "late answer");
});

test("relay TCP to TCP: a client that ends its side at once still gets what the target says", async () => {
  using target = listen();
  const [program, port] = await relay("127.0.0.1:0", `127.0.0.1:${target.addr.port}`);
  await using _ = program;
  using client = await Conn.to(port);
  await client.endWrite();
  using conn = await target.accept();
  assertEquals(await within(conn.read(new Uint8Array(1)), "the end of the client's side"), null);
  await conn.write(encode("greeting"));
  await conn.closeWrite();
  assertEquals(await client.input.text(), "greeting");
});

test("relay TCP to UDP: a reply under way after the client's end still arrives", async () => {
  await using target = await Udp.open();
  const [program, port] = await relay("127.0.0.1:0", `udp://127.0.0.1:${target.port}`);
  await using _ = program;
  using client = await Conn.to(port);
  await client.say("question");
  await client.endWrite();
  const { text, from } = await target.hear();
  assertEquals(text, "question");
  await target.say("late answer", from.port);
  assertEquals(await client.input.text(), "late answer");
});

test("relay UDP to TCP: a connection for each peer", async () => {
  using target = listen();
  const [program, port] = await relay("udp://127.0.0.1:0", `127.0.0.1:${target.addr.port}`);
  await using _ = program;
  await using one = await Udp.open();
  await using two = await Udp.open();
  await one.say("first", port);
  using ofOne = new Conn(await target.accept());
  await two.say("second", port);
  using ofTwo = new Conn(await target.accept());
  assertEquals([await ofOne.hear(5), await ofTwo.hear(6)], ["first", "second"]);
  await ofTwo.say("to two");
  await ofOne.say("to one");
  assertEquals([(await one.hear()).text, (await two.hear()).text], ["to one", "to two"]);
  // After the end of a connection the peer gets a new one.
  await ofOne.endWrite();
  await ofOne.input.rest();
  await one.say("again", port);
  using ofOneAgain = new Conn(await target.accept());
  assertEquals(await ofOneAgain.hear(5), "again");
});

test("relay UDP to UDP: a socket for each peer", async () => {
  await using target = await Udp.open();
  const [program, port] = await relay("udp://127.0.0.1:0", `udp://127.0.0.1:${target.port}`);
  await using _ = program;
  await using one = await Udp.open();
  await using two = await Udp.open();
  await one.say("first", port);
  const first = await target.hear();
  await two.say("second", port);
  const second = await target.hear();
  assertEquals([first.text, second.text], ["first", "second"]);
  await target.say("to two", second.from.port);
  await target.say("to one", first.from.port);
  assertEquals([(await one.hear()).text, (await two.hear()).text], ["to one", "to two"]);
  await one.say("same socket", port);
  assertEquals((await target.hear()).from.port, first.from.port);
});

for (const scheme of ["tcp", "udp"]) {
  test(`relay ${scheme}: a target that refuses is one line, and the relay goes on`, async () => {
    const refused = freePort();
    const [program, port] = await relay(`${scheme}://127.0.0.1:0`, `127.0.0.1:${refused}`);
    await using _ = program;
    await using peer = await Udp.open();
    for (let i = 0; i < 2; i++) {
      if (scheme === "udp") await peer.say("anybody?", port);
      else {
        using client = await Conn.to(port);
        assertEquals(await client.input.text(), "");
      }
      await program.stdout.line(new RegExp(`^127\\S+ closed: Cannot connect to \\S+:${refused}: `));
    }
    using target = Deno.listen({ hostname: "127.0.0.1", port: refused });
    await using other = await Udp.open();
    using client = scheme === "udp" ? undefined : await Conn.to(port);
    if (client === undefined) await other.say("hello", port);
    else await client.say("hello");
    using theirs = new Conn(await target.accept());
    assertEquals(await theirs.hear(5), "hello");
  });
}

test("http_tunnel: an echo through HTTP, and a name that nobody has", async () => {
  const [listening, ...lines] = await run("http_tunnel");
  assertMatch(listening ?? "", /^Listening on 127\.0\.0\.1:\d+, tunnels: echo=127\.0\.0\.1:\d+$/);
  assertEquals(lines, [
    'GET /tunnel/echo: HTTP/1.1 200 OK, then "hello through HTTP"',
    "GET /tunnel/nobody: HTTP/1.1 404 Not Found",
  ]);
});

/** A tunnel named "t" to the target. */
async function tunnel(target: number): Promise<[Program, number]> {
  const program = start("http_tunnel", "--listen", "127.0.0.1:0", `t=127.0.0.1:${target}`);
  return [program, await portOf(program.stdout, /^Listening on 127\.0\.0\.1:(\d+), tunnels: t$/)];
}

const OK = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n";

test("http_tunnel: bytes after the head are the target's, in both directions", async () => {
  using target = listen();
  const [program, port] = await tunnel(target.addr.port);
  await using _ = program;
  using client = await Conn.to(port);
  // A head that comes in pieces, cut within the blank line, with bytes of the target behind it.
  for (const part of ["GET /tun", "nel/t HTTP/1.1\r\nHost: x\r", "\n\r", "\nearly "]) {
    await client.say(part);
  }
  using theirs = new Conn(await target.accept());
  assertEquals(await theirs.hear(6), "early ");
  assertEquals(await client.hear(OK.length), OK);
  await client.say("and late");
  assertEquals(await theirs.hear(8), "and late");
  await theirs.say("answer");
  assertEquals(await client.hear(6), "answer");
  await client.endWrite();
  assertEquals(await theirs.input.text(), "");
});

for (
  const [what, request, status] of [
    ["an unknown name", "GET /tunnel/other HTTP/1.1\r\n\r\n", "404 Not Found"],
    ["another path", "GET / HTTP/1.1\r\n\r\n", "404 Not Found"],
    ["a longer path", "GET /tunnel/t/t HTTP/1.1\r\n\r\n", "404 Not Found"],
    ["a name of every object", "GET /tunnel/constructor HTTP/1.1\r\n\r\n", "404 Not Found"],
    ["another method", "POST /tunnel/t HTTP/1.1\r\n\r\n", "400 Bad Request"],
    ["no version", "GET /tunnel/t\r\n\r\n", "400 Bad Request"],
    ["another version", "GET /tunnel/t HTTP/2.0\r\n\r\n", "400 Bad Request"],
    ["a space too many", "GET /tunnel/t  HTTP/1.1\r\n\r\n", "400 Bad Request"],
    ["nothing but a blank line", "\r\n\r\n", "400 Bad Request"],
    ["no end", "GET /tunnel/t HTTP/1.1\r\n", "400 Bad Request"],
    [
      "8 KiB without an end",
      `GET /tunnel/t HTTP/1.1\r\nX: ${"x".repeat(9000)}`,
      "431 Request Header Fields Too Large",
    ],
    [
      "a head of 9 KiB",
      `GET /tunnel/t HTTP/1.1\r\nX: ${"x".repeat(9000)}\r\n\r\n`,
      "431 Request Header Fields Too Large",
    ],
  ] as const
) {
  test(`http_tunnel: ${what} gets ${status}`, async () => {
    const [program, port] = await tunnel(1);
    await using _ = program;
    using client = await Conn.to(port);
    await client.say(request);
    await client.endWrite();
    const answer = await client.input.text();
    assertEquals(answer, `HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  });
}

test("http_tunnel: a head that never ends gets 408", async () => {
  const [program, port] = await tunnel(1);
  await using _ = program;
  using client = await Conn.to(port);
  await client.say("GET /tunnel/t HTTP/1.1\r\n");
  assertMatch(await client.input.text(), /^HTTP\/1\.1 408 Request Timeout\r\n/);
});

test("http_tunnel: a target that refuses gets 502, and the tunnel goes on", async () => {
  const refused = freePort();
  const [program, port] = await tunnel(refused);
  await using _ = program;
  for (let i = 0; i < 2; i++) {
    using client = await Conn.to(port);
    await client.say("GET /tunnel/t HTTP/1.1\r\n\r\n");
    assertMatch(await client.input.text(), /^HTTP\/1\.1 502 Bad Gateway\r\n/);
    await program.stdout.line(/^Cannot connect to 127\.0\.0\.1:\d+: /);
  }
});

test("http_tunnel: a client that ends its side with its head still gets the answer", async () => {
  using target = listen();
  const [program, port] = await tunnel(target.addr.port);
  await using _ = program;
  using client = await Conn.to(port);
  await client.say("GET /tunnel/t HTTP/1.1\r\n\r\n");
  await client.endWrite();
  using conn = await target.accept();
  assertEquals(await within(conn.read(new Uint8Array(1)), "the end of the client's side"), null);
  await conn.write(encode("answer"));
  await conn.closeWrite();
  assertEquals(await client.input.text(), `${OK}answer`);
});

test("chat: what one says the others read, and one may leave", async () => {
  const lines = await run("chat");
  assertEquals(lines.map((line) => line.replace(/^127\S+/, "ADDR")).slice(1, 8), [
    "ADDR joined",
    "ADDR joined",
    "ADDR joined",
    '  bob reads "hello from alice"',
    '  carol reads "hello from alice"',
    "ADDR left",
    '  alice reads "hello from carol"',
  ]);
});

test("chat --listen: serves real clients", async () => {
  await using program = start("chat", "--listen", "127.0.0.1:0");
  const port = await portOf(program.stdout, /^Listening on .*:(\d+)$/);
  using one = await Conn.to(port);
  await one.input.line(/^Welcome, 1 here$/);
  await one.say("nobody hears this");
  using two = await Conn.to(port);
  await two.input.line(/^Welcome, 2 here$/);
  await one.say("hello");
  assertEquals(await two.hear(5), "hello");
  {
    using three = await Conn.to(port);
    await three.input.line(/^Welcome, 3 here$/);
    await two.say("hi all");
    assertEquals([await one.hear(6), await three.hear(6)], ["hi all", "hi all"]);
  }
  await program.stdout.line(/ left$/);
  await two.say("still here");
  assertEquals(await one.hear(10), "still here");
});

for (
  const [name, args, message] of [
    ["echo", ["--port"], 'arguments: cannot understand "--port"'],
    ["echo", ["--listen"], 'arguments: cannot understand "--listen"'],
    ["echo", ["--listen", "127.0.0.1"], 'route: needs a port, "host:port", got "127.0.0.1"'],
    ["echo", ["--listen", "127.0.0.1:65536"], "route: port must be a whole number"],
    ["udp_await", ["--help"], 'arguments: cannot understand "--help"'],
    ["udp_await", ["one:1", "two:2"], 'arguments: cannot understand "one:1 two:2"'],
    ["udp_await", ["1.2.3:1"], "dest: host is not an IPv4 address"],
    ["relay", ["--listen", "127.0.0.1:0"], "arguments: --listen and --to are needed"],
    ["relay", ["--listen", "sctp://127.0.0.1:0", "--to", "a:1"], '"tcp://" or "udp://" is needed'],
    ["relay", ["--listen", "127.0.0.1:0", "--to", "127.0.0.1:http"], "dest: port must be a whole"],
    ["http_tunnel", ["echo"], 'arguments: NAME=HOST:PORT is needed, got "echo"'],
    ["http_tunnel", ["--listen", "127.0.0.1:0"], "arguments: NAME=HOST:PORT is needed, got none"],
    ["http_tunnel", ["--listen", "x", "a=127.0.0.1:1"], 'route: needs a port, "host:port"'],
    ["http_tunnel", ["a=127.0.0.1:x"], "dest: port must be a whole number"],
    ["chat", ["--listen", "127.0.0.1:1", "more"], "arguments: cannot understand"],
  ] as const
) {
  test(`${name} ${args.join(" ")}: one line, the usage, exit code 2`, async () => {
    const [code, [complaint, usage, ...more]] = await fail(name, ...args);
    assertStringIncludes(complaint ?? "", message);
    assertMatch(usage ?? "", new RegExp(`^Usage: deno run --allow-net ${name}\\.ts `));
    assertEquals([code, more], [2, []]);
  });
}

test("a port that is taken: one line, exit code 1", async () => {
  using taken = listen();
  const at = `127.0.0.1:${taken.addr.port}`;
  const [code, [complaint, ...more]] = await fail("echo", "--listen", at);
  assertMatch(complaint ?? "", /^Cannot listen on 127\.0\.0\.1:\d+: Address already in use/);
  assertEquals([code, more], [1, []]);
});
