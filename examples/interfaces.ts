/**
 * Shows the network cards of this machine and the routes over them.
 *
 *     deno run --allow-sys=networkInterfaces interfaces.ts          # tables
 *     deno run --allow-sys=networkInterfaces interfaces.ts --json   # for programs
 *     deno run --allow-sys=networkInterfaces interfaces.ts eth0     # one card, by name or address
 *
 * @module
 */
import { Interface, type Route } from "@p2pd/pipes";

const USAGE = "Usage: deno run --allow-sys=networkInterfaces interfaces.ts [--json] [NAME|ADDRESS]";

/** All routes over a card. */
function routesOf(card: Interface): Route[] {
  return card.supported().flatMap((family) => [...card.routes(family).routes]);
}

/** The same columns in all rows. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  return all.map((row) =>
    row.map((cell, i) => cell.padEnd(i === row.length - 1 ? 0 : widths[i] ?? 0)).join("  ")
      .trimEnd()
  ).join("\n");
}

function cardRows({ name, kind, mac, addresses, gateways }: Interface): string[][] {
  const facts = [name, kind, mac ?? "-"];
  const via = (family: string) =>
    gateways.filter((one) => one.family === family).map(({ gateway }) => gateway ?? "direct");
  return addresses.map(({ family, ip, prefix }, i) => {
    const first = addresses.findIndex((one) => one.family === family) === i;
    return [
      ...(i === 0 ? facts : ["", "", ""]),
      `${ip}/${prefix}`,
      ip.scope,
      (first ? via(family).join(", ") : "") || "-",
    ];
  });
}

function routeRows(card: Interface): string[][] {
  return routesOf(card).map((route) => [
    card.name,
    route.family,
    route.nicIps.map(String).join(", "),
    route.extIps.map(String).join(", ") || "not known here",
  ]);
}

function print(cards: readonly Interface[]): void {
  const cardHead = ["CARD", "KIND", "HARDWARE", "ADDRESS", "SCOPE", "GATEWAY"];
  console.log(table(cardHead, cards.flatMap(cardRows)));
  console.log();
  console.log(table(["CARD", "FAMILY", "LOCAL", "SEEN AS"], cards.flatMap(routeRows)));
}

try {
  const names = Deno.args.filter((arg) => arg !== "--json");
  const [name, ...more] = names;
  if (more.length > 0 || name?.startsWith("-") || Deno.args.length > names.length + 1) {
    throw new TypeError(`arguments: cannot understand "${Deno.args.join(" ")}"`);
  }
  const cards = name === undefined ? Interface.list() : [Interface.get(name)];
  if (names.length < Deno.args.length) {
    const all = cards.map((card) => ({ ...card.toJSON(), routes: routesOf(card) }));
    console.log(JSON.stringify(all, null, 2));
  } else {
    print(cards);
    if (name === undefined && cards.length > 0) {
      const { name: chosen, reason } = Interface.default();
      console.log(`\nThe card for the rest of the world is ${chosen}: ${reason}`);
    }
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  // Wrong arguments, ours or the library's, are TypeErrors and RangeErrors.
  const usage = error instanceof TypeError || error instanceof RangeError;
  if (usage) console.error(USAGE);
  Deno.exit(usage ? 2 : 1);
}
