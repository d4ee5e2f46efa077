/**
 * A QUIC echo server and a client: streams, and datagrams beside them, on one connection.
 *
 *     deno run --unstable-net --allow-net quic_echo.ts
 *
 * With certificates made on the spot; `tls_echo.ts` shows how to use your own.
 *
 * @module
 */
import { formatAddr, type Pipe, pipeOpen, QUIC, UDP } from "@p2pd/pipes";
import { authority } from "../tests/helpers/certificates.ts";

const USAGE = "Usage: deno run --unstable-net --allow-net quic_echo.ts";

async function demo(): Promise<void> {
  const own = await authority("An authority of our own");
  await using server = await pipeOpen(QUIC, {
    route: "127.0.0.1:0",
    // Each stream is a pipe. The server sees one when something is sent on it.
    msgCb: (msg, _from, pipe) => pipe.send(msg),
    // The connection's datagrams, which arrive or do not.
    upCb: (_msg, _from, pipe) => echoDatagrams(pipe),
    // QUIC is always encrypted, so the server must have a certificate.
    conf: { useSsl: await own.issue({ names: ["localhost"] }) },
  });
  console.log(`Listening on ${formatAddr(server.localAddr)}, QUIC`);

  await using client = await pipeOpen(QUIC, {
    dest: ["localhost", server.localAddr.port],
    conf: { useSsl: { caCerts: [own.cert] } },
  });
  console.log(`Connected with ${client.tls?.protocol}, for "${client.tls?.alpnProtocol}"`);
  console.log(`stream: sent "hello", got "${await ask(client, "hello")}"`);

  // Another stream of the same connection, without another handshake: neither waits for the other.
  await using second = await pipeOpen(QUIC, { over: client });
  console.log(`second stream: sent "me, too", got "${await ask(second, "me, too")}"`);

  await using datagrams = await pipeOpen(UDP, { over: client });
  console.log(`datagram: sent "ping", got "${await ask(datagrams, "ping")}"`);
}

/** What comes back; a datagram is sent again where it was lost. */
async function ask(pipe: Pipe, text: string): Promise<string> {
  const [reply] = await pipe.request(text);
  return new TextDecoder().decode(reply);
}

/** Once for each connection: its first stream is as good as any other. */
async function echoDatagrams(stream: Pipe): Promise<void> {
  if (served.has(formatAddr(stream.remoteAddr ?? stream.localAddr))) return;
  served.add(formatAddr(stream.remoteAddr ?? stream.localAddr));
  await pipeOpen(UDP, { over: stream, msgCb: (msg, from, pipe) => pipe.send(msg, from) });
}

const served = new Set<string>();

if (Deno.args.length > 0) {
  console.error(USAGE);
  Deno.exit(2);
}
try {
  await demo();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
