/**
 * The yardstick: what one would write by hand for speed with Deno's own API.
 *
 *     raw.ts BUFFER_SIZE kept|fresh SERVICE SINK_PORT
 *
 * @module
 */
import { announce, type Received } from "../protocol.ts";

const HOST = "127.0.0.1";

const [size, buffers, service = "", sink] = Deno.args;
/** Of a stream's buffer. Bytes. */
const SIZE = Number(size);
/** Whether each message gets memory of its own, as one must do who gives away what he read. */
const FRESH = buffers === "fresh";

let messages = 0;

/** Writes what it reads to another connection, or back to the same. */
async function copy(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(SIZE);
  for (let n: number | null; (n = await from.read(buffer)) !== null;) {
    const data = FRESH ? buffer.slice(0, n) : buffer;
    for (let done = 0; done < n;) done += await to.write(data.subarray(done, n));
  }
}

async function echo(conn: Deno.TcpConn): Promise<void> {
  await copy(conn, conn);
  conn.close();
}

async function drain(conn: Deno.TcpConn): Promise<void> {
  let buffer = new Uint8Array(SIZE);
  while (await conn.read(buffer) !== null) if (FRESH) buffer = new Uint8Array(SIZE);
  conn.close();
}

async function relay(conn: Deno.TcpConn): Promise<void> {
  const target = await Deno.connect({ hostname: HOST, port: Number(sink) });
  target.setNoDelay(true);
  await Promise.all([
    copy(conn, target).then(() => target.closeWrite()),
    copy(target, conn).then(() => conn.closeWrite()),
  ]);
  conn.close();
  target.close();
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

function datagrams(loop: (socket: Deno.DatagramConn, buffer: Uint8Array) => Promise<void>): number {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: HOST, port: 0 });
  loop(socket, new Uint8Array(65535));
  if (socket.addr.transport !== "udp") throw new TypeError("a UDP socket has a UDP address");
  return socket.addr.port;
}

const SERVICES: Readonly<Record<string, () => number>> = {
  "tcp-echo": () => listen(echo),
  sink: () => listen(drain),
  relay: () => listen(relay),
  "udp-echo": () =>
    datagrams(async (socket, buffer) => {
      for (;;) {
        const [data, from] = await socket.receive(buffer);
        await socket.send(data, from);
      }
    }),
  flood: () =>
    datagrams(async (socket, buffer) => {
      for (;;) {
        await socket.receive(buffer);
        messages++;
      }
    }),
};

const open = SERVICES[service];
if (open === undefined) throw new TypeError(`there is no service "${service}"`);
const port = open();
await announce(port, (): Received => ({ messages }));
