/**
 * The yardstick: what one would write by hand for speed with Deno's own API.
 *
 *     serve_raw.ts raw tcp|udp|relay SINK_PORT
 *
 * @module
 */
import { announce } from "./protocol.ts";

const HOST = "127.0.0.1";

/** Writes what it reads to another connection, or back to the same. */
async function copy(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (let n: number | null; (n = await from.read(buffer)) !== null;) {
    for (let done = 0; done < n;) done += await to.write(buffer.subarray(done, n));
  }
}

function listen(serve: (conn: Deno.TcpConn) => Promise<void>): number {
  const listener = Deno.listen({ hostname: HOST, port: 0 });
  (async () => {
    for await (const conn of listener) {
      conn.setNoDelay(true);
      serve(conn);
    }
  })();
  return listener.addr.port;
}

async function echo(conn: Deno.TcpConn): Promise<void> {
  await copy(conn, conn);
  conn.close();
}

async function relay(conn: Deno.TcpConn, port: number): Promise<void> {
  const target = await Deno.connect({ hostname: HOST, port });
  target.setNoDelay(true);
  await Promise.all([
    copy(conn, target).then(() => target.closeWrite()),
    copy(target, conn).then(() => conn.closeWrite()),
  ]);
  conn.close();
  target.close();
}

function echoDatagrams(): number {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: HOST, port: 0 });
  const buffer = new Uint8Array(65535);
  (async () => {
    for (;;) {
      const [data, from] = await socket.receive(buffer);
      await socket.send(data, from);
    }
  })();
  if (socket.addr.transport !== "udp") throw new TypeError("a UDP socket has a UDP address");
  return socket.addr.port;
}

const [, kind, sink] = Deno.args;
if (kind === "tcp") await announce(listen(echo));
else if (kind === "udp") await announce(echoDatagrams());
else await announce(listen((conn) => relay(conn, Number(sink))));
