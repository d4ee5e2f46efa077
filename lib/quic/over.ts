/**
 * Further pipes on a connection that is open.
 *
 * @module
 */
import { PipeStateError } from "../errors.ts";
import type { Transport } from "../transport/transport.ts";
import type { Connection, Rider } from "./connection.ts";
import { DatagramsTransport } from "./datagrams.ts";
import { register } from "./registry.ts";
import { StreamTransport } from "./stream.ts";

/** Which connections have a transport for their datagrams. */
const datagrams = new WeakMap<Connection, DatagramsTransport>();

/** Streams that Deno opened for somebody who did not wait for them. */
const openings = new WeakMap<Connection, Promise<Deno.QuicBidirectionalStream>>();

/** A stream of a connection as a transport that others can be opened over. */
export function streamOver(raw: Deno.QuicBidirectionalStream, connection: Connection): Transport {
  register(raw, connection);
  return new StreamTransport(raw, connection);
}

/**
 * Opens a stream, waiting as long as the peer allows no more of them.
 *
 * @param signal Gives up; its reason comes out.
 * @throws {PipeStateError} When the connection is closed.
 */
export async function openStream(connection: Connection, signal: AbortSignal): Promise<Transport> {
  const { raw } = connection;
  if (connection.failure !== undefined || raw === undefined) throw closed();
  if (connection.side === "server") {
    throw new PipeStateError("over: the side that was connected to cannot open streams");
  }
  // Who waits for a stream has a use for the connection.
  const waiting: Rider = { lost: () => {} };
  connection.mount(waiting);
  try {
    return await nextStream(raw, connection, signal);
  } finally {
    void connection.leave(waiting);
  }
}

async function nextStream(
  raw: Deno.QuicConn,
  connection: Connection,
  signal: AbortSignal,
): Promise<Transport> {
  while (true) {
    signal.throwIfAborted();
    // Deno cannot be told to forget it: who comes next gets what nobody waits for any more.
    const opening = openings.get(connection) ??
      raw.createBidirectionalStream({ waitUntilAvailable: true });
    openings.set(connection, opening);
    const { promise, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const stream = await Promise.race([opening, promise]);
      // Somebody else may have waited for the same one.
      if (openings.get(connection) !== opening) continue;
      openings.delete(connection);
      return streamOver(stream, connection);
    } catch (error) {
      if (connection.failure !== undefined) throw closed();
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}

/**
 * The datagrams of a connection.
 *
 * @throws {PipeStateError} When the connection is closed, or somebody has them.
 */
export function openDatagrams(connection: Connection): Transport {
  const { raw } = connection;
  if (connection.failure !== undefined || raw === undefined) throw closed();
  if (datagrams.has(connection)) {
    throw new PipeStateError("over: there is a pipe for this connection's datagrams already");
  }
  const transport = new DatagramsTransport(connection, () => datagrams.delete(connection));
  datagrams.set(connection, transport);
  register(raw, connection);
  return transport;
}

function closed(): PipeStateError {
  return new PipeStateError("over: its connection is closed");
}
