/** The examples about framing and requests as their user runs them: programs of their own. */
import { assertEquals, assertMatch } from "@std/assert";
import { jsonLines, lines, type Pipe, pipeOpen, TCP, UDP } from "@p2pd/pipes";
import { portOf, Program } from "../lab/_helpers.ts";
import { text } from "../helpers/pipes.ts";

const may = (name: "run" | "read" | "net") =>
  Deno.permissions.querySync({ name }).state === "granted";
/** Without these the tests are skipped: `deno task test` grants them. */
const ignore = !may("run") || !may("read") || !may("net");
/** The examples use the same UDP as this run of the tests. */
const unstable = typeof Deno.listenDatagram === "function" ? ["--unstable-net"] : [];

function start(name: string, ...args: readonly string[]): Program {
  const url = new URL(`../../examples/${name}.ts`, import.meta.url).href;
  const flags = ["run", "--no-prompt", "--quiet", "--allow-net", ...unstable];
  return new Program(Deno.execPath(), [...flags, url, ...args]);
}

/** Runs to the end and gives what was printed, line by line. */
async function run(name: string, ...args: readonly string[]): Promise<string[]> {
  await using program = start(name, ...args);
  const [out, err] = await Promise.all([program.stdout.text(), program.stderr.text()]);
  assertEquals([err, (await program.ended()).code], ["", 0]);
  return out.trimEnd().split("\n");
}

Deno.test("framed_chat: messages stay whole, together or byte by byte", { ignore }, async () => {
  const [listening = "", ...said] = await run("framed_chat");
  assertMatch(listening, /^Listening on 127\.0\.0\.1:\d+$/);
  assertEquals(said.slice(0, 8), [
    'alice joins: {"welcome":"alice","here":1}',
    'bob joins: {"welcome":"bob","here":2}',
    'carol joins: {"welcome":"carol","here":3}',
    '  bob reads {"from":"alice","say":"hello"}',
    '  bob reads {"from":"alice","say":"how are you?"}',
    '  carol reads {"from":"alice","say":"hello"}',
    '  carol reads {"from":"alice","say":"how are you?"}',
    '  alice reads {"from":"dave","say":"hi"}',
  ]);
  assertEquals(said.slice(8).sort(), ["alice left", "bob left", "carol left", "dave left"]);
});

Deno.test("framed_chat --listen: bad guests cost nobody else anything", { ignore }, async () => {
  await using program = start("framed_chat", "--listen", "127.0.0.1:0");
  const port = await portOf(program.stdout, /^Listening on .*:(\d+)$/);
  const dest = `127.0.0.1:${port}`;
  const enter = async (name: string): Promise<Pipe> => {
    const pipe = await pipeOpen(TCP, { dest, conf: { framing: jsonLines() } });
    await pipe.request(JSON.stringify({ join: name }));
    return pipe;
  };
  await using ann = await enter("ann");
  await using ben = await enter("ben");
  for (const nonsense of ["no JSON\n", `"${"x".repeat(5000)}"\n`]) {
    await using bad = await pipeOpen(TCP, { dest });
    await bad.send(nonsense);
    assertEquals(await bad.recv(undefined, { timeout: 10_000 }), null);
  }
  for (const other of ["[]", "null", '{"say":1}', '{"join":"again"}']) {
    assertMatch(text((await ann.request(other))[0]) ?? "", /^\{"error":/);
  }
  await ben.send('{"say":"still here"}');
  assertEquals(text(await ann.recv()), '{"from":"ben","say":"still here"}');
  await ben.close();
  await program.stdout.line(/^ben left$/);
  program.kill("SIGINT");
  await program.ended();
  assertEquals(await program.stderr.text(), "");
});

Deno.test("request_reply: asks itself, both ways", { ignore }, async () => {
  assertEquals(await run("request_reply"), [
    "udp: 100 of 100 replies are right, 33 questions sent again",
    "tcp: 100 of 100 replies are right, 0 questions sent again",
  ]);
});

Deno.test(
  "request_reply --listen: serves whoever asks, and asks whoever serves",
  { ignore },
  async () => {
    await using program = start("request_reply", "--listen", "0");
    const port = await portOf(program.stdout, /^Listening on udp .*:(\d+)$/);
    const dest = `127.0.0.1:${port}`;
    for (const [proto, conf] of [[UDP, {}], [TCP, { framing: lines() }]] as const) {
      assertMatch(
        (await run("request_reply", proto, dest)).join(),
        /: 100 of 100 replies are right/,
      );
      await using client = await pipeOpen(proto, { dest, conf });
      assertEquals(text((await client.request("7 add 1 2"))[0]), "7 3");
      assertEquals(text((await client.request("8 multiply 1 2"))[0]), "8 what?");
    }
    program.kill("SIGINT");
    await program.ended();
    assertEquals(await program.stderr.text(), "");
  },
);

for (
  const [name, args] of [["framed_chat", ["--port", "1"]], ["request_reply", [
    "sctp",
    "x:1",
  ]]] as const
) {
  Deno.test(`${name}: names its usage`, { ignore }, async () => {
    await using program = start(name, ...args);
    assertMatch(await program.stderr.text(), /cannot understand ".+"\nUsage: deno run /);
    assertEquals((await program.ended()).code, 2);
  });
}
