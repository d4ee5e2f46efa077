/** The ways to use a pipe that are compared. */
import {
  type MsgCb,
  type Pipe,
  pipeOpen,
  type PipeOptions,
  PipeTimeoutError,
  type Proto,
  TCP,
  UDP,
} from "@p2pd/pipes";

/** The default wait stays, since its cost belongs to the figures; a server goes on after it. */
async function patiently(receive: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await receive();
    } catch (error) {
      if (!(error instanceof PipeTimeoutError)) throw error;
    }
  }
}

async function receiveDatagrams(pipe: Pipe, each: MsgCb): Promise<void> {
  await patiently(async () => {
    for (let got; (got = await pipe.recvFrom()) !== null;) await each(got[0], got[1], pipe);
  });
}

async function receiveStream(pipe: Pipe, each: MsgCb): Promise<void> {
  const from = pipe.remoteAddr ?? pipe.localAddr;
  await patiently(async () => {
    for (let msg; (msg = await pipe.recv()) !== null;) await each(msg, from, pipe);
  });
  await pipe.close();
}

/** Opens a server that gives each message to a function. */
type Serve = (proto: Proto, options: PipeOptions, each: MsgCb) => Promise<Pipe>;

/** Ways to serve. */
export const SERVE: Readonly<Record<string, Serve>> = {
  handler: (proto, options, msgCb) => pipeOpen(proto, { ...options, msgCb }),
  loop: async (proto, options, each) => {
    const server = await pipeOpen(proto, options);
    (async () => {
      for await (const [msg, from] of server) await each(msg, from, server);
    })();
    return server;
  },
  recv: async (proto, options, each) => {
    if (proto === UDP) {
      const server = await pipeOpen(UDP, options);
      receiveDatagrams(server, each);
      return server;
    }
    const server = await pipeOpen(TCP, { route: options.route, conf: options.conf });
    (async () => {
      for await (const pipe of server.connections()) receiveStream(pipe, each);
    })();
    return server;
  },
};

/** Sends what one pipe receives down the other, to the end. */
type Pump = (from: Pipe, to: Pipe) => Promise<unknown>;

/** Ways to relay. */
export const PUMP: Readonly<Record<string, Pump>> = {
  link: (from, to) => {
    from.addPipe(to);
    return from.closed;
  },
  handler: (from, to) => {
    from.addMsgCb((msg) => to.send(msg));
    from.addEndCb(() => to.close());
    return from.closed;
  },
  loop: async (from, to) => {
    for await (const [msg] of from) await to.send(msg);
    await to.closeWrite();
  },
  recv: async (from, to) => {
    await patiently(async () => {
      for (let msg; (msg = await from.recv()) !== null;) await to.send(msg);
    });
    await to.closeWrite();
  },
};
