/**
 * What the tests with sockets that somebody else opened share.
 *
 * @module
 */
import { type Pipe, pipeOpen, TCP } from "@p2pd/pipes";
import { assertEquals } from "@std/assert";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { recvText } from "./pipes.ts";
import { echo } from "./tls.ts";

/** Where a test listens. */
export const host = { hostname: "127.0.0.1", port: 0 } as const;

/** Where a listener or a server is to be reached. */
export interface Target {
  readonly hostname: string;
  readonly port: number;
}

/** Of a listener of Deno's. */
export function target({ addr }: Deno.Listener): Target {
  if (addr.transport !== "tcp") throw new Error("no TCP listener");
  return { hostname: addr.hostname, port: addr.port };
}

/** Of a pipe. */
export function targetOf({ localAddr: { hostname, port } }: Pipe): Target {
  return { hostname, port };
}

/** An echo server of an adopted listener, as long as a test takes. */
export async function served(
  listener: Deno.Listener,
  test: (target: Target) => Promise<void>,
): Promise<void> {
  await using server = await pipeOpen(TCP, { sock: listener, msgCb: echo });
  await test(targetOf(server));
}

/** A connected socket of node:net. */
export async function dial({ hostname, port }: Target): Promise<Socket> {
  const socket = connect({ host: hostname, port });
  await once(socket, "connect");
  return socket;
}

/** Sends, gets it back, and ends the pipe's side: all that a connection is for. */
export async function assertEchoes(pipe: Pipe): Promise<void> {
  assertEquals([pipe.proto, pipe.role], [TCP, "client"]);
  await pipe.send("there");
  await pipe.send(" and back");
  assertEquals(await recvText(pipe, 14), "there and back");
  await pipe.closeWrite();
  assertEquals(await pipe.recv(), null);
}
