/** examples/interfaces.ts and examples/multi_nic_download.ts as their users run them. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { serveRanges } from "../../examples/_range_server.ts";
import { noise, Program, sha256 } from "../lab/_helpers.ts";

const may = (name: "run" | "read" | "write") =>
  Deno.permissions.querySync({ name }).state === "granted";
const mayList =
  Deno.permissions.querySync({ name: "sys", kind: "networkInterfaces" }).state === "granted";
/** Without these the tests are skipped: `deno task test` grants them. */
const ignore = !may("run") || !may("read") || !may("write") || !mayList;

const LIST = "--allow-sys=networkInterfaces";
const ALL = ["--allow-net", LIST, "--allow-read", "--allow-write"];

interface Outcome {
  readonly code: number;
  readonly out: string[];
  readonly err: string[];
}

async function run(
  name: string,
  permissions: readonly string[],
  ...args: readonly string[]
): Promise<Outcome> {
  const url = new URL(`../../examples/${name}.ts`, import.meta.url).href;
  const flags = ["run", "--quiet", "--no-prompt", ...permissions];
  await using program = new Program(Deno.execPath(), [...flags, url, ...args]);
  const [out, err] = await Promise.all([program.stdout.text(), program.stderr.text()]);
  const lines = (text: string) => text === "" ? [] : text.trimEnd().split("\n");
  return { code: (await program.ended()).code, out: lines(out), err: lines(err) };
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test(name, { ignore }, fn);
}

/** The loopback card's name: it is called "lo0" or otherwise elsewhere. */
const loopback = mayList
  ? Deno.networkInterfaces().find(({ address }) => address === "127.0.0.1")?.name ?? "lo"
  : "lo";

test("interfaces: tables of cards and routes", async () => {
  const { code, out, err } = await run("interfaces", [LIST]);
  assertEquals([code, err], [0, []]);
  assertMatch(out[0] ?? "", /^CARD +KIND +HARDWARE +ADDRESS +SCOPE +GATEWAY$/);
  const cards = out.slice(0, out.indexOf(""));
  for (const { address } of Deno.networkInterfaces()) {
    assertEquals(cards.filter((line) => line.includes(` ${address}`)).length > 0, true, address);
  }
  // Columns are in line.
  const column = out[0]?.indexOf("ADDRESS") ?? -1;
  const loopbackRow = cards.find((line) => line.includes(" 127.0.0.1/8"));
  assertEquals(loopbackRow?.indexOf("127.0.0.1/8"), column);
  assert(out.some((line) => /^CARD +FAMILY +LOCAL +SEEN AS$/.test(line)));
  assert(out.some((line) => new RegExp(`^${loopback} +IPv4 +127.0.0.1 +127.0.0.1$`).test(line)));
  assertMatch(out.at(-1) ?? "", /^The card for the rest of the world is .+: .+/);
});

test("interfaces --json: for programs, all cards or one", async () => {
  const { code, out, err } = await run("interfaces", [LIST], "--json");
  assertEquals([code, err], [0, []]);
  const cards: { name: string; addresses: string[] }[] = JSON.parse(out.join("\n"));
  assertEquals(
    cards.map(({ name }) => name),
    [...new Set(Deno.networkInterfaces().map(({ name }) => name))],
  );
  for (const args of [["--json", loopback], ["127.0.0.1", "--json"]]) {
    const { out } = await run("interfaces", [LIST], ...args);
    const [card, ...others] = JSON.parse(out.join("\n"));
    assertEquals([card.name, others], [loopback, []]);
    assertEquals(card.routes[0], {
      ...{ family: "IPv4", nicIps: ["127.0.0.1"], extIps: ["127.0.0.1"] },
    });
  }
});

test("interfaces: what is wrong is one line", async () => {
  const unknown = await run("interfaces", [LIST], "nic77");
  assertMatch(unknown.err[0] ?? "", /^name: no card "nic77", there are .*\blo/);
  assertMatch(
    unknown.err[1] ?? "",
    /^Usage: deno run --allow-sys=networkInterfaces interfaces\.ts/,
  );
  assertEquals([unknown.code, unknown.err.length, unknown.out], [2, 2, []]);
  for (const args of [["a", "b"], ["--all"], ["--json", "--json"]]) {
    const { code, err } = await run("interfaces", [LIST], ...args);
    assertEquals([code, err[0]], [2, `arguments: cannot understand "${args.join(" ")}"`]);
  }
  const denied = await run("interfaces", []);
  assertEquals([denied.code, denied.out, denied.err], [1, [], [
    `Cannot read the network interfaces: no permission, run with ${LIST}`,
  ]]);
});

