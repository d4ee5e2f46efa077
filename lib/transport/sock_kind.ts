/** The kinds of open sockets that transports and acceptors are made of. */
export type SockKind =
  | "connection"
  | "listener"
  | "datagram socket"
  | "node:net Socket"
  | "stream pair";

/** What kind of socket an object is, by the members it has. */
export function sockKind(sock: object): SockKind | undefined {
  const can = (...names: string[]) =>
    names.every((name) => typeof Reflect.get(sock, name) === "function");
  if (can("accept")) return "listener";
  if (can("receive", "send")) return "datagram socket";
  if (can("resetAndDestroy", "pause")) return "node:net Socket";
  if (can("read", "write") && "remoteAddr" in sock) return "connection";
  const { readable, writable }: { readable?: unknown; writable?: unknown } = sock;
  return readable instanceof ReadableStream && writable instanceof WritableStream
    ? "stream pair"
    : undefined;
}

/** Whether a socket speaks TLS already. */
export function hasTls(sock: object): boolean {
  // A `Deno.TlsListener` differs from others by its name alone: its class is not public.
  return "handshake" in sock || "getPeerCertificate" in sock ||
    sock.constructor?.name === "TlsListener";
}
