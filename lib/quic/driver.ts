/**
 * QUIC by Deno's own API: a client is the first stream of a connection of its own.
 *
 * @module
 */
import { parseIp } from "../net/ip.ts";
import { unspecifiedFor } from "../transport/datagram.ts";
import { translate } from "../transport/error.ts";
import type { Acceptor, Driver, DriverOptions, Transport } from "../transport/transport.ts";
import type { NetAddr } from "../pipe/types.ts";
import { QuicAcceptor } from "./acceptor.ts";
import { Connection } from "./connection.ts";
import { clientEndpoint, type Endpoint, endpointAt } from "./endpoint.ts";
import { CloseCode, connectError } from "./errors.ts";
import { openStream } from "./over.ts";
import { clientTls } from "./tls.ts";
import { transportOptions } from "./transport_options.ts";

async function connect(
  to: NetAddr,
  from: NetAddr | undefined,
  options: DriverOptions,
): Promise<Transport> {
  const { signal } = options;
  signal.throwIfAborted();
  const endpoint = await clientEndpoint(from ?? unspecifiedFor(to), signal);
  const connection = await connectFrom(endpoint, to, options);
  try {
    return await openStream(connection, signal);
  } catch (error) {
    connection.shut(CloseCode.aborted);
    await connection.over;
    throw error;
  }
}

/** Connects; the endpoint is the connection's, or given back. */
async function connectFrom(
  endpoint: Endpoint,
  to: NetAddr,
  { conf, signal, name }: DriverOptions,
): Promise<Connection> {
  const tls = clientTls(conf.useSsl, name ?? to.hostname);
  let connecting: Promise<Deno.QuicConn> | undefined;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    signal.throwIfAborted();
    connecting = endpoint.connect({
      ...transportOptions(conf, "client"),
      ...tls,
      hostname: to.hostname,
      port: to.port,
    });
    const conn = await Promise.race([connecting, aborted]);
    return new Connection({ conn, endpoint, side: "client", serverName: sniOf(tls), to });
  } catch (error) {
    await endAttempt(endpoint, connecting, signal.aborted);
    signal.throwIfAborted();
    throw connectError(error);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** What the client has told the server: an address is no name (RFC 6066, section 3). */
function sniOf({ serverName }: { readonly serverName: string }): string | undefined {
  return parseIp(serverName) === undefined ? serverName : undefined;
}

/** Only the end of its endpoint ends an attempt, if nobody else uses that. */
async function endAttempt(
  endpoint: Endpoint,
  connecting: Promise<Deno.QuicConn> | undefined,
  pending: boolean,
): Promise<void> {
  const ended = connecting?.then(async (conn) => {
    conn.close({ closeCode: CloseCode.aborted, reason: "" });
    await conn.closed.catch(() => {});
  }, () => {});
  const { shared } = endpoint;
  await endpoint.release(pending);
  if (!shared) await ended;
}

async function listen(at: NetAddr, { conf, signal }: DriverOptions): Promise<Acceptor> {
  signal.throwIfAborted();
  const endpoint = await endpointAt(at, signal);
  try {
    return new QuicAcceptor(endpoint, conf);
  } catch (error) {
    await endpoint.release(true);
    throw translate(error);
  }
}

/** QUIC (RFC 9000) with TLS 1.3 (RFC 9001). */
export const quicDriver: Driver = { name: "Deno QUIC", connect, listen };