test("multi_nic_download: two addresses are faster than one", async () => {
  const { code, out, err } = await run("multi_nic_download", ["--allow-net"]);
  assertEquals([code, err], [0, []]);
  assertMatch(out[0] ?? "", /^A server at http:\/\/127\.0\.0\.1:\d+\/ gives each address 1\.05 MB/);
  assertMatch(out[1] ?? "", /^ 25 % {2}127\.0\.0\.1 0\.\d\d MB {2}\d+\.\d\d MB\/s$/);
  assertMatch(out[5] ?? "", /^1\.57 MB over 127\.0\.0\.1 in \d\.\d\d s$/);
  assertMatch(out[7] ?? "", /^ 25 % {2}127\.0\.0\.1 0\.\d\d MB {2}127\.0\.0\.2 0\.\d\d MB /);
  assertMatch(out[11] ?? "", /^1\.57 MB over 127\.0\.0\.1 and 127\.0\.0\.2 in \d\.\d\d s$/);
  assertEquals(out[6], out[12]);
  const [, gain] = /^(\d\.\d) times as fast over both$/.exec(out[13] ?? "") ?? [];
  assert(Number(gain) > 1.3, `${gain} times as fast`);
  assertEquals(out.length, 14);
});

const FILE = noise(700_001);
const DIGEST = sha256(FILE);

/** Downloads over the loopback card into a directory of its own; gives what is in there then. */
async function fetchFrom(
  url: string,
  ...more: readonly string[]
): Promise<Outcome & { files: Map<string, Uint8Array> }> {
  const dir = await Deno.makeTempDir();
  try {
    const args = ["--url", url, "--nic", loopback, "--out", `${dir}/file`, ...more];
    const outcome = await run("multi_nic_download", ALL, ...args);
    const files = new Map<string, Uint8Array>();
    for await (const { name } of Deno.readDir(dir)) {
      files.set(name, await Deno.readFile(`${dir}/${name}`));
    }
    return { ...outcome, files };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

test("multi_nic_download --url: the whole file under its name, and checked", async () => {
  await using server = await serveRanges({ route: "127.0.0.1:0", file: FILE, rate: Infinity });
  const url = `http://127.0.0.1:${server.localAddr.port}/some/file?x=1`;
  for (const more of [[], ["--sha256", DIGEST.toUpperCase()]]) {
    const { code, out, err, files } = await fetchFrom(url, ...more);
    assertEquals([code, err], [0, []]);
    assertEquals(out.at(-1), `SHA-256 ${DIGEST}`);
    assertEquals([...files.keys()], ["file"]);
    assertEquals(sha256(files.get("file") ?? new Uint8Array()), DIGEST);
  }
  const { code, err, files } = await fetchFrom(url, "--sha256", "0".repeat(64));
  assertEquals([code, err, files.size], [1, [
    `The file is damaged: SHA-256 ${DIGEST}, and not ${"0".repeat(64)}`,
  ], 0]);
});

test("multi_nic_download: an empty file, and a server that tells no digest", async () => {
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    return new Response(null, { headers: { "Content-Length": "0" } });
  });
  const { code, out, files } = await fetchFrom(`http://127.0.0.1:${server.addr.port}/`);
  assertEquals([code, files.get("file")?.length], [0, 0]);
  assertEquals(
    out.at(-1),
    `SHA-256 ${sha256(new Uint8Array())} (nobody tells what it should be)`,
  );
});

