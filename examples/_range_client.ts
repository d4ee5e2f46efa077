/**
 * Fetches one file over several ways at once, in ranges (RFC 9110, section 14).
 *
 * @module
 */
import { type Pipe, pipeOpen, type PipeOptions, TCP } from "@p2pd/pipes";
import { formatHead, type Head, HttpReader } from "./_http.ts";

/** A way to the server: a card, or a local address. */
export interface Way {
  /** What to call it. */
  readonly name: string;
  /** What `pipeOpen` takes as `route`. */
  readonly route: NonNullable<PipeOptions["route"]>;
}

/** What the server says of the file. */
export interface FileInfo {
  readonly size: number;
  /** Its SHA-256 in base64, if the server tells (RFC 9530). */
  readonly sha256: string | undefined;
  /** Its version, if the server tells. */
  readonly etag: string | undefined;
}

/** Where a part of the file goes. */
export type Write = (at: number, bytes: Uint8Array, way: Way) => Promise<void>;

/** How to fetch. */
export interface DownloadOptions {
  /** Where from: an http: URL. */
  readonly url: URL;
  /** The ways, each of which gets a connection. */
  readonly ways: readonly Way[];
  /** Gets the file's size before the first part. */
  readonly begin: (info: FileInfo) => void;
  /** Gets the parts, in any order. */
  readonly write: Write;
  /** A way has failed; the others go on with what it has left. */
  readonly lost: (way: Way, error: unknown) => void;
}

/** Bytes fetched by one request. */
const MOST = 1024 * 1024, LEAST = 64 * 1024;

/** A connection to the server by one way. */
class Connection {
  readonly #url: URL;
  readonly #way: Way;
  readonly #pipe: Pipe;
  readonly #reader: HttpReader;

  private constructor(url: URL, way: Way, pipe: Pipe) {
    this.#url = url;
    this.#way = way;
    this.#pipe = pipe;
    this.#reader = new HttpReader(pipe);
  }

  static async open(url: URL, way: Way): Promise<Connection> {
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const dest = [host, Number(url.port || 80)] as const;
    const conf = { recvTimeout: 10_000 };
    return new Connection(url, way, await pipeOpen(TCP, { dest, route: way.route, conf }));
  }

  /** Asks for the file's head. */
  async info(): Promise<FileInfo> {
    const { line, fields } = await this.#ask("HEAD", {});
    if (!/^HTTP\/1\.1 200 /.test(line)) throw new Error(`The server says "${line}"`);
    const size = Number(fields.get("content-length"));
    if (!(Number.isSafeInteger(size) && size >= 0)) {
      throw new Error("The server does not tell the file's size");
    }
    const [, sha256] = /sha-256=:([^:]+):/.exec(fields.get("repr-digest") ?? "") ?? [];
    return { size, sha256, etag: fields.get("etag") };
  }

  /** Fetches a range. */
  async fetch(start: number, end: number, info: FileInfo, write: Write): Promise<void> {
    // A weak one is not good enough to compare by (RFC 9110, section 13.1.5).
    const { etag } = info;
    const same = etag === undefined || etag.startsWith("W/") ? {} : { "If-Range": etag };
    const { line, fields } = await this.#ask("GET", {
      Range: `bytes=${start}-${end - 1}`,
      ...same,
    });
    const got = `${line}, ${fields.get("content-range")}`;
    const wanted = `bytes ${start}-${end - 1}/${info.size}`;
    if (!/^HTTP\/1\.1 206 /.test(line) || fields.get("content-range") !== wanted) {
      throw new Error(`Asked for ${wanted}, got "${got}"`);
    }
    let at = start;
    for await (const bytes of this.#reader.body(end - start)) {
      await write(at, bytes, this.#way);
      at += bytes.length;
    }
  }

  async #ask(method: string, fields: Record<string, string>): Promise<Head> {
    const { host, pathname, search } = this.#url;
    const line = `${method} ${pathname}${search} HTTP/1.1`;
    await this.#pipe.send(formatHead(line, { Host: host, ...fields }));
    const head = await this.#reader.head();
    if (head === undefined) throw new Error("The server closed the connection");
    return head;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pipe.close();
  }
}

/** Fetches the file. Each way takes the next range when it is done with one, so the faster get more. */
export async function download(options: DownloadOptions): Promise<FileInfo> {
  const { url, ways, begin, write, lost } = options;
  const info = await firstInfo(options);
  begin(info);
  const { size } = info;
  const step = Math.min(MOST, Math.max(LEAST, Math.ceil(size / ways.length / 8)));
  const todo: number[] = [];
  for (let start = 0; start < size; start += step) todo.push(start);
  todo.reverse();
  let failure: unknown;

  async function work(way: Way): Promise<void> {
    let start: number | undefined;
    try {
      await using connection = await Connection.open(url, way);
      for (start = todo.pop(); start !== undefined; start = todo.pop()) {
        await connection.fetch(start, Math.min(start + step, size), info, write);
      }
    } catch (error) {
      failure = error;
      if (start !== undefined) todo.push(start);
      lost(way, error);
      throw error;
    }
  }

  // Once more, if somebody failed when the others found nothing more to do.
  let able = [...ways];
  while (todo.length > 0) {
    if (able.length === 0) throw failure;
    const results = await Promise.allSettled(able.map(work));
    able = able.filter((_, i) => results[i]?.status === "fulfilled");
  }
  return info;
}

/** Asks by one way after the other. */
async function firstInfo({ url, ways, lost }: DownloadOptions): Promise<FileInfo> {
  const errors: unknown[] = [];
  for (const way of ways) {
    try {
      await using connection = await Connection.open(url, way);
      return await connection.info();
    } catch (error) {
      errors.push(error);
      if (errors.length < ways.length) lost(way, error);
    }
  }
  throw errors.at(-1);
}
