/**
 * What the tests of TLS share: who trusts whom, the two ends of a connection, and somebody in between.
 *
 * @module
 */
import {
  type MsgCb,
  type NetAddr,
  type Pipe,
  PipeError,
  pipeOpen,
  type PipeOptions,
  type ServerPipe,
  TCP,
  type TlsConf,
} from "@p2pd/pipes";
import { assertEquals, assertInstanceOf } from "@std/assert";
import { deadline } from "@std/async";
import type { Socket } from "node:net";
import { authority } from "./certificates.ts";
import { latch, recvText } from "./pipes.ts";

/** Whom both sides trust. */
export const ca = await authority("Test CA");
/** Somebody whom nobody trusts. */
export const stranger = await authority("Other CA");
/** What a server shows: for localhost and the loopback addresses. */
export const serverCert = await ca.issue({ names: ["localhost", "127.0.0.1", "::1"] });
/** What a client shows. */
export const clientCert = await ca.issue({ names: ["client"], client: true });

/** Server side of TLS. */
export function serverTls(more: TlsConf = {}): TlsConf {
  return { ...serverCert, ...more };
}

/** Client side of TLS. */
export function clientTls(more: TlsConf = {}): TlsConf {
  return { caCerts: [ca.cert], ...more };
}

type ServerOptions = Omit<PipeOptions, "dest" | "sock">;
/** One side of a connection: its TLS, and what else there is to say. */
export type Side<Options> = Options & { readonly tls?: TlsConf; readonly host?: string };

/** A message handler that answers with the message. */
export const echo: MsgCb = (msg, _from, pipe) => pipe.send(msg);

/** A TLS server that collects what it complains about. */
export async function serveTls(
  { tls, host = "127.0.0.1", ...options }: Side<ServerOptions> = {},
): Promise<ServerPipe & { readonly errors: unknown[] }> {
  const errors: unknown[] = [];
  const server = await pipeOpen(TCP, {
    route: [host, 0],
    ...options,
    conf: {
      useSsl: serverTls(tls),
      onError: (error) => void errors.push(error),
      ...options.conf,
    },
  });
  return Object.assign(server, { errors });
}

/** A TLS client of a server. */
export function connectTls(
  to: NetAddr | string,
  { tls, host: _, ...options }: Side<PipeOptions> = {},
): Promise<Pipe> {
  return pipeOpen(TCP, {
    dest: to,
    ...options,
    conf: { useSsl: clientTls(tls), ...options.conf },
  });
}

/** A server, a client, and the server's side of it. */
export interface TlsPair extends AsyncDisposable {
  readonly server: ServerPipe & { readonly errors: unknown[] };
  readonly client: Pipe;
  readonly accepted: Pipe;
}