/** A server that answers HEAD with these fields, and GET with this text. */
function faulty(head: string, answer: (range: string) => string): Deno.TcpListener {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  (async () => {
    for await (const conn of listener) {
      const buffer = new Uint8Array(4096);
      const count = await conn.read(buffer);
      const text = new TextDecoder().decode(buffer.subarray(0, count ?? 0));
      const [, range = ""] = /\r\nRange: bytes=(\S+)/.exec(text) ?? [];
      const reply = text.startsWith("HEAD") ? head : answer(range);
      await conn.write(new TextEncoder().encode(reply));
      conn.close();
    }
  })().catch(() => {}); // closed by the test
  return listener;
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
for (
  const [what, head, answer, complaint] of [
    [
      "that has no such file",
      "HTTP/1.1 404 Not Found\r\n\r\n",
      () => "",
      'The server says "HTTP/1.1 404 Not Found"',
    ],
    [
      "that does not tell the size",
      "HTTP/1.1 200 OK\r\n\r\n",
      () => "",
      "The server does not tell the file's size",
    ],
    [
      "without ranges",
      OK,
      () => OK,
      'Asked for bytes 0-99/100, got "HTTP/1.1 200 OK, undefined"',
    ],
    [
      "that gives another range",
      OK,
      () => "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-99/100\r\n\r\n",
      'Asked for bytes 0-99/100, got "HTTP/1.1 206 Partial Content, bytes 1-99/100"',
    ],
    [
      "whose file has changed",
      OK,
      (range: string) =>
        `HTTP/1.1 206 Partial Content\r\nContent-Range: bytes ${range}/200\r\n\r\n`,
      'Asked for bytes 0-99/100, got "HTTP/1.1 206 Partial Content, bytes 0-99/200"',
    ],
    [
      "that stops in the middle",
      OK,
      (range: string) =>
        `HTTP/1.1 206 Partial Content\r\nContent-Range: bytes ${range}/100\r\n\r\n0123456789`,
      "The connection ended 90 bytes early",
    ],
    ["that says nothing", "", () => "", "The server closed the connection"],
    ["that speaks something else", "220 mail\r\nx\r\n\r\n", () => "", 'No field of a head: "x"'],
    [
      "whose head never ends",
      `HTTP/1.1 200 OK\r\nX: ${"x".repeat(20_000)}`,
      () => "",
      "A head of more than 16384 bytes",
    ],
  ] as const
) {
  test(`multi_nic_download: a server ${what}`, async () => {
    using server = faulty(head, answer);
    const { code, err, files } = await fetchFrom(`http://127.0.0.1:${server.addr.port}/`);
    assertEquals([code, err, [...files.keys()]], [1, [complaint], []]);
  });
}

test("multi_nic_download: what is wrong is one line, and the usage", async () => {
  const url = ["--url", "http://127.0.0.1:1/"], out = ["--out", "/nowhere/file"];
  const nic = ["--nic", loopback];
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["arguments: --url, --nic and --out are needed", url],
    ["arguments: --url, --nic and --out are needed", [...nic, ...out]],
    ['arguments: cannot understand "--url"', [...nic, ...out, "--url"]],
    ['arguments: cannot understand "--fast yes"', ["--fast", "yes"]],
    ["arguments: --out can be there once only", [...url, ...nic, ...out, ...out]],
    ["arguments: a --nic is there twice", [...url, ...nic, ...nic, ...out]],
    ['arguments: --url must be an http: URL, got "ftp://x/"', [
      "--url",
      "ftp://x/",
      ...nic,
      ...out,
    ]],
    ['arguments: --url must be an http: URL, got "x"', ["--url", "x", ...nic, ...out]],
    ["arguments: --sha256 must be 64", [...url, ...nic, ...out, "--sha256", "abc"]],
    ['name: no card "nic77", there are ', [...url, "--nic", "nic77", ...out]],
  ];
  for (const [complaint, args] of cases) {
    const { code, err } = await run("multi_nic_download", ALL, ...args);
    assertStringIncludes(err[0] ?? "", complaint);
    assertMatch(err[1] ?? "", /^Usage: deno run .* --url URL --nic NAME\.\.\. --out FILE/);
    assertEquals([code, err.length], [2, 2]);
  }
  const denied = await run("multi_nic_download", ["--allow-net"], ...url, ...nic, ...out);
  assertEquals([denied.code, denied.err], [1, [
    `Cannot read the network interfaces: no permission, run with ${LIST}`,
  ]]);
});
