import type { TlsContext } from "../transport/tls.ts";
import type { PipeBase } from "./base.ts";
import { watchCard } from "./card_watch.ts";
import { giveUp } from "./open_failure.ts";
import { open, type Opened } from "./opening.ts";
import { type Plan, plan } from "./options.ts";
import { ConnPipe } from "./pipe.ts";
import type { PipeOptions } from "./pipe_options.ts";
import { PROTOS } from "./proto.ts";
import { tlsContext } from "./secure.ts";
import { ListenPipe } from "./server.ts";
import { type SocketSource, SYSTEM } from "./sockets.ts";
import type { Proto } from "./types.ts";

/**
 * What `pipeOpen` does.
 *
 * @param proto The protocol.
 * @param options What to open.
 * @param sockets Where the socket comes from.
 * @returns The pipe, or with `conf.sockOnly` the platform's object.
 */
export async function openPipe(
  proto: Proto,
  options: PipeOptions = {},
  sockets: SocketSource = SYSTEM,
): Promise<unknown> {
  const p = plan(proto, options, sockets);
  const { conf, role } = p;
  const { socket, route, tls } = await openSocket(p);
  if (conf.sockOnly) return socket.release?.() ?? socket.raw;
  const pipe = "accept" in socket
    ? new ListenPipe(socket, { proto, route, conf, tls })
    : new ConnPipe(socket, { proto, route, dest: p.dest, conf, role, lookup: sockets.lookup });
  watchCard(pipe, options.route);
  return begin(pipe, p);
}

async function openSocket(p: Plan): Promise<Opened & { readonly tls: TlsContext | undefined }> {
  const { conf: { useSsl }, role, signal } = p;
  try {
    signal?.throwIfAborted();
    // Before any socket exists: a certificate may be no good.
    const context = useSsl === false ? undefined : await tlsContext(useSsl, role);
    const tls = PROTOS[p.proto].secure ? undefined : context;
    return { ...await open(p, tls), tls };
  } catch (error) {
    throw giveUp(p, error);
  }
}

function begin<P extends PipeBase & { start(): void }>(pipe: P, p: Plan): P {
  if (p.msgCb !== undefined) pipe.addMsgCb(p.msgCb);
  if (p.upCb !== undefined) pipe.ups = [p.upCb];
  if (p.endCb !== undefined) pipe.addEndCb(p.endCb);
  pipe.start();
  return pipe;
}
