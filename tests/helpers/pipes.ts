import { type Pipe, pipeOpen, type PipeOptions, TCP, UDP } from "@p2pd/pipes";

/** One way of being a pipe. */
export interface PipeKind {
  readonly name: string;
  readonly proto: "tcp" | "udp";
  readonly host: string;
  readonly ignore: boolean;
  /** Whether it is done in TLS. */
  readonly tls?: boolean;
}

function ipv6Works(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

const noIpv6 = !ipv6Works();

/** TCP, TLS and UDP over IPv4 and IPv6. */
export const KINDS: readonly PipeKind[] = [
  { name: "TCP over IPv4", proto: TCP, host: "127.0.0.1", ignore: false },
  { name: "TCP over IPv6", proto: TCP, host: "::1", ignore: noIpv6 },
  { name: "TLS over IPv4", proto: TCP, host: "127.0.0.1", ignore: false, tls: true },
  { name: "TLS over IPv6", proto: TCP, host: "::1", ignore: noIpv6, tls: true },
  { name: "UDP over IPv4", proto: UDP, host: "127.0.0.1", ignore: false },
  { name: "UDP over IPv6", proto: UDP, host: "::1", ignore: noIpv6 },
];

/** The same test for every kind of pipe; kinds that this host lacks are skipped visibly. */
export function forEachKind(name: string, test: (kind: PipeKind) => Promise<void>): void {
  for (const kind of KINDS) {
    Deno.test(`${kind.name}: ${name}`, { ignore: kind.ignore }, () => test(kind));
  }
}

/** A server of that kind on a free port of loopback. */
export async function serve(kind: PipeKind, options: PipeOptions = {}): Promise<Pipe> {
  const useSsl = kind.tls === true && (await import("./tls.ts")).serverTls();
  const conf = { useSsl, ...options.conf };
  return await pipeOpen(kind.proto, { route: [kind.host, 0], ...options, conf });
}

/** A client of a server, in TLS if that is. */
export async function connect(server: Pipe, options: PipeOptions = {}): Promise<Pipe> {
  const useSsl = server.conf.useSsl !== false && (await import("./tls.ts")).clientTls();
  const conf = { useSsl, ...options.conf };
  return await pipeOpen(server.proto, { dest: server.localAddr, ...options, conf });
}

const decoder = new TextDecoder();

/** Bytes as text, and null as it is. */
export function text(data: Uint8Array | null | undefined): string | null | undefined {
  return data instanceof Uint8Array ? decoder.decode(data) : data;
}

/** Receives until so many bytes are there, and gives them as text. */
export async function recvText(pipe: Pipe, bytes: number): Promise<string> {
  let got = "";
  while (got.length < bytes) {
    const data = await pipe.recv();
    if (data === null) throw new Error(`the input ended after "${got}"`);
    got += text(data);
  }
  return got;
}

/** Everything until the end of the input. */
export async function recvAll(pipe: Pipe): Promise<string> {
  let got = "";
  for await (const [data] of pipe) got += text(data);
  return got;
}

/**
 * A port that nothing listens on: below those that the system gives to whoever asks for any, as tests do
 * that run at the same time.
 */
export function freePort(): number {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** Something to await, and the call that resolves it. */
export function latch<T = void>(): { readonly done: Promise<T>; open(value: T): void } {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { done: promise, open: resolve };
}

/** Resolves when a condition holds, looking again after each turn of the event loop. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
