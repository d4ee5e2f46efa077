/**
 * The load generator: raw Deno, the same for all servers. Says where its sink for relays listens, then
 * does the jobs that come on stdin one after the other.
 *
 * @module
 */
import { type Job, linesOf, type Ready, type Result } from "./protocol.ts";

const HOST = "127.0.0.1";
const MESSAGE = new Uint8Array(64).fill(7);
const CHUNK = new Uint8Array(64 * 1024).fill(7);

const sink = Deno.listen({ hostname: HOST, port: 0 });

async function writeAll(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  for (let done = 0; done < data.length;) done += await conn.write(data.subarray(done));
}

async function connect(port: number): Promise<Deno.TcpConn> {
  const conn = await Deno.connect({ hostname: HOST, port });
  conn.setNoDelay(true);
  return conn;
}

/** Sends a message when the one before came back, until the time is up. Gives how many came back. */
async function pingPong(conn: Deno.Conn, until: number): Promise<number> {
  const buffer = new Uint8Array(MESSAGE.length);
  let count = 0;
  for (; performance.now() < until; count++) {
    await writeAll(conn, MESSAGE);
    for (let got = 0; got < MESSAGE.length;) {
      const n = await conn.read(buffer.subarray(got));
      if (n === null) throw new Error("load: the server ended a connection");
      got += n;
    }
  }
  return count;
}

async function tcp({ port, width, seconds }: Job): Promise<Result> {
  const conns = await Promise.all(Array.from({ length: width }, () => connect(port)));
  // A server that has not accepted all of them would be measured with fewer.
  await Promise.all(conns.map((conn) => pingPong(conn, performance.now() + 1)));
  const start = performance.now();
  const counts = await Promise.all(conns.map((conn) => pingPong(conn, start + seconds * 1000)));
  const elapsed = performance.now() - start;
  for (const conn of conns) conn.close();
  return { rate: counts.reduce((a, b) => a + b) / elapsed * 1000, resent: 0 };
}

async function udp({ port, width, seconds }: Job): Promise<Result> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: HOST, port: 0 });
  const to: Deno.NetAddr = { transport: "udp", hostname: HOST, port };
  const buffer = new Uint8Array(65535);
  const burst = async () => {
    for (let i = 0; i < width; i++) await socket.send(MESSAGE, to);
  };
  const start = performance.now();
  let sending = burst();
  let count = 0;
  let resent = 0;
  // Datagrams may be dropped. When all were, nothing would move any more, so send again on silence.
  let seen = 0;
  let silent = 0;
  const watch = setInterval(() => {
    silent = seen === count ? silent + 1 : 0;
    seen = count;
    if (silent === 0) return;
    if (silent > 4) throw new Error("load: the server does not answer");
    resent += width;
    sending = burst();
  }, 500);

  while (performance.now() - start < seconds * 1000) {
    const [data] = await socket.receive(buffer);
    if (data.length !== MESSAGE.length) throw new Error(`load: ${data.length} bytes came back`);
    count++;
    await socket.send(MESSAGE, to);
  }
  const elapsed = performance.now() - start;
  clearInterval(watch);
  await sending;
  socket.close();
  return { rate: count / elapsed * 1000, resent };
}

/** Counts what arrives, to the end. */
async function drain(conn: Deno.Conn): Promise<number> {
  const buffer = new Uint8Array(CHUNK.length);
  let bytes = 0;
  for (let n: number | null; (n = await conn.read(buffer)) !== null;) bytes += n;
  return bytes;
}

async function relay({ port, seconds }: Job): Promise<Result> {
  const [source, end] = await Promise.all([connect(port), sink.accept()]);
  const start = performance.now();
  const drained = drain(end);
  let sent = 0;
  for (; performance.now() - start < seconds * 1000; sent += CHUNK.length) {
    await writeAll(source, CHUNK);
  }
  await source.closeWrite();
  const bytes = await drained;
  const elapsed = performance.now() - start;
  if (bytes !== sent) throw new Error(`load: of ${sent} bytes ${bytes} came through the relay`);
  source.close();
  end.close();
  return { rate: bytes / 1e6 / elapsed * 1000, resent: 0 };
}

const JOBS = { tcp, udp, relay };

const ready: Ready = { port: sink.addr.port };
console.log(JSON.stringify(ready));
for await (const line of linesOf(Deno.stdin.readable)) {
  const job: Job = JSON.parse(line);
  // Not awaited, so that the end of stdin is seen during a job that hangs; an error ends the process.
  JOBS[job.kind](job).then((result: Result) => console.log(JSON.stringify(result)));
}
// The one that started this process is gone.
Deno.exit(0);
