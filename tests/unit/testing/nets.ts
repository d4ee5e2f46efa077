/** The same test on a network in memory and on real sockets with one faulty end. */
import { type Pipe, pipeOpen, type PipeOptions, TCP, UDP } from "@p2pd/pipes";
import {
  type FaultOptions,
  type FaultyNetwork,
  faultyNetwork,
  memoryNetwork,
} from "@p2pd/pipes/testing";

/** A client whose path to a server has faults. */
export interface Net {
  readonly name: string;
  readonly net: FaultyNetwork;
  /** Opens a server; the faults are not its own. */
  readonly serve: typeof pipeOpen;
}

/** Runs a test on either network. */
export function onEachNet(
  name: string,
  options: FaultOptions,
  test: (net: Net) => Promise<void>,
): void {
  Deno.test(`${name}, in memory`, async () => {
    const net = memoryNetwork(options);
    await test({ name: "memory", net, serve: net.pipeOpen });
  });
  Deno.test(`${name}, on real sockets`, async () => {
    await test({ name: "real", net: faultyNetwork(options), serve: pipeOpen });
  });
}

/** Both ends of a conversation. */
export interface Ends extends AsyncDisposable {
  readonly client: Pipe;
  /** What the server has of it: the accepted connection, or its one socket. */
  readonly peer: Pipe;
}

/** A UDP server and a client, which has said hello (so that the server can answer). */
export async function udpEnds({ net, serve }: Net, options: PipeOptions = {}): Promise<Ends> {
  const peer = await serve(UDP, { route: "127.0.0.1:0" });
  const client = await net.pipeOpen(UDP, { dest: peer.localAddr, ...options });
  return { client, peer, [Symbol.asyncDispose]: () => closeAll(client, peer) };
}

/** A TCP connection with both ends. */
export async function tcpEnds({ net, serve }: Net, options: PipeOptions = {}): Promise<Ends> {
  const server = await serve(TCP, { route: "127.0.0.1:0" });
  const [client, peer] = await Promise.all([
    net.pipeOpen(TCP, { dest: server.localAddr, ...options }),
    server.accept({ timeout: 5000 }),
  ]);
  if (peer === null) throw new Error("nobody was accepted");
  return {
    client,
    peer,
    async [Symbol.asyncDispose]() {
      client.abort();
      peer.abort();
      await closeAll(client, peer, server);
    },
  };
}

async function closeAll(...pipes: readonly Pipe[]): Promise<void> {
  await Promise.all(pipes.map((pipe) => pipe.close()));
}

/** The first byte of the next `count` messages. */
export async function recvNumbers(pipe: Pipe, count: number): Promise<number[]> {
  const got: number[] = [];
  while (got.length < count) got.push((await pipe.recv())?.[0] ?? NaN);
  return got;
}

/** Receives bytes until there are so many, or the end. */
export async function recvBytes(pipe: Pipe, size: number): Promise<number> {
  let got = 0;
  while (got < size) {
    const data = await pipe.recv(undefined, { timeout: 10_000 });
    if (data === null) break;
    got += data.length;
  }
  return got;
}

/** Milliseconds that it takes. */
export async function timed(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await act();
  return performance.now() - start;
}
