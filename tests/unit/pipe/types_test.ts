import { assertEquals } from "@std/assert";
import {
  Daemon,
  type Dest,
  type PeerCertificate,
  type Pipe,
  pipeOpen,
  type Proto,
  QUIC,
  type ServerPipe,
  TCP,
  UDP,
} from "@p2pd/pipes";

// What these tests are about is found by the type check, before any of them runs.

type IsSame<A, B> = [A, B] extends [B, A] ? true : false;

function is<A, B>(_same: IsSame<A, B>): void {}

Deno.test("types: what is received goes into Web APIs as it is", async () => {
  await using server = await pipeOpen(TCP, {
    route: "127.0.0.1:0",
    msgCb: async (msg, from, pipe) => void await pipe.send(await new Blob([msg]).bytes(), from),
  });
  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  await client.send("hello");
  const [msg] = await client.recvFrom() ?? [new Uint8Array()];
  assertEquals(await new Response(msg).text(), "hello");
  assertEquals((await crypto.subtle.digest("SHA-256", msg)).byteLength, 32);

  is<Awaited<ReturnType<Pipe["recv"]>>, Uint8Array<ArrayBuffer> | null>(true);
  is<Awaited<ReturnType<Pipe["readExactly"]>>, Uint8Array<ArrayBuffer> | null>(true);
  is<Awaited<ReturnType<Pipe["readUntil"]>>, Uint8Array<ArrayBuffer> | null>(true);
  is<PeerCertificate["raw"], Uint8Array<ArrayBuffer>>(true);
  is<Pipe["readable"], ReadableStream<Uint8Array<ArrayBuffer>>>(true);
});

Deno.test("types: a pipe that may be a client is no server", () => {
  // Only options in a variable: in a literal, an unknown key is an error, which hides this.
  const wrapped = (options: { dest?: Dest; route?: Dest }) => pipeOpen(TCP, options);
  is<ReturnType<typeof wrapped>, Promise<Pipe>>(true);
  const quic = (options: { dest?: Dest; route?: Dest }) => pipeOpen(QUIC, options);
  is<ReturnType<typeof quic>, Promise<Pipe>>(true);
  const over = (options: { over?: Pipe; route?: Dest }) => pipeOpen(QUIC, options);
  is<ReturnType<typeof over>, Promise<Pipe>>(true);
  const server = (options: { route?: Dest }) => pipeOpen(TCP, options);
  is<ReturnType<typeof server>, Promise<ServerPipe>>(true);
  const none = () => pipeOpen(TCP, { dest: undefined });
  is<ReturnType<typeof none>, Promise<ServerPipe>>(true);
});

Deno.test("types: a daemon's TCP listener is a server", async () => {
  await using daemon = new Daemon();
  const listener = await daemon.addListener(TCP, "127.0.0.1:0");
  assertEquals(listener.clients.size, 0);
  const udp = () => daemon.addListener(UDP, "127.0.0.1:0");
  is<ReturnType<typeof udp>, Promise<Pipe>>(true);
  const any = (proto: Proto) => daemon.addListener(proto, "127.0.0.1:0");
  is<ReturnType<typeof any>, Promise<Pipe>>(true);
});
