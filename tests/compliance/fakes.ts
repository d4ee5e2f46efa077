/** Sockets of Deno's that do what a test says, for what real ones do too rarely. */

type Script<T> = () => T | Promise<T>;

const addr: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 9 };
const udpAddr: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port: 9 };

/** Plays a script line by line; after the last one nothing happens. */
function play<T>(lines: Script<T>[]): Promise<T> {
  const next = lines.shift();
  return next === undefined ? new Promise<T>(() => {}) : Promise.resolve().then(next);
}

/** A connection. */
export class FakeConn implements Deno.Conn {
  readonly localAddr: Deno.NetAddr = addr;
  readonly remoteAddr: Deno.NetAddr = addr;
  readonly written: number[] = [];
  readonly reads: Script<number | null>[];
  readonly writes: Script<number>[];
  /** How far it was ended. */
  ended: "not" | "output" | "closed" = "not";
  closes = 0;

  constructor(script: { reads?: Script<number | null>[]; writes?: Script<number>[] }) {
    this.reads = script.reads ?? [];
    this.writes = script.writes ?? [];
  }

  read(buffer: Uint8Array): Promise<number | null> {
    buffer.fill(7);
    return play(this.reads);
  }

  async write(data: Uint8Array): Promise<number> {
    const count = await play(this.writes);
    this.written.push(...data.subarray(0, count));
    return count;
  }

  closeWrite(): Promise<void> {
    this.ended = "output";
    return Promise.resolve();
  }

  close(): void {
    this.ended = "closed";
    this.closes++;
  }

  ref(): void {}
  unref(): void {}

  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    throw new Error("the transport must not use this");
  }

  get writable(): WritableStream<Uint8Array<ArrayBufferLike>> {
    throw new Error("the transport must not use this");
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A listener. */
export class FakeListener implements Deno.Listener {
  readonly addr: Deno.NetAddr = addr;
  readonly accepts: Script<Deno.Conn>[];
  closes = 0;

  constructor(accepts: Script<Deno.Conn>[]) {
    this.accepts = accepts;
  }

  accept(): Promise<Deno.Conn> {
    return play(this.accepts);
  }

  close(): void {
    this.closes++;
  }

  ref(): void {}
  unref(): void {}

  async *[Symbol.asyncIterator](): AsyncIterableIterator<Deno.Conn> {
    for (;;) yield await this.accept();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A datagram socket. */
export class FakeDatagram implements Deno.DatagramConn {
  readonly addr: Deno.NetAddr = udpAddr;
  readonly receives: Script<number>[];
  readonly sends: Script<number>[];
  tries = 0;

  constructor(script: { receives?: Script<number>[]; sends?: Script<number>[] }) {
    this.receives = script.receives ?? [];
    this.sends = script.sends ?? [];
  }

  async receive(buffer = new Uint8Array(1)): Promise<[Uint8Array<ArrayBuffer>, Deno.Addr]> {
    const size = await play(this.receives);
    return [new Uint8Array(buffer.subarray(0, size)), { ...udpAddr, port: 10 }];
  }

  send(): Promise<number> {
    this.tries++;
    return play(this.sends);
  }

  close(): void {}

  joinMulticastV4(): Promise<Deno.MulticastV4Membership> {
    throw new Error("not used");
  }

  joinMulticastV6(): Promise<Deno.MulticastV6Membership> {
    throw new Error("not used");
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<[Uint8Array<ArrayBuffer>, Deno.Addr]> {
    for (;;) yield await this.receive();
  }
}