/** Connects a client to a server, both with TLS. */
export async function tlsPair(
  serverSide: Side<ServerOptions> = {},
  clientSide: Side<PipeOptions> = {},
): Promise<TlsPair> {
  const server = await serveTls(serverSide);
  try {
    const [accepted, client] = await Promise.all([
      accept(server),
      connectTls(server.localAddr, clientSide),
    ]);
    return {
      server,
      client,
      accepted,
      async [Symbol.asyncDispose]() {
        client.abort();
        accepted.abort();
        await server.close();
      },
    };
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** The next connection of a server. */
export async function accept(server: ServerPipe): Promise<Pipe> {
  const pipe = await server.accept();
  if (pipe === null) throw new Error("the server is closed");
  return pipe;
}

/** The errors of failed handshakes that a server reported; anything else is thrown. */
export function tlsErrors(errors: readonly unknown[]): PipeError[] {
  return errors.map((error) => {
    if (error instanceof PipeError && error.phase === "tls") return error;
    throw new Error("not about TLS", { cause: error });
  });
}

/** Somebody between client and server who sees every byte, and can do harm. */
export interface Tap extends AsyncDisposable {
  /** Where the client connects to. */
  readonly addr: NetAddr;
  /** Everything that went through, either way, as Latin-1 text. */
  readonly seen: () => string;
  /** The connection to the server, once there is one. */
  readonly toServer: Promise<Pipe>;
  /** The connection to the client, once there is one. */
  readonly toClient: Promise<Pipe>;
}

/** Forwards one connection; `delay` holds each piece back so long. */
export async function tap(dest: NetAddr, delay = 0): Promise<Tap> {
  let seen = "";
  const toServer = latch<Pipe>(), toClient = latch<Pipe>();
  // With a linger it can be reset, which abort does.
  const options = { route: [dest.hostname, 0], conf: { linger: 1000 } } as const;
  const middle = await pipeOpen(TCP, options);
  const pass = async (from: Pipe, to: Pipe) => {
    try {
      for await (const [msg] of from) {
        for (const byte of msg) seen += String.fromCharCode(byte);
        if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
        await to.send(msg);
      }
      await to.closeWrite();
    } catch {
      to.abort();
    }
  };
  let onward: Pipe | undefined;
  const forwarding = (async () => {
    const client = await middle.accept();
    if (client === null) return;
    const server = onward = await pipeOpen(TCP, { dest, ...options });
    toServer.open(server);
    toClient.open(client);
    await Promise.all([pass(client, server), pass(server, client)]);
    await Promise.all([client.close(), server.close()]);
  })();
  return {
    addr: middle.localAddr,
    seen: () => seen,
    toServer: toServer.done,
    toClient: toClient.done,
    async [Symbol.asyncDispose]() {
      middle.abort();
      onward?.abort();
      await Promise.all([middle.closed, forwarding]);
    },
  };
}

/** A plain connection, seen by somebody in between. */
export async function plainPair(options: ServerOptions = {}) {
  const server = await pipeOpen(TCP, { route: "127.0.0.1:0", ...options });
  const between = await tap(server.localAddr);
  const client = await pipeOpen(TCP, { dest: between.addr, ...options });
  const accepted = await accept(server);
  return {
    server,
    client,
    accepted,
    seen: between.seen,
    async [Symbol.asyncDispose]() {
      client.abort();
      accepted.abort();
      await between[Symbol.asyncDispose]();
      await server.close();
    },
  };
}

/** Both sides start TLS, the server first: it stops reading before the client can say anything. */
export async function upgrade(client: Pipe, accepted: Pipe) {
  const serving = accepted.startTls(serverTls());
  return [await client.startTls(clientTls()), await serving] as const;
}

/** A plain connection to a TLS server. */
export function plain(server: ServerPipe): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port: server.localAddr.port });
}

/** Reads until the peer ends the connection, in whichever way, which it has to; gives what came. */
export async function drain(conn: Deno.Conn): Promise<Uint8Array> {
  const got: number[] = [];
  const buffer = new Uint8Array(4096);
  const reading = async () => {
    try {
      for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
        got.push(...buffer.subarray(0, n));
      }
    } catch (error) {
      assertInstanceOf(error, Deno.errors.ConnectionReset);
    }
  };
  await deadline(reading(), 30_000);
  return new Uint8Array(got);
}

/** The server goes on: a client gets its echo. */
export async function assertServes(server: ServerPipe): Promise<void> {
  await using client = await connectTls(server.localAddr);
  await client.send("still there?");
  assertEquals(await recvText(client, 12), "still there?");
}

/** Whether it is a TCP connection of the platform, of whichever of its APIs. */
export function isSocket(value: unknown): value is Deno.TcpConn | Socket {
  return value instanceof Object && "setNoDelay" in value;
}

/** The bytes that a PEM text holds. */
export function der(pem: string): Uint8Array {
  return Uint8Array.fromBase64(pem.replace(/-----[^-]+-----|\s/g, ""));
}

/** Resolves with a number when it has not changed for a third of a second. */
export async function standstill(read: () => number): Promise<number> {
  let last = read();
  for (let since = performance.now(); performance.now() - since < 333;) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const now = read();
    if (now !== last) since = performance.now();
    last = now;
  }
  return last;
}
