/** What a whole process does: permissions, and ending by itself. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";

const canRun = (await Deno.permissions.query({ name: "run" })).state === "granted";

/** Runs a small program in a process of its own. */
async function run(
  code: string,
  ...flags: string[]
): Promise<{ code: number; out: string; err: string }> {
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", `--config=${config}`, ...flags, "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    cwd: new URL("../..", import.meta.url).pathname,
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(code));
  await writer.close();
  const { code: status, stdout, stderr } = await child.output();
  const decode = (data: Uint8Array) => new TextDecoder().decode(data).trim();
  return { code: status, out: decode(stdout), err: decode(stderr) };
}

const test = (name: string, fn: () => Promise<void>) => Deno.test(name, { ignore: !canRun }, fn);

for (const flags of [[], ["--unstable-net"]]) {
  const how = flags.length === 0 ? "" : " with --unstable-net";
  for (
    const [proto, open] of [["tcp", "route"], ["tcp", "dest"], ["udp", "route"], ["udp", "dest"]]
  ) {
    test(`process: ${proto} ${open} without --allow-net says so${how}`, async () => {
      const { out, err } = await run(
        `import { pipeOpen, PipeOpenError } from "@p2pd/pipes";
        try {
          const pipe = await pipeOpen("${proto}", { ${open}: "127.0.0.1:4242" });
          await pipe.send("x");
        } catch (e) {
          console.log(e instanceof PipeOpenError, e.phase, e.message);
        }
        Deno.exit(0);`,
        ...flags,
      );
      assertStringIncludes(out, "true permission", err);
      // A UDP client is bound before it sends.
      const addr = proto === "udp" && open === "dest" ? "0.0.0.0:0" : "127.0.0.1:4242";
      assertStringIncludes(out, `: no network permission, run with --allow-net=${addr}`);
    });
  }

  test(`process: nothing keeps it alive after close${how}`, async () => {
    const start = performance.now();
    const { code, out, err } = await run(
      `import { pipeOpen, PipeTimeoutError } from "@p2pd/pipes";
      for (const proto of ["tcp", "udp"]) {
        const server = await pipeOpen(proto, {
          route: "127.0.0.1:0",
          msgCb: (msg, from, pipe) => pipe.send(msg, from),
        });
        const client = await pipeOpen(proto, { dest: server.localAddr });
        await client.send("x");
        await client.recv(undefined, { timeout: 60_000 });
        await client.request("y", { timeout: 60_000 });
        await client.recv(undefined, { timeout: 1 }).catch((e) => console.log(e.name));
        await client.close();
        await server.close();
      }`,
      "--allow-net",
      ...flags,
    );
    assertEquals([code, out, err], [0, "PipeTimeoutError\nPipeTimeoutError", ""]);
    assert(performance.now() - start < 20_000);
  });

  test(`process: with --allow-net alone everything works and nothing is asked for${how}`, async () => {
    const { out } = await run(
      `import { capabilities, pipeOpen } from "@p2pd/pipes";
      await using server = await pipeOpen("tcp", { route: "*:0" });
      await using bound = await pipeOpen("tcp", {
        dest: ["localhost", server.localAddr.port],
        route: "127.0.0.2:0",
      });
      await using udp = await pipeOpen("udp", { dest: ["localhost", 9] });
      const { net, fastUdp, interfaces } = capabilities();
      console.log(net.granted, fastUdp.granted, interfaces.granted, interfaces.flag);`,
      "--allow-net",
      ...flags,
    );
    const fast = flags.length > 0;
    assertEquals(out, `true ${fast} false --allow-sys=networkInterfaces`);
  });
}

test("process: a program that opens no UDP pipe loads no UDP driver", async () => {
  const config = new URL("../../mod.ts", import.meta.url).pathname;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", config],
    stdout: "piped",
  }).output();
  const info = JSON.parse(new TextDecoder().decode(stdout));
  // Those that only a dynamic import leads to are loaded when they are needed.
  const eager = new Set<string>();
  const visit = (specifier: string) => {
    if (eager.has(specifier)) return;
    eager.add(specifier);
    const module = info.modules.find((m: { specifier: string }) => m.specifier === specifier);
    for (const dependency of module?.dependencies ?? []) {
      if (dependency.isDynamic !== true && dependency.code !== undefined) {
        visit(dependency.code.specifier);
      }
    }
  };
  visit(info.roots[0]);
  const loaded = [...eager].filter((s) =>
    s.startsWith("node:") || /transport\/(node|deno)_/.test(s)
  );
  assertEquals(loaded, []);
  assert(eager.size > 10);
});
