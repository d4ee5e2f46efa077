/**
 * Two hosts and a box between them, each a network namespace:
 *
 * ```text
 *   near  card 10.73.1.2 ── 10.73.1.1 left  box  right 10.73.2.1 ── 10.73.2.2 card  far
 * ```
 *
 * @module
 */
import { ip, Program } from "./_helpers.ts";

/** The hosts' addresses. */
export const NEAR = "10.73.1.2", FAR = "10.73.2.2";

/** What the box does to packets, either way; parts of 1. */
export interface Weather {
  readonly loss?: number;
  readonly duplication?: number;
}

/** The world's boxes. */
export interface World {
  readonly near: string;
  readonly far: string;
  /** Changes what happens to packets from now on. */
  set(weather: Weather): Promise<void>;
}

/** Where they are lost is behind whoever sent them: nobody is told. */
function rules({ loss = 0, duplication = 0 }: Weather): string {
  const chance = (part: number) =>
    part === 1 ? "" : `meta l4proto udp numgen random mod 1000 < ${part * 1000}`;
  const lines = ["type filter hook forward priority 0"];
  if (duplication > 0) {
    lines.push(`ip daddr ${FAR} ${chance(duplication)} dup to ${FAR} device "right"`);
    lines.push(`ip daddr ${NEAR} ${chance(duplication)} dup to ${NEAR} device "left"`);
  }
  if (loss > 0) lines.push(`${chance(loss)} drop`);
  return `table ip weather\ndelete table ip weather\ntable ip weather {
    chain forward {\n${lines.join("\n")}\n}\n}\n`;
}

async function run(command: string, args: readonly string[], input: string): Promise<void> {
  await using program = new Program(command, args);
  await program.write(input);
  await program.endInput();
  const { success } = await program.ended();
  if (!success) throw new Error(`${await program.stderr.text()}\nof\n${input}`);
}

function plan({ near, far, box }: Record<"near" | "far" | "box", string>): string {
  const host = (name: string, net: number, end: string) => `
    ip -n ${name} link set lo up
    ip -n ${name} link add card type veth peer name ${end} netns ${box}
    ip -n ${name} addr add 10.73.${net}.2/24 dev card
    ip -n ${name} link set card up
    ip -n ${box} addr add 10.73.${net}.1/24 dev ${end}
    ip -n ${box} link set ${end} up
    ip -n ${name} route add default via 10.73.${net}.1`;
  return `${host(near, 1, "left")}\n${host(far, 2, "right")}
    ip netns exec ${box} sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'`;
}

let count = 0;

/** Runs a test in such a world, and removes it. */
export async function withWorld(test: (world: World) => Promise<void>): Promise<void> {
  const id = `${Deno.pid}u${count++}`;
  const names = { near: `pipesn${id}`, far: `pipesf${id}`, box: `pipesb${id}` };
  const added: string[] = [];
  try {
    for (const name of Object.values(names)) {
      await ip("netns", "add", name);
      added.push(name);
    }
    await run("sh", ["-e", "-s"], plan(names));
    await test({
      near: names.near,
      far: names.far,
      set: (weather) => run("ip", ["netns", "exec", names.box, "nft", "-f", "-"], rules(weather)),
    });
  } finally {
    // The cards go with the namespaces.
    for (const name of added) await ip("netns", "delete", name);
  }
}
