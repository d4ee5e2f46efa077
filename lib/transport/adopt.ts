/**
 * Sockets that somebody else has opened. Each is looked at before it is owned: one that is closed, or
 * that somebody reads from, is refused and left as it is.
 *
 * What cannot be seen is a read of a caller's own that waits on a Deno connection or UDP socket: Deno
 * tells nobody of it. Such a read gets what comes first.
 *
 * @module
 */
import type { Socket } from "node:net";
import { PipeStateError } from "../errors.ts";
import { formatAddr } from "../net/address.ts";
import { show } from "../net/show.ts";
import { isAbstract } from "../net/unix_path.ts";
import type { NetConf } from "../pipe/conf.ts";
import type { NetAddr } from "../pipe/types.ts";
import type { OpenSocket, StreamPair } from "../pipe/pipe_options.ts";
import type { TlsInfo } from "../pipe/tls_info.ts";
import { denoAddr } from "./addr.ts";
import { ConnTransport } from "./deno_conn.ts";
import { ListenerAcceptor } from "./deno_listener.ts";
import type { Acceptor, Transport } from "./transport.ts";
import { checkAccess, SocketFile } from "./unix_file.ts";

/** Turns of the microtask queue after which a call on something closed has failed. */
const SOON = 10;

/** How Deno's calls fail on what is closed, and on what is in use. */
const CLOSED: readonly string[] = ["BadResource", "NotConnected", "Interrupted"];
const IN_USE = "Busy";

/**
 * Makes a transport or an acceptor of an open socket.
 *
 * @param sock The socket, owned by the result from here on.
 * @param conf Options of the connections that a listener accepts, and the groups of a datagram socket;
 * an open connection stays as it is.
 * @param to The peer that a datagram socket is to have.
 * @throws {TypeError} If it is none of these, or has an address of another kind; it is the caller's.
 * @throws {PipeStateError} If it is closed or in use; it is the caller's.
 * @throws {TransportError} If a group cannot be joined; it was owned then.
 */
export async function adoptSocket(
  sock: OpenSocket,
  conf: Readonly<NetConf>,
  to?: NetAddr,
): Promise<Transport | Acceptor> {
  if ("receive" in sock) {
    await checkDatagram(sock, to);
    return await (await import("./deno_udp.ts")).adoptDatagram(sock, to, conf);
  }
  if ("accept" in sock) return await adoptListener(sock, conf);
  if ("resetAndDestroy" in sock) {
    const { SocketTransport } = await import("./node_conn.ts");
    return new SocketTransport(preparedSocket(sock), "", await tlsOf(sock));
  }
  if ("read" in sock) {
    const transport = new ConnTransport(sock);
    checkUnlocked(sock);
    // Writing nothing does nothing, unless it is closed.
    await checkOpen(sock.write(new Uint8Array()));
    return transport;
  }
  if ("readable" in sock) {
    await checkPair(sock);
    return new (await import("./web_streams.ts")).StreamsTransport(sock);
  }
  throw new TypeError(`sock: must be an open socket, got ${show(sock)}`);
}

function refuse(why: string, cause?: unknown): never {
  throw new PipeStateError(`Cannot adopt sock: ${why}`, cause === undefined ? {} : { cause });
}

/** Throws if a call, which does nothing by itself, says that the socket is closed or in use. */
async function checkOpen(call: Promise<unknown>): Promise<void> {
  let failure: unknown;
  call.catch((error: unknown) => failure = error);
  for (let turn = 0; turn < SOON; turn++) await undefined;
  const name = failure instanceof Error ? failure.name : "";
  if (CLOSED.includes(name)) refuse("it is closed", failure);
  if (name === IN_USE) refuse("it is in use: a call on it waits", failure);
}

async function adoptListener(
  listener: Deno.Listener,
  conf: Readonly<NetConf>,
): Promise<Acceptor> {
  const { path } = denoAddr(listener.addr);
  const file = path === undefined ? undefined : SocketFile.at(path);
  // One accept at a time is all that a listener can do, so this one is the acceptor's first.
  const accepting = listener.accept();
  await checkOpen(accepting);
  return new ListenerAcceptor(listener, conf, { accepting, file });
}

