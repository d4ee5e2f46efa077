/**
 * The same servers with pipes, each the way README.md shows it, with all options at their defaults.
 *
 *     serve_pipes.ts handler|loop|recv|link tcp|udp|relay SINK_PORT
 *
 * @module
 */
import { type Pipe, pipeOpen, PipeTimeoutError, type Proto, TCP, UDP } from "@p2pd/pipes";
import { announce } from "./protocol.ts";

const route = "127.0.0.1:0";

function handler(proto: Proto): Promise<Pipe> {
  return pipeOpen(proto, { route, msgCb: (msg, from, pipe) => pipe.send(msg, from) });
}

async function loop(proto: Proto): Promise<Pipe> {
  const server = await pipeOpen(proto, { route });
  (async () => {
    for await (const [msg, from] of server) await server.send(msg, from);
  })();
  return server;
}

/** The default wait stays, since its cost belongs to the figures; a server goes on after it. */
async function patiently<T>(receive: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await receive();
    } catch (error) {
      if (!(error instanceof PipeTimeoutError)) throw error;
    }
  }
}

async function echoConnection(pipe: Pipe): Promise<void> {
  for (let msg; (msg = await patiently(() => pipe.recv())) !== null;) await pipe.send(msg);
  await pipe.close();
}

async function echoDatagrams(pipe: Pipe): Promise<void> {
  for (let got; (got = await patiently(() => pipe.recvFrom())) !== null;) await pipe.send(...got);
}

async function recv(proto: Proto): Promise<Pipe> {
  if (proto === UDP) {
    const server = await pipeOpen(UDP, { route });
    echoDatagrams(server);
    return server;
  }
  const server = await pipeOpen(TCP, { route });
  (async () => {
    for await (const pipe of server.connections()) echoConnection(pipe);
  })();
  return server;
}

function link(sink: number): Promise<Pipe> {
  return pipeOpen(TCP, {
    route,
    upCb: async (_msg, _from, client) => {
      const target = await pipeOpen(TCP, { dest: ["127.0.0.1", sink] });
      client.addPipe(target);
      target.addPipe(client);
    },
  });
}

const STYLES: Readonly<Record<string, (proto: Proto) => Promise<Pipe>>> = { handler, loop, recv };

const [style = "", kind, sink] = Deno.args;
const open = STYLES[style] ?? (() => link(Number(sink)));
const server = await open(kind === "udp" ? UDP : TCP);
await announce(server.localAddr.port);
