/** examples/tls_echo.ts as its user runs it, with no more permissions than it says. */
import { assertEquals, assertMatch } from "@std/assert";
import { Program } from "../lab/_helpers.ts";
import { authority, type CertificateOptions } from "../helpers/certificates.ts";

const may = (name: "run" | "read" | "write") =>
  Deno.permissions.querySync({ name }).state === "granted";
/** Without these the tests are skipped: `deno task test` grants them. */
const ignore = !may("run") || !may("read") || !may("write");
const example = new URL("../../examples/tls_echo.ts", import.meta.url).href;

interface Outcome {
  readonly code: number;
  readonly out: string[];
  readonly err: string[];
}

async function run(permissions: readonly string[], ...args: readonly string[]): Promise<Outcome> {
  const flags = ["run", "--quiet", "--no-prompt", "--allow-net", ...permissions];
  await using program = new Program(Deno.execPath(), [...flags, example, ...args]);
  const [out, err] = await Promise.all([program.stdout.text(), program.stderr.text()]);
  const lines = (text: string) => text === "" ? [] : text.trimEnd().split("\n");
  return { code: (await program.ended()).code, out: lines(out), err: lines(err) };
}

/** Certificates as files. */
async function withFiles(
  options: CertificateOptions,
  test: (file: (name: string) => string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    const ca = await authority("The test's CA");
    const { cert, key } = await ca.issue(options);
    const file = (name: string) => `${dir}/${name}.pem`;
    for (const [name, pem] of Object.entries({ ca: ca.cert, cert, key })) {
      await Deno.writeTextFile(file(name), pem);
    }
    await test(file);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function assertDemo({ code, out, err }: Outcome, issuer: string): void {
  assertEquals([code, err], [0, []]);
  const [listening, ...lines] = out;
  assertMatch(listening ?? "", /^Listening on 127\.0\.0\.1:\d+, with TLS$/);
  assertEquals(lines, [
    `Connected with TLSv1.3 to "CN=localhost", says "CN=${issuer}"`,
    'sent "hello", got "hello"',
    'sent "nobody can read this on the way", got "nobody can read this on the way"',
    'It is not bank.example: PipeOpenError, phase "tls"',
  ]);
}

Deno.test("tls_echo: with certificates made on the spot", { ignore }, async () => {
  assertDemo(await run([]), "An authority of our own");
});

Deno.test("tls_echo --cert --key --ca: with certificates from files", { ignore }, async () => {
  await withFiles({ names: ["localhost"] }, async (file) => {
    const own = ["--cert", file("cert"), "--key", file("key")];
    assertDemo(await run(["--allow-read"], ...own, "--ca", file("ca")), "The test's CA");
    // Deno knows that authority if it is told to; caCerts takes the place of what it knows.
    const known = ["--allow-read", "--cert", file("ca")];
    assertDemo(await run(known, ...own), "The test's CA");
    await Deno.writeTextFile(file("other"), (await authority("Other CA")).cert);
    const other = await run(known, ...own, "--ca", file("other"));
    assertEquals([other.code, other.out.length], [1, 1]);
    assertMatch(other.err.join(), /trusted/);
  });
});

Deno.test("tls_echo: certificates that will not do", { ignore }, async () => {
  await withFiles({ names: ["elsewhere.example"] }, async (file) => {
    const own = ["--cert", file("cert"), "--key", file("key")];
    const wrongName = await run(["--allow-read"], ...own, "--ca", file("ca"));
    assertEquals([wrongName.code, wrongName.out.length, wrongName.err.length], [1, 1, 1]);
    assertMatch(wrongName.err[0] ?? "", /localhost/);
    const swapped = ["--cert", file("key"), "--key", file("cert")];
    const noServer = await run(["--allow-read"], ...swapped);
    assertEquals([noServer.code, noServer.out], [1, []]);
    assertMatch(noServer.err.join(), /conf\.useSsl\.cert/);
  });
});

for (const args of [["--cert", "cert.pem"], ["--cert"], ["--listen", "x"], ["-h"]]) {
  Deno.test(
    `tls_echo ${args.join(" ")}: wrong arguments, and how to use it`,
    { ignore },
    async () => {
      const { code, out, err } = await run(["--allow-read"], ...args);
      const missing = args[1] === "cert.pem"; // there is no such file
      assertEquals([code, out], [missing ? 1 : 2, []]);
      assertMatch(err.join(), missing ? /No such file/ : /^arguments: .*Usage: /);
    },
  );
}
