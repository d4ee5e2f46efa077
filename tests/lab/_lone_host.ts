/** A host of its own, in a network namespace, for programs that are alone on it. */

/** Of the network namespace. */
export const NAME = `cw${Deno.pid}`;
const config = new URL("../../deno.json", import.meta.url).pathname;

/** Runs a command; its output, or an error with what it complained about. */
export async function run(command: readonly string[], input = ""): Promise<string> {
  const [name = "", ...args] = command;
  const child = new Deno.Command(name, { args, stdin: "piped", stdout: "piped", stderr: "piped" })
    .spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder().decode(stdout).trim();
  if (code !== 0) throw new Error(`${command.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return text;
}

/** `ip` on that host. */
export const ip = (...args: string[]): Promise<string> => run(["ip", "-n", NAME, ...args]);

/** A host with a card, and what a program on it prints. */
export async function onHost(
  set: (() => Promise<unknown>) | undefined,
  script: string,
): Promise<string> {
  await run(["ip", "netns", "add", NAME]);
  try {
    await ip("link", "set", "lo", "up");
    await ip("link", "add", "card0", "type", "veth", "peer", "name", "far0");
    // Without link-local addresses, which cannot be bound in their first second.
    for (const name of ["card0", "far0"]) {
      await ip("link", "set", name, "up", "addrgenmode", "none");
    }
    await ip("addr", "add", "10.9.9.1/24", "dev", "card0");
    await set?.();
    const deno = [Deno.execPath(), "run", "-A", "--quiet", `--config=${config}`, "-"];
    return await run(["ip", "netns", "exec", NAME, ...deno], script);
  } finally {
    await run(["ip", "netns", "del", NAME]);
  }
}
