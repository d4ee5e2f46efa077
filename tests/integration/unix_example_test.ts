/** The example on a Unix socket as its user runs it: a program of its own, with no more flags than it says. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { pipeOpen, TCP } from "@p2pd/pipes";
import { Program } from "../lab/_helpers.ts";
import { recvText } from "../helpers/pipes.ts";
import { freePath, hasPaths } from "../helpers/unix.ts";

const may = (name: "run" | "net") => Deno.permissions.querySync({ name }).state === "granted";
/** Without these the tests are skipped: `deno task test` grants them. */
const ignore = !hasPaths || !may("run") || !may("net");
const url = new URL("../../examples/unix_echo.ts", import.meta.url).href;

function start(flags: readonly string[], ...args: readonly string[]): Program {
  return new Program(Deno.execPath(), ["run", "--no-prompt", "--quiet", ...flags, url, ...args]);
}

/** The flags for one path and no other. */
function flagsFor(path: string): string[] {
  return [`--allow-net=unix:${path}`, `--allow-read=${path}`, `--allow-write=${path}`];
}

Deno.test("unix_echo: serves itself, and leaves nothing behind", { ignore }, async () => {
  await using program = start(["--allow-net", "--allow-read", "--allow-write"]);
  const [out, err] = await Promise.all([program.stdout.text(), program.stderr.text()]);
  assertEquals([err, (await program.ended()).code], ["", 0]);
  const [listening = "", ...lines] = out.trimEnd().split("\n");
  assertMatch(listening, /^Listening on \/.*\/echo\.sock$/);
  assertEquals(lines, [
    'sent "hello", got "hello"',
    'sent "no network needed", got "no network needed"',
  ]);
  const directory = listening.slice("Listening on ".length, -"/echo.sock".length);
  await Deno.stat(directory).then(() => assert(false, directory), () => {});
});

Deno.test(
  "unix_echo --listen: serves until it is interrupted, after a crash too",
  { ignore },
  async () => {
    const path = freePath();
    for (const end of ["SIGKILL", "SIGINT"] as const) {
      await using program = start(flagsFor(path), "--listen", path);
      await program.stdout.line(/^Listening on \//);
      await using client = await pipeOpen(TCP, { dest: { path } });
      await client.send("who is there?");
      assertEquals(await recvText(client, 13), "who is there?");
      program.kill(end);
      await program.ended();
      assertEquals(await program.stderr.text(), "");
      // Only one that could say good-bye has taken its file along.
      assertEquals(await Deno.lstat(path).then(() => true, () => false), end === "SIGKILL");
    }
  },
);

Deno.test("unix_echo: names the flags that are missing, and its usage", { ignore }, async () => {
  const path = freePath();
  await using bare = start(["--allow-net"], "--listen", path);
  assertStringIncludes(
    await bare.stderr.text(),
    `run with --allow-read=${path} --allow-write=${path}`,
  );
  assertEquals((await bare.ended()).code, 1);
  await using wrong = start([], "--port", "80");
  assertMatch(await wrong.stderr.text(), /cannot understand "--port 80"\nUsage: /);
  assertEquals((await wrong.ended()).code, 2);
});
