import { assertEquals } from "@std/assert";

const { state } = Deno.permissions.querySync({ name: "run", command: Deno.execPath() });
const script = new URL("./plain_process.ts", import.meta.url).href;

for (const proto of ["tcp", "udp"]) {
  Deno.test({
    name: `${proto} by node works where nothing else of node is loaded, and lets the process end`,
    ignore: state !== "granted",
    async fn() {
      const command = new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "--no-prompt", "--no-lock", "--allow-net", script, proto],
        signal: AbortSignal.timeout(10_000),
      });
      const { stdout, stderr, code } = await command.output();
      const text = new TextDecoder();
      assertEquals(text.decode(stdout) + text.decode(stderr), "closed\n");
      assertEquals(code, 0);
    },
  });
}
