/**
 * Shows under which address others see this machine, and what kind of NAT is in the way.
 *
 *     deno run --allow-net --allow-sys=networkInterfaces external_address.ts stun:stun.example.org
 *
 * Nobody is asked but the servers that are named; one that speaks RFC 5780 is enough, of others it takes
 * two at different addresses. Without any it shows how it goes, with a server of its own.
 *
 *     external_address.ts --nic wlan0 SERVER...     # as the network card wlan0 is seen
 *     external_address.ts --lifetime 120 SERVER...  # also how long mappings live, up to 120 seconds
 *     external_address.ts --json SERVER...          # for programs
 *
 * @module
 */
import { formatAddr, Interface, pickRoute, type Route } from "@p2pd/pipes";
import {
  type BehaviourAspect,
  type BehaviourProgress,
  classicName,
  getBehaviour,
  type NatBehaviour,
} from "@p2pd/pipes/stun";
import { serveStun, type StunServer } from "@p2pd/pipes/testing";

const USAGE = "Usage: deno run --allow-net --allow-sys=networkInterfaces external_address.ts " +
  "[--json] [--nic NAME|ADDRESS] [--lifetime SECONDS] [stun:HOST[:PORT]]...";

/** What the command line asks for. */
interface Order {
  readonly json: boolean;
  readonly nic: string | undefined;
  readonly lifetime: number | undefined;
  readonly servers: readonly string[];
}

function readArgs(args: readonly string[]): Order {
  const order = { json: false, servers: [] as string[] };
  const values = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "", value = args[i + 1];
    if (arg === "--json" && !order.json) order.json = true;
    else if (!arg.startsWith("-")) order.servers.push(arg);
    else if (!/^--(nic|lifetime)$/.test(arg) || value === undefined || values.has(arg)) {
      throw new TypeError(`arguments: cannot understand "${args.slice(i).join(" ")}"`);
    } else {
      values.set(arg, value);
      i++;
    }
  }
  const seconds = values.get("--lifetime");
  if (seconds !== undefined && !/^[1-9]\d{0,4}$/.test(seconds)) {
    throw new RangeError(`arguments: --lifetime is 1 to 99999 seconds, got "${seconds}"`);
  }
  const lifetime = seconds === undefined ? undefined : 1000 * Number(seconds);
  return { ...order, nic: values.get("--nic"), lifetime };
}

/** The local side for a server: by its card, or where it is; else the way to the rest of the world. */
function routeTo(server: string, nic: string | undefined): Route {
  const cards = Interface.list();
  const address = server.replace(/^stun:/i, "").replace(/^([^:[]+|\[.*\])$/, "$1:3478");
  if (nic === undefined && /^(\d+(\.\d+){3}|\[.*\]):\d+$/.test(address)) {
    return pickRoute(address, cards);
  }
  const card = nic === undefined ? Interface.default({ family: "IPv4" }) : Interface.get(nic);
  const [family = "IPv4"] = card.supported();
  return card.route(family);
}

/** One line on a terminal that moves; nothing elsewhere. */
class Spinner implements Disposable {
  readonly #terminal = Deno.stderr.isTerminal();
  #turn = 0;
  #progress: BehaviourProgress = { phase: "contact", done: 0 };
  readonly #timer = this.#terminal ? setInterval(() => this.#draw(), 100) : undefined;

  show(progress: BehaviourProgress): void {
    this.#progress = progress;
    if (this.#terminal) this.#draw();
  }

  #draw(): void {
    const { phase, done } = this.#progress;
    const sign = "|/-\\".charAt(this.#turn++ % 4);
    this.#write(`\r\x1b[K${sign} ${String(Math.floor(100 * done)).padStart(3)} %  ${phase}`);
  }

  #write(text: string): void {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  }

  [Symbol.dispose](): void {
    if (!this.#terminal) return;
    clearInterval(this.#timer);
    this.#write("\r\x1b[K");
  }
}

/** A server of our own, with two addresses where this machine has them. */
async function ownServer(): Promise<StunServer> {
  try {
    return await serveStun({ hosts: ["127.0.0.1", "127.0.0.2"] });
  } catch {
    return await serveStun();
  }
}

const YES_NO = new Map<boolean | undefined, string>([[true, "yes"], [false, "no"]]);

/** What was found, row by row: what it is about, what it is, how sure that is, and what else there is. */
function rowsOf(found: NatBehaviour): string[][] {
  const { mapping, filtering, hairpin, portPreservation, step, lifetime } = found;
  const row = (name: string, aspect: BehaviourAspect, text: string) => {
    const sure = found.confidence[aspect];
    return [name, text, sure === 0 ? "-" : sure.toFixed(2), found.reasons[aspect] ?? ""];
  };
  const delta = step.delta === undefined ? "" : ` ${step.delta < 0 ? "" : "+"}${step.delta}`;
  const rows = [
    row("Mapping", "mapping", mapping),
    row("Filtering", "filtering", filtering),
    row("Hairpin", "hairpin", YES_NO.get(hairpin) ?? "unknown"),
    ["Port preserved", YES_NO.get(portPreservation) ?? "unknown", "", ""],
    row("Next port", "step", step.kind + delta),
  ];
  if (lifetime !== undefined) {
    const { atLeast, atMost } = lifetime;
    const seconds = (ms: number) => (ms / 1000).toFixed(1);
    const text = atMost === undefined ? "or more" : `to ${seconds(atMost)}`;
    rows.push(row("Lifetime", "lifetime", `${seconds(atLeast)} ${text} s`));
  } else if (found.reasons.lifetime !== undefined) {
    rows.push(row("Lifetime", "lifetime", "unknown"));
  }
  return rows;
}

/** The same columns in all rows. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ").trimEnd())
    .join("\n");
}

function print(card: string, route: Route, found: NatBehaviour): void {
  const { local, mapped } = found;
  const facts = [
    ["Card", card],
    ["Inside", local ? formatAddr(local) : route.hostname],
    ["Outside", mapped ? formatAddr(mapped) : "not known: nobody answered"],
    ["NAT", classicName(found)],
  ];
  console.log(`${table(facts)}\n`);
  console.log(table([["WHAT", "FOUND", "SURE", "BECAUSE"], ...rowsOf(found)]));
}

async function main(): Promise<void> {
  const { json, nic, lifetime, servers: named } = readArgs(Deno.args);
  await using own = named.length === 0 ? await ownServer() : undefined;
  const servers = own === undefined ? named : [formatAddr(own.addr)];
  if (own !== undefined && !json) {
    console.log(
      `Asks ${servers}, a server of its own; to ask others, name them: stun:HOST[:PORT]\n`,
    );
  }
  const route = routeTo(servers[0] ?? "", nic);
  let found: NatBehaviour;
  {
    using spinner = new Spinner();
    found = await getBehaviour({
      servers,
      route,
      lifetime: lifetime === undefined ? undefined : { max: lifetime },
      onProgress: (progress) => spinner.show(progress),
    });
  }
  const card = Interface.get(route.hostname).name;
  if (json) console.log(JSON.stringify({ card, name: classicName(found), ...found }, null, 2));
  else print(card, route, found);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  // Wrong arguments, ours or the library's, are TypeErrors and RangeErrors.
  const usage = error instanceof TypeError || error instanceof RangeError;
  if (usage) console.error(USAGE);
  Deno.exit(usage ? 2 : 1);
}