async function checkDatagram(conn: Deno.DatagramConn, to: NetAddr | undefined): Promise<void> {
  const { addr } = conn, local = denoAddr(addr);
  if (to !== undefined && (to.path === undefined) !== (local.path === undefined)) {
    const [there, here] = [formatAddr(to), formatAddr(local)];
    throw new TypeError(
      `dest: ${there} cannot go with a sock at ${here}: one of them is a Unix socket`,
    );
  }
  if (addr.transport === "unixpacket") {
    const nobody = addr.path === null ? undefined : nobodyNear(addr.path);
    if (nobody === undefined) return;
    const sent = conn.send(new Uint8Array(), nobody);
    await checkOpen(sent);
    await sent.catch(() => {}); // nothing else can be done with it before
  } else {
    // No multicast address: an open socket refuses it.
    await checkOpen(conn.joinMulticastV4("0.0.0.0", "0.0.0.0"));
  }
}

/** An address that nobody can have, of which the process may know. */
function nobodyNear(path: string): Deno.UnixAddr | undefined {
  const nobody = isAbstract(path) ? `\0${crypto.randomUUID()}` : `${path}/nobody`;
  try {
    checkAccess(nobody);
  } catch {
    return undefined;
  }
  return { transport: "unixpacket", path: nobody };
}

function checkUnlocked({ readable, writable }: StreamPair): void {
  if (readable.locked) refuse("its readable is locked: somebody reads from it");
  if (writable.locked) refuse("its writable is locked: somebody writes to it");
}

/** Checks a socket of node:net and makes it what a transport needs. */
function preparedSocket(socket: Socket): Socket {
  if (socket.destroyed) refuse("it is closed", socket.errored ?? undefined);
  if (socket.pending) refuse("it is not connected yet");
  if (socket.readyState !== "open") refuse("it has been ended, on one side at least");
  if (socket.listenerCount("data") + socket.listenerCount("readable") > 0) {
    refuse('it is in use: it has listeners for "data" or "readable"');
  }
  if (socket.readableEncoding !== null) {
    refuse("it has an encoding, and what it reads is no bytes any more");
  }
  socket.pause();
  // Its half of the connection is the transport's to end.
  socket.allowHalfOpen = true;
  return socket;
}

/** What a socket of node:tls has agreed on. */
async function tlsOf(socket: Socket): Promise<TlsInfo | undefined> {
  if (!("encrypted" in socket)) return undefined;
  const [{ TLSSocket }, { infoOf }] = await Promise.all([
    import("node:tls"),
    import("./tls_conn.ts"),
  ]);
  if (!(socket instanceof TLSSocket)) return undefined;
  const name: unknown = Reflect.get(socket, "servername");
  return infoOf(socket, typeof name === "string" ? name : undefined, socket.authorized);
}

async function checkPair(pair: StreamPair): Promise<void> {
  checkUnlocked(pair);
  const reader = pair.readable.getReader(), writer = pair.writable.getWriter();
  const input = stateOf(reader.closed), output = stateOf(writer.closed);
  for (let turn = 0; turn < SOON; turn++) await undefined;
  const failed = output.is === "failed" || writer.desiredSize === null;
  reader.releaseLock();
  writer.releaseLock();
  if (input.is === "failed") refuse("its readable has failed", input.error);
  if (failed) refuse("its writable has failed", output.error);
  // An input that has ended is that of a peer who still listens.
  if (output.is === "closed") refuse("its writable is closed");
}

interface State {
  is: "open" | "closed" | "failed";
  error?: unknown;
}

/** What a promise has come to; changes as it settles. */
function stateOf(promise: Promise<unknown>): State {
  const state: State = { is: "open" };
  promise.then(() => state.is = "closed", (error) => {
    state.is = "failed";
    state.error = error;
  });
  return state;
}
