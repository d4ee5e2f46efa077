/** examples/external_address.ts as its users run it. */
import { formatAddr } from "@p2pd/pipes";
import { serveStun } from "@p2pd/pipes/testing";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Program } from "../lab/_helpers.ts";
import { canBind } from "../helpers/probes.ts";

const may = (name: "run" | "read") => Deno.permissions.querySync({ name }).state === "granted";
const mayList =
  Deno.permissions.querySync({ name: "sys", kind: "networkInterfaces" }).state === "granted";
/** Without these the tests are skipped: `deno task test` grants them. */
const ignore = !may("run") || !may("read") || !mayList;
/** A server of RFC 5780 has two; not every system has more than one of these. */
const HOSTS = ["127.0.0.1", "127.0.0.2"].filter(canBind);

const LIST = "--allow-sys=networkInterfaces";

async function run(permissions: readonly string[], ...args: readonly string[]) {
  const url = new URL("../../examples/external_address.ts", import.meta.url).href;
  const flags = ["run", "--quiet", "--no-prompt", ...permissions];
  await using program = new Program(Deno.execPath(), [...flags, url, ...args]);
  const [out, err] = await Promise.all([program.stdout.text(), program.stderr.text()]);
  const lines = (text: string) => text === "" ? [] : text.trimEnd().split("\n");
  return { code: (await program.ended()).code, out: lines(out), err: lines(err) };
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test(name, { ignore }, fn);
}

test("external_address: shows how it goes, with a server of its own", async () => {
  const { code, out, err } = await run(["--allow-net", LIST]);
  assertEquals([code, err], [0, []]); // no progress where there is no terminal
  const [intro = "", blank, ...rest] = out;
  assertMatch(intro, /^Asks 127\.0\.0\.1:\d+, a server of its own; .* stun:HOST\[:PORT\]$/);
  assertEquals(blank, "");
  const text = rest.map((line) => line.replace(/127\.0\.0\.1:\d+/, "ADDR"));
  assertMatch(text[0] ?? "", /^Card +lo/);
  assertMatch(text[1] ?? "", /^Inside +ADDR$/);
  assertMatch(text[2] ?? "", /^Outside +ADDR$/);
  const full = HOSTS.length === 2;
  assertMatch(text[3] ?? "", full ? /^NAT +open Internet$/ : /^NAT +unknown$/);
  assertMatch(text[5] ?? "", /^WHAT +FOUND +SURE +BECAUSE$/);
  assertMatch(text[6] ?? "", /^Mapping +none +0\.\d\d$/);
  assertMatch(text[7] ?? "", full ? /^Filtering +endpoint-independent +0\.80$/ : /OTHER-ADDRESS/);
  assertMatch(text[8] ?? "", /^Hairpin +yes +0\.\d\d$/);
  assertMatch(text[9] ?? "", /^Port preserved +yes$/);
  assertMatch(text[10] ?? "", /^Next port +preserved \+0 +0\.\d\d$/);
  assertEquals(text.length, 11);
});

test("external_address --json SERVER: for programs", async () => {
  const mapped = ({ port }: { readonly port: number }) => ({ hostname: "192.0.2.9", port });
  await using server = await serveStun({ hosts: HOSTS, mapped });
  const uri = `stun:${formatAddr(server.addr)}`;
  const { code, out, err } = await run(["--allow-net", LIST], "--json", uri);
  assertEquals([code, err], [0, []]);
  const { card, name, mapping, local, mapped: outside, reasons } = JSON.parse(out.join("\n"));
  assertMatch(card, /^lo/);
  assertEquals([local.hostname, outside.hostname], ["127.0.0.1", "192.0.2.9"]);
  const [expected, kind] = HOSTS.length === 2
    ? ["full cone NAT", "endpoint-independent"]
    : ["unknown", "unknown"];
  assertEquals([name, mapping, Object.keys(reasons).length === 0], [
    ...[expected, kind, HOSTS.length === 2],
  ]);
});

test("external_address: what is wrong is one line, and the usage", async () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['arguments: cannot understand "--all"', ["--all"]],
    ['arguments: cannot understand "--nic"', ["127.0.0.1:1", "--nic"]],
    ['arguments: cannot understand "--nic b"', ["--nic", "a", "--nic", "b"]],
    ['arguments: cannot understand "--json"', ["--json", "--json"]],
    ['arguments: --lifetime is 1 to 99999 seconds, got "1.5"', ["--lifetime", "1.5"]],
    ['name: no card "nic77", there are ', ["--nic", "nic77", "127.0.0.1:1"]],
    ["servers[0]: ", ["stun:127.0.0.1:x"]],
    ["servers[1]: stuns is TLS", ["127.0.0.1:1", "stuns:localhost"]],
  ];
  await Promise.all(cases.map(async ([complaint, args]) => {
    const { code, out, err } = await run(["--allow-net", LIST], ...args);
    assertStringIncludes(err[0] ?? "", complaint);
    assertMatch(err[1] ?? "", /^Usage: deno run .* external_address\.ts /);
    assertEquals([code, out, err.length], [2, [], 2]);
  }));
  const denied = await run(["--allow-net"], "127.0.0.1:1");
  assertEquals([denied.code, denied.out, denied.err], [1, [], [
    `Cannot read the network interfaces: no permission, run with ${LIST}`,
  ]]);
});
