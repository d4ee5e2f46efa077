/**
 * A small HTTP server for one file, which serves ranges (RFC 9110, section 14) and gives each client
 * address so many bytes a second and no more.
 *
 *     deno run --allow-net _range_server.ts --listen 127.0.0.1:8080 --size 4194304 --rate 1048576
 *
 * @module
 */
import { formatAddr, type Pipe, pipeOpen, type ServerPipe, TCP } from "@p2pd/pipes";
import { createHash } from "node:crypto";
import { formatHead, type Head, HttpReader } from "./_http.ts";

/** Sent at a time. */
const CHUNK = 16 * 1024;

/** What to serve, and how fast. */
export interface RangeServerOptions {
  /** Where to listen. */
  readonly route: string;
  /** The file. */
  readonly file: Uint8Array;
  /** Bytes a second for each client address. */
  readonly rate: number;
}

/** Starts to serve; closing the pipe that it returns ends everything. */
export async function serveRanges({ route, file, rate }: RangeServerOptions): Promise<ServerPipe> {
  const digest = createHash("sha256").update(file).digest("base64");
  const common = { "Accept-Ranges": "bytes", "Repr-Digest": `sha-256=:${digest}:` };
  /** By client address: when what it was sent so far is paid for. */
  const paid = new Map<string, number>();

  async function send(pipe: Pipe, body: Uint8Array): Promise<void> {
    const client = pipe.remoteAddr?.hostname ?? "";
    for (let at = 0; at < body.length; at += CHUNK) {
      const chunk = body.subarray(at, at + CHUNK);
      const now = performance.now();
      const since = Math.max(now, paid.get(client) ?? 0);
      paid.set(client, since + 1000 * chunk.length / rate);
      if (since > now) await new Promise((resolve) => setTimeout(resolve, since - now));
      await pipe.send(chunk);
    }
  }

  async function answer(pipe: Pipe, { line, fields }: Head): Promise<void> {
    const [method = ""] = line.split(" ");
    if (method !== "GET" && method !== "HEAD") {
      await pipe.send(formatHead("HTTP/1.1 405 Method Not Allowed", { "Content-Length": 0 }));
      return;
    }
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(fields.get("range") ?? "") ?? [];
    const [start, end] = [Number(first ?? 0), Math.min(Number(last ?? Infinity), file.length - 1)];
    const body = file.subarray(start, end + 1);
    const length = { "Content-Length": body.length };
    if (method === "HEAD" || first === undefined) {
      await pipe.send(formatHead("HTTP/1.1 200 OK", { ...common, ...length }));
    } else if (body.length === 0) {
      const range = { "Content-Range": `bytes */${file.length}`, "Content-Length": 0 };
      await pipe.send(formatHead("HTTP/1.1 416 Range Not Satisfiable", range));
    } else {
      const range = { "Content-Range": `bytes ${start}-${end}/${file.length}` };
      await pipe.send(
        formatHead("HTTP/1.1 206 Partial Content", { ...common, ...range, ...length }),
      );
    }
    if (method === "GET") await send(pipe, body);
  }

  async function serve(pipe: Pipe): Promise<void> {
    const reader = new HttpReader(pipe);
    try {
      for (let head = await reader.head(); head; head = await reader.head()) {
        await answer(pipe, head);
      }
      await pipe.close();
    } catch {
      pipe.abort(); // a client that speaks something else, or has left
    }
  }

  const server = await pipeOpen(TCP, { route, conf: { recvTimeout: 30_000 } });
  (async () => {
    for await (const pipe of server.connections()) serve(pipe);
  })();
  return server;
}

/** A file for demonstrations: bytes that look random and are always the same. */
export function sampleFile(size: number): Uint8Array {
  const file = new Uint8Array(size);
  let x = 1;
  for (let i = 0; i < size; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    file[i] = x >>> 24;
  }
  return file;
}

if (import.meta.main) {
  const option = (name: string) => Deno.args[Deno.args.indexOf(`--${name}`) + 1] ?? "";
  const [size, rate] = [Number(option("size")), Number(option("rate"))];
  const server = await serveRanges({ route: option("listen"), file: sampleFile(size), rate });
  console.log(`Listening on ${formatAddr(server.localAddr)}`);
  await server.closed;
}
