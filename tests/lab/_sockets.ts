/**
 * Plain sockets of the platform, for tests that must not use what they test.
 *
 * @module
 */
import { createSocket, type Socket } from "node:dgram";
import { Output, within } from "./_helpers.ts";

/** A TCP connection with the reader of the helpers. */
export class Conn implements Disposable {
  readonly input: Output;
  readonly #conn: Deno.TcpConn;
  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
    this.input = new Output(conn.readable);
  }
  static async to(port: number, hostname = "127.0.0.1"): Promise<Conn> {
    return new Conn(await Deno.connect({ hostname, port }));
  }
  async say(text: string): Promise<void> {
    await this.#conn.write(new TextEncoder().encode(text));
  }
  async hear(length: number): Promise<string> {
    const bytes = await within(this.input.bytes(length), `${length} bytes`);
    return new TextDecoder().decode(bytes);
  }
  async endWrite(): Promise<void> {
    await this.#conn.closeWrite();
  }
  [Symbol.dispose](): void {
    try {
      this.#conn.close();
    } catch {
      // The end of its input closed it.
    }
  }
}

export interface Datagram {
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly from: { readonly address: string; readonly port: number };
}

/** A UDP socket that works without any flag. */
export class Udp implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #received: Datagram[] = [];
  #waiting: ((datagram: Datagram) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (bytes, from) => {
      const datagram = { text: bytes.toString(), bytes: new Uint8Array(bytes), from };
      if (this.#waiting === undefined) this.#received.push(datagram);
      else this.#waiting(datagram);
      this.#waiting = undefined;
    });
  }

  static async open(hostname = "127.0.0.1"): Promise<Udp> {
    const socket = createSocket(hostname.includes(":") ? "udp6" : "udp4");
    await new Promise<void>((resolve) => socket.bind(0, hostname, resolve));
    return new Udp(socket);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  async say(data: string | Uint8Array, port: number, hostname = "127.0.0.1"): Promise<void> {
    await new Promise<void>((resolve, reject) =>
      this.#socket.send(data, port, hostname, (error) => error ? reject(error) : resolve())
    );
  }

  async hear(): Promise<Datagram> {
    const next = this.#received.shift();
    if (next !== undefined) return next;
    const { promise, resolve } = Promise.withResolvers<Datagram>();
    this.#waiting = resolve;
    return await within(promise, "a datagram");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }
}
