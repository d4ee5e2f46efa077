/**
 * What the tests of QUIC share.
 *
 * @module
 */
import {
  type MsgCb,
  type Pipe,
  pipeOpen,
  type PipeOptions,
  QUIC,
  type ServerPipe,
  type TlsConf,
} from "@p2pd/pipes";
import { clientTls, serverCert, serverTls } from "../../helpers/tls.ts";
import { ca } from "../../helpers/tls.ts";
import { hasDenoUdp } from "../../helpers/probes.ts";

/** QUIC needs `--unstable-net`; without it the tests are skipped visibly. */
export const ignore = !hasDenoUdp;

/** A message handler that answers with the message. */
export const echo: MsgCb = (msg, _from, pipe) => pipe.send(msg);

/** One side, and what else there is to say of its TLS. */
export type Side = PipeOptions & { readonly tls?: TlsConf; readonly host?: string };

/** A server that collects what it complains about. */
export async function serveQuic(
  { tls, host = "127.0.0.1", ...options }: Side = {},
): Promise<ServerPipe & { readonly errors: unknown[] }> {
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const conf = { useSsl: serverTls(tls), onError, ...options.conf };
  const server = await pipeOpen(QUIC, { route: [host, 0], ...options, conf });
  if (!("accept" in server)) throw new Error("a server was due");
  return Object.assign(server as ServerPipe, { errors });
}

/** A client of a server. */
export function connectQuic(server: Pipe, { tls, ...options }: Side = {}): Promise<Pipe> {
  const conf = { useSsl: clientTls(tls), ...options.conf };
  return pipeOpen(QUIC, { dest: server.localAddr, ...options, conf });
}

/** A server, a client that has sent a byte, and the server's side of it, which has read that. */
export async function quicPair(serverSide: Side = {}, clientSide: Side = {}) {
  const server = await serveQuic(serverSide);
  const client = await connectQuic(server, clientSide);
  await client.send("!");
  const accepted = await server.accept({ timeout: 5000 });
  if (accepted === null) throw new Error("the server was closed");
  await accepted.recv();
  return {
    server,
    client,
    accepted,
    async [Symbol.asyncDispose]() {
      client.abort();
      accepted.abort();
      await client.close();
      await server.close();
    },
  };
}

/** Deno's own client, as somebody else may have written it. */
export function foreignClient(
  server: Pipe,
  options: Partial<Deno.ConnectQuicOptions<false>> = {},
): Promise<Deno.QuicConn> {
  return Deno.connectQuic<false>({
    hostname: "127.0.0.1",
    port: server.localAddr.port,
    alpnProtocols: ["p2pd"],
    caCerts: [ca.cert],
    ...options,
  });
}

/** Deno's own server. */
export function foreignServer(alpnProtocols = ["p2pd"]) {
  const endpoint = new Deno.QuicEndpoint({ hostname: "127.0.0.1" });
  const listener = endpoint.listen({ ...serverCert, alpnProtocols });
  return { endpoint, listener, dest: `127.0.0.1:${endpoint.addr.port}` };
}

/** Everything that comes until the end. */
export async function bytesOf(pipe: Pipe): Promise<number> {
  let size = 0;
  for await (const [data] of pipe) size += data.length;
  return size;
}
