/** TLS with openssl, curl, ncat and Python, which know nothing of us, in both roles. */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { getAvailablePort } from "@std/net";
import {
  type Pipe,
  PipeClosedError,
  pipeOpen,
  PipeOpenError,
  type ServerPipe,
  TCP,
  type TlsConf,
} from "@p2pd/pipes";
import { noise, portOf, Program, recvAll, recvBytes, sha256, until } from "./_helpers.ts";
import { decode, sClient, tlsTest } from "./_tls.ts";

const DATA = noise(5_000_000);
const HASH = sha256(DATA);
const ACCEPT = /^ACCEPT .*:(\d+)/;
const VERSIONS = [["-tls1_2", "TLSv1.2"], ["-tls1_3", "TLSv1.3"]] as const;

/** Answers with what it got, and keeps the pipes of its clients. */
async function echoServer(
  tls: TlsConf,
): Promise<{ server: ServerPipe; pipes: Pipe[]; errors: unknown[] }> {
  const pipes: Pipe[] = [], errors: unknown[] = [];
  const server = await pipeOpen(TCP, {
    route: "127.0.0.1:0",
    upCb: (_msg, _from, pipe) => void pipes.push(pipe),
    msgCb: (msg, _from, pipe) => pipe.send(msg),
    conf: { useSsl: tls, onError: (error) => void errors.push(error) },
  });
  return { server, pipes, errors };
}

function connect(port: number, useSsl: TlsConf): Promise<Pipe> {
  return pipeOpen(TCP, { dest: ["127.0.0.1", port], conf: { useSsl, recvTimeout: 10_000 } });
}

function sServer(dir: string, ...more: readonly string[]): Program {
  const own = ["-cert", "cert.pem", "-key", "key.pem"];
  return new Program("openssl", ["s_server", "-accept", "127.0.0.1:0", ...own, ...more], dir);
}

for (const [flag, version] of VERSIONS) {
  tlsTest(`openssl s_client, ${version}: our server, its certificate, ALPN and name`, async ({
    dir,
    server: own,
  }) => {
    const { server, pipes } = await echoServer({ ...own, alpnProtocols: ["lab/1"] });
    await using _closed = server;
    await using client = sClient(dir, server.localAddr.port, flag, "-alpn", "x,lab/1", "-brief");
    const [, agreed] = await client.stderr.line(/^Protocol version: (.*)/);
    assertEquals(agreed, version);
    await client.write("to be echoed\n");
    await client.stdout.line(/^to be echoed$/);
    const { tls } = pipes[0] ?? {};
    assertEquals([tls?.protocol, tls?.alpnProtocol, tls?.serverName], [
      version,
      "lab/1",
      "localhost",
    ]);
    await client.endInput(); // it says goodbye, as TLS wants it
    assertEquals((await client.ended()).code, 0);
    assertEquals(await pipes[0]?.closed, { by: "remote" });
  });

  tlsTest(`openssl s_client, ${version}: our server asks for its certificate`, async ({
    dir,
    server: own,
    caCerts,
  }) => {
    const { server, pipes, errors } = await echoServer({ ...own, clientAuth: "require", caCerts });
    await using _closed = server;
    {
      const known = ["-cert", "client_cert.pem", "-key", "client_key.pem"];
      await using client = sClient(dir, server.localAddr.port, flag, "-quiet", ...known);
      await client.write("hello\n");
      await client.stdout.line(/^hello$/);
      const { tls } = pipes[0] ?? {};
      assertEquals([tls?.protocol, tls?.authorized], [version, true]);
      assertEquals(tls?.peerCertificate?.subject, "CN=client");
    }
    await using unknown = sClient(dir, server.localAddr.port, flag, "-quiet");
    assertMatch(await unknown.stderr.text(), /alert/);
    await until(() => server.stats.tlsFailed === 1, "the refusal");
    assertEquals([pipes.length, errors.length], [1, 1]);
  });

  tlsTest(`openssl s_server, ${version}: our client verifies it, and agrees on ALPN`, async ({
    dir,
    caCerts,
  }) => {
    await using server = sServer(dir, flag, "-rev", "-alpn", "lab/1");
    const port = await portOf(server.stdout, ACCEPT);
    const refused = await assertRejects(() => connect(port, {}), PipeOpenError);
    assertEquals(refused.phase, "tls");
    await using client = await connect(port, { caCerts, alpnProtocols: ["x", "lab/1"] });
    const { tls } = client;
    assertEquals([tls?.protocol, tls?.alpnProtocol], [version, "lab/1"]);
    assertEquals(tls?.peerCertificate?.subject, "CN=localhost");
    await client.send("forwards\n");
    assertEquals(decode(await recvBytes(client, 9)), "sdrawrof\n");
  });

  tlsTest(`openssl s_server, ${version}: asks our client for its certificate`, async ({
    dir,
    caCerts,
    client: own,
  }) => {
    const asks = ["-Verify", "1", "-verify_return_error", "-CAfile", "ca.pem"];
    await using server = sServer(dir, flag, "-rev", ...asks);
    const port = await portOf(server.stdout, ACCEPT);
    const unknown = async () => {
      await using client = await connect(port, { caCerts });
      await client.send("who is it?\n");
      await client.recv();
    };
    const error = await assertRejects(unknown);
    const known = error instanceof PipeOpenError ? error.phase === "tls" : undefined;
    assertEquals(known ?? error instanceof PipeClosedError, true, `${error}`);
    await using client = await connect(port, { caCerts, ...own });
    assertEquals(client.tls?.protocol, version);
    await client.send("it is me\n");
    assertEquals(decode(await recvBytes(client, 9)), "em si ti\n");
  });

  tlsTest(`openssl s_server, ${version}: 5 MB, to the end`, async ({ dir, caCerts }) => {
    await Deno.writeFile(`${dir}/data`, DATA);
    await using server = sServer(dir, flag, "-WWW");
    await using client = await connect(await portOf(server.stdout, ACCEPT), { caCerts });
    await client.send("GET /data HTTP/1.0\r\n\r\n");
    const got = await recvAll(client);
    assertEquals(sha256(got.subarray(-DATA.length)), HASH);
  });

  tlsTest(`curl, ${version}: 5 MB of our server, and not without --cacert`, async ({
    dir,
    server: own,
  }) => {
    const head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    const errors: unknown[] = [];
    await using server = await pipeOpen(TCP, {
      route: "127.0.0.1:0",
      // No length: that it was all, curl knows by the end of TLS alone.
      msgCb: async (_msg, _from, pipe) => {
        await pipe.send(head);
        await pipe.send(DATA);
        await pipe.close();
      },
      conf: { useSsl: own, onError: (error) => void errors.push(error) },
    });
    const max = version.replace("TLSv", "");
    const args = ["-sS", "--fail", "--http1.1", "--tls-max", max, `--tlsv${max}`];
    const url = `https://localhost:${server.localAddr.port}/`;
    await using curl = new Program("curl", [...args, "--cacert", "ca.pem", "-4", url], dir);
    assertEquals(sha256(await curl.stdout.rest()), HASH);
    assertEquals(await curl.stderr.text(), "");
    assertEquals((await curl.ended()).code, 0);
    assertEquals(errors, []);
    await using distrusts = new Program("curl", [...args, "-4", url], dir);
    assertMatch(await distrusts.stderr.text(), /certificate/);
    assertEquals((await distrusts.ended()).code, 60);
    await until(() => server.stats.tlsFailed === 1, "curl's refusal");
  });
}

