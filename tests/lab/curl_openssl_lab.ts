/** curl and openssl, which know nothing of us, on both ends of our relay. */
import { assertEquals, assertMatch } from "@std/assert";
import { labTest, noise, portOf, Program, python, relayTo, sha256 } from "./_helpers.ts";

const DATA = noise(5_000_000);
const HASH = sha256(DATA);

const ACCEPT = /^ACCEPT .*:(\d+)/;

/** Serves one connection: sends a file and closes. */
const FILE_SENDER = `
import socket, sys
s = socket.create_server(("127.0.0.1", 0))
print("port", s.getsockname()[1])
c, _ = s.accept()
c.sendall(open(sys.argv[1], "rb").read())
c.close()
`;

async function inTempDir(test: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await test(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Makes a self-signed certificate for 127.0.0.1. */
async function certificate(dir: string): Promise<void> {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  const files = ["-keyout", "key.pem", "-out", "cert.pem"];
  await using made = new Program("openssl", ["req", "-x509", ...key, ...name, ...files], dir);
  assertEquals((await made.ended()).code, 0);
}

function tlsServer(dir: string, mode: "-rev" | "-WWW"): Program {
  const files = ["-cert", "cert.pem", "-key", "key.pem"];
  return new Program("openssl", ["s_server", "-accept", "127.0.0.1:0", ...files, mode], dir);
}

/** A client that accepts that certificate and no other. */
function tlsClient(dir: string, port: number): Program {
  const checks = ["-CAfile", "cert.pem", "-verify_return_error", "-verify_ip", "127.0.0.1"];
  const to = ["-connect", `127.0.0.1:${port}`];
  return new Program("openssl", ["s_client", "-quiet", ...to, ...checks], dir);
}

labTest("curl gets 5 MB from a web server through our relay", async () => {
  await inTempDir(async (dir) => {
    await Deno.writeFile(`${dir}/data`, DATA);
    await using web = new Program("python3", [
      "-u",
      "-m",
      "http.server",
      "--bind",
      "127.0.0.1",
      "0",
    ], dir);
    await using relay = await relayTo(["127.0.0.1", await portOf(web.stdout, / port (\d+)/)]);
    const url = `http://127.0.0.1:${relay.localAddr.port}/data`;
    // Twice over one connection: the relay must not end with the first answer.
    await using curl = new Program("curl", ["-sS", "--fail", "--http1.1", url, url]);
    const got = await curl.stdout.rest();
    assertEquals(await curl.stderr.text(), "");
    assertEquals(sha256(got.subarray(0, DATA.length)), HASH);
    assertEquals(sha256(got.subarray(DATA.length)), HASH);
  });
});

labTest(
  "curl gets 5 MB of a service that is no web server through a tunnel of http_tunnel",
  async () => {
    await inTempDir(async (dir) => {
      await Deno.writeFile(`${dir}/data`, DATA);
      await using sender = python(FILE_SENDER, `${dir}/data`);
      const port = await portOf(sender.stdout, /^port (\d+)/);
      const example = new URL("../../examples/http_tunnel.ts", import.meta.url).href;
      await using tunnel = new Program(Deno.execPath(), [
        "run",
        "--quiet",
        "--allow-net",
        example,
        "--listen",
        "127.0.0.1:0",
        `file=127.0.0.1:${port}`,
      ]);
      const at = await portOf(tunnel.stdout, /^Listening on 127\.0\.0\.1:(\d+)/);
      await using curl = new Program("curl", [
        "-sS",
        "--fail",
        `http://127.0.0.1:${at}/tunnel/file`,
      ]);
      assertEquals(sha256(await curl.stdout.rest()), HASH);
      assertEquals(await curl.stderr.text(), "");
      await using lost = new Program("curl", [
        "-sS",
        "--fail",
        `http://127.0.0.1:${at}/tunnel/none`,
      ]);
      assertMatch(await lost.stderr.text(), /404/);
    });
  },
);

labTest("TLS between openssl's client and server goes through our relay, both ways", async () => {
  await inTempDir(async (dir) => {
    await certificate(dir);
    // Answers each line with that line reversed.
    await using server = tlsServer(dir, "-rev");
    await using relay = await relayTo(["127.0.0.1", await portOf(server.stdout, ACCEPT)]);
    await using client = tlsClient(dir, relay.localAddr.port);
    for (let i = 0; i < 500; i++) {
      const line = `${i} ${"abcdefghijklmnopqrstuvwxyz".repeat(30)}`;
      await client.write(`${line}\n`);
      const [answer] = await client.stdout.line(/.+/);
      assertEquals(answer, [...line].reverse().join(""));
    }
  });
});

labTest("5 MB inside TLS come through our relay with the same hash", async () => {
  await inTempDir(async (dir) => {
    await certificate(dir);
    await Deno.writeFile(`${dir}/data`, DATA);
    await using server = tlsServer(dir, "-WWW");
    await using relay = await relayTo(["127.0.0.1", await portOf(server.stdout, ACCEPT)]);
    await using client = tlsClient(dir, relay.localAddr.port);
    await client.write("GET /data HTTP/1.0\r\n\r\n");
    const got = await client.stdout.rest();
    assertEquals(sha256(got.subarray(-DATA.length)), HASH);
    assertEquals((await client.ended()).code, 0);
  });
});
