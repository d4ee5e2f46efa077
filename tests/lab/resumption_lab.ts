/** Sessions that a TLS client takes up again, with openssl: what a server then knows of the client. */
import { assertEquals } from "@std/assert";
import { type Pipe, pipeOpen, type ServerPipe, TCP, type TlsConf } from "@p2pd/pipes";
import { authority } from "../helpers/certificates.ts";
import { until } from "./_helpers.ts";
import { sClient, tlsTest } from "./_tls.ts";

interface Server {
  readonly server: ServerPipe;
  readonly pipes: Pipe[];
}

async function serve(useSsl: TlsConf): Promise<Server> {
  const pipes: Pipe[] = [];
  const server = await pipeOpen(TCP, {
    route: "127.0.0.1:0",
    upCb: (_msg, _from, pipe) => void pipes.push(pipe),
    msgCb: (msg, _from, pipe) => pipe.send(msg),
    conf: { useSsl, onError: () => {} },
  });
  return { server, pipes };
}

for (const version of ["-tls1_2", "-tls1_3"]) {
  tlsTest(`a resumed session proves no more than its own server has seen, ${version}`, async ({
    dir,
    server: own,
    caCerts,
  }) => {
    const other = await authority("Other CA");
    const mine = await serve({ ...own, clientAuth: "require", caCerts });
    const theirs = await serve({ ...own, clientAuth: "require", caCerts: [other.cert] });
    const asking = await serve({ ...own, clientAuth: "request", caCerts: [other.cert] });
    await using _a = mine.server;
    await using _b = theirs.server;
    await using _c = asking.server;
    const session = `${dir}/session`;
    const known = ["-cert", "client_cert.pem", "-key", "client_key.pem"];
    const talk = async ({ server }: Server, ...more: string[]) => {
      await using client = sClient(dir, server.localAddr.port, version, ...more);
      await client.write("hello\n");
      await client.stdout.line(/hello$/); // behind what it tells of the session, on the same line
      await client.endInput();
      await client.ended();
    };

    // Where it was made, it is as good as the handshake it comes from.
    await talk(mine, ...known, "-sess_out", session);
    await talk(mine, "-sess_in", session);
    assertEquals(mine.pipes.map(({ tls }) => tls?.authorized), [true, true]);

    // Where its certificate was never looked at, it is not.
    await talk(asking, "-sess_in", session);
    assertEquals(asking.pipes[0]?.tls?.authorized, false);
    {
      await using client = sClient(dir, theirs.server.localAddr.port, version, "-sess_in", session);
      await until(() => theirs.server.stats.tlsFailed === 1, "the refusal");
      await client.ended();
    }
    assertEquals(theirs.pipes.length, 0);
  });
}