tlsTest("ncat --ssl: a client of our server", async ({ dir, server: own }) => {
  const { server, pipes } = await echoServer(own);
  await using _closed = server;
  const trust = ["--ssl", "--ssl-verify", "--ssl-trustfile", "ca.pem"];
  await using client = new Program(
    "ncat",
    [...trust, "-4", "localhost", `${server.localAddr.port}`],
    dir,
  );
  await client.write("to be echoed\n");
  await client.stdout.line(/^to be echoed$/);
  assertMatch(pipes[0]?.tls?.protocol ?? "", /^TLSv1\.[23]$/);
});

tlsTest("ncat --ssl: a server of our client", async ({ dir, caCerts }) => {
  const port = getAvailablePort();
  const own = ["--ssl", "--ssl-cert", "cert.pem", "--ssl-key", "key.pem"];
  await using server = new Program("ncat", ["-v", "-l", "-4", "127.0.0.1", `${port}`, ...own], dir);
  await server.stderr.line(/Listening on /);
  await using client = await connect(port, { caCerts });
  await client.send("from us\n");
  await server.stdout.line(/^from us$/);
  await server.write("from ncat\n");
  assertEquals(decode(await recvBytes(client, 10)), "from ncat\n");
});

/** The client of our server: sends a line, prints the answer, and ends TLS in good order. */
const PYTHON_CLIENT = `
import socket, ssl, sys
context = ssl.create_default_context(cafile="ca.pem")
context.load_cert_chain("client_cert.pem", "client_key.pem")
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as plain:
    with context.wrap_socket(plain, server_hostname="localhost") as s:
        s.sendall(b"from Python")
        print(s.version(), s.recv(100).decode())
        s.unwrap()
`;

tlsTest("Python's ssl: a client of our server", async ({ dir, server: own, caCerts }) => {
  const { server, pipes } = await echoServer({ ...own, clientAuth: "request", caCerts });
  await using _closed = server;
  await using client = new Program("python3", [
    "-u",
    "-c",
    PYTHON_CLIENT,
    `${server.localAddr.port}`,
  ], dir);
  assertEquals(await client.stdout.text(), "TLSv1.3 from Python\n");
  assertEquals(await client.stderr.text(), "");
  assertEquals(pipes[0]?.tls?.peerCertificate?.subject, "CN=client");
  assertEquals(await pipes[0]?.closed, { by: "remote" });
});
