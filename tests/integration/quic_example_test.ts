/** examples/quic_echo.ts as its user runs it, with no more permissions than it says. */
import { assertEquals, assertMatch } from "@std/assert";
import { Program } from "../lab/_helpers.ts";

/** Without it the tests are skipped: `deno task test` grants it. */
const ignore = Deno.permissions.querySync({ name: "run" }).state !== "granted";
const example = new URL("../../examples/quic_echo.ts", import.meta.url).href;

async function run(flags: readonly string[], ...args: readonly string[]) {
  const all = ["run", "--quiet", "--no-prompt", "--allow-net", ...flags, example, ...args];
  await using program = new Program(Deno.execPath(), all);
  const [out, err] = await Promise.all([program.stdout.text(), program.stderr.text()]);
  const lines = (text: string) => text === "" ? [] : text.trimEnd().split("\n");
  // It ends: nothing of QUIC keeps a process alive.
  return { code: (await program.ended()).code, out: lines(out), err: lines(err) };
}

Deno.test("quic_echo: streams and datagrams on one connection", { ignore }, async () => {
  const { code, out, err } = await run(["--unstable-net"]);
  assertEquals([code, err], [0, []]);
  const [listening, ...lines] = out;
  assertMatch(listening ?? "", /^Listening on 127\.0\.0\.1:\d+, QUIC$/);
  assertEquals(lines, [
    'Connected with TLSv1.3, for "p2pd"',
    'stream: sent "hello", got "hello"',
    'second stream: sent "me, too", got "me, too"',
    'datagram: sent "ping", got "ping"',
  ]);
});

Deno.test("quic_echo: without the flag it says which", { ignore }, async () => {
  const { code, out, err } = await run([]);
  assertEquals([code, out], [1, []]);
  assertMatch(err.join(), /run with --unstable-net to use QUIC/);
});

Deno.test("quic_echo: arguments that it does not know, and how to use it", { ignore }, async () => {
  const { code, out, err } = await run(["--unstable-net"], "--port");
  assertEquals([code, out], [2, []]);
  assertMatch(err.join(), /^Usage: /);
});
