/** examples/echo_workers.ts as its user runs it, with and without the flag that it does not need. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Program } from "../lab/_helpers.ts";
import { Conn } from "../lab/_sockets.ts";

const may = (name: "run" | "read") => Deno.permissions.querySync({ name }).state === "granted";
/** Without these the tests are skipped: `deno task test` grants them. Elsewhere one gets everything. */
const ignore = !may("run") || !may("read") || Deno.build.os !== "linux";
const example = new URL("../../examples/echo_workers.ts", import.meta.url).href;
const permissions = ["--allow-net", "--allow-read"];

function start(flags: readonly string[], ...args: readonly string[]): Program {
  return new Program(Deno.execPath(), [
    "run",
    "--no-prompt",
    "--quiet",
    ...flags,
    example,
    ...args,
  ]);
}

/** How many connections each worker says it had. */
function counts(lines: readonly string[]): number[] {
  return lines.map((line, i) => {
    assertMatch(line, new RegExp(`^worker ${i + 1}: \\d+ connections$`));
    return Number(line.split(" ")[2]);
  });
}

for (const flags of [[], ["--unstable-net"]]) {
  const how = flags.length === 0 ? "without a flag" : flags.join("");

  Deno.test(`echo_workers, ${how}: every worker serves`, { ignore }, async () => {
    await using program = start([...permissions, ...flags]);
    const [out, err] = await Promise.all([program.stdout.text(), program.stderr.text()]);
    assertEquals([err, (await program.ended()).code], ["", 0]);
    const [listening, answered, ...lines] = out.trimEnd().split("\n");
    assertMatch(listening ?? "", /^Listening on 127\.0\.0\.1:\d+ with \d+ workers$/);
    assertEquals(answered, "64 clients were answered");
    const served = counts(lines);
    assertEquals(served.reduce((sum, count) => sum + count), 64);
    // The system deals them out by a hash; that one of two gets none is less likely than 1 to 2^62.
    assert(served.length > 2 || served.every((count) => count > 0), `served: ${served}`);
  });

  Deno.test(
    `echo_workers --listen, ${how}: serves until it is interrupted`,
    { ignore },
    async () => {
      await using program = start([...permissions, ...flags], "--listen", "127.0.0.1:0", "3");
      const [, port] = await program.stdout.line(
        /^Listening on 127\.0\.0\.1:(\d+) with 3 workers$/,
      );
      for (let i = 0; i < 8; i++) {
        using conn = await Conn.to(Number(port));
        await conn.say(`hello ${i}`);
        assertEquals(await conn.hear(7), `hello ${i}`);
      }
      program.kill("SIGINT");
      const [out, err] = await Promise.all([program.stdout.text(), program.stderr.text()]);
      assertEquals([err, (await program.ended()).code], ["", 0]);
      const served = counts(out.trimEnd().split("\n"));
      assertEquals([served.length, served.reduce((sum, count) => sum + count)], [3, 8]);
    },
  );
}

Deno.test("echo_workers: says what is wrong", { ignore }, async () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const fail = async (...args: string[]) => {
    await using program = start([...permissions, "--unstable-net"], ...args);
    const [out, err] = await Promise.all([program.stdout.text(), program.stderr.text()]);
    return [out, (await program.ended()).code, ...err.trimEnd().split("\n")];
  };
  const [out, code, why] = await fail("--listen", `127.0.0.1:${taken.addr.port}`);
  assertEquals([out, code], ["", 1]);
  assertMatch(String(why), /^Cannot (listen|bind)/);
  taken.close();
  for (const args of [["--listen"], ["--listen", "127.0.0.1:0", "0"], ["--listen", "nonsense"]]) {
    const [out, code, , usage] = await fail(...args);
    assertEquals([out, code], ["", 2], args.join(" "));
    assertMatch(String(usage), /^Usage: /);
  }
});
