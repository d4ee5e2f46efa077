/** conf.sslHandshake, and handshakes that come to nothing on the client's side. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { deadline } from "@std/async";
import { pipeOpen, PipeOpenError, PipeTimeoutError, TCP } from "@p2pd/pipes";
import { recvText, until } from "../../helpers/pipes.ts";
import {
  assertServes,
  clientTls,
  connectTls,
  drain,
  echo,
  isSocket,
  plain,
  serveTls,
  tap,
  tlsErrors,
} from "../../helpers/tls.ts";

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("tls: sslHandshake ends a server's silent client, and serves others meanwhile", async () => {
  await using server = await serveTls({ msgCb: echo, conf: { sslHandshake: 400 } });
  const start = performance.now();
  using silent = await plain(server);
  const gone = drain(silent).then(() => performance.now() - start);
  for (let i = 0; i < 3; i++) await assertServes(server);
  assertEquals(server.stats.tlsFailed, 0);
  const took = await gone;
  assert(took > 350 && took < 3000, `${took} ms`);
  await until(() => server.stats.tlsFailed === 1, "the failure");
  const [error] = tlsErrors(server.errors);
  assertInstanceOf(error?.cause, PipeTimeoutError);
  assert(error.message.includes("400 ms"), error.message);
  assertEquals(error.addr, silent.localAddr);
});

Deno.test("tls: sslHandshake bounds the whole handshake of a client that lets it drip", async () => {
  await using server = await serveTls({ msgCb: echo, conf: { sslHandshake: 300 } });
  using conn = await plain(server);
  const start = performance.now();
  // A record that announces much, and comes byte by byte.
  await conn.write(new Uint8Array([22, 3, 1, 16, 0, 1, 0, 15, 252, 3, 3]));
  const drip = setInterval(() => conn.write(new Uint8Array(1)).catch(() => {}), 20);
  try {
    await drain(conn);
  } finally {
    clearInterval(drip);
  }
  const took = performance.now() - start;
  assert(took > 250 && took < 3000, `${took} ms`);
  await until(() => server.stats.tlsFailed === 1, "the failure");
});

for (const drips of [false, true]) {
  const how = drips ? "a server that lets it drip" : "a silent server";
  Deno.test(`tls: sslHandshake bounds the handshake with ${how}`, async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const serving = (async () => {
      using conn = await listener.accept();
      const more = () => conn.write(new Uint8Array(1)).catch(() => {});
      if (drips) await conn.write(new Uint8Array([22, 3, 3, 16, 0]));
      const drip = drips ? setInterval(more, 20) : undefined;
      const hello = await drain(conn);
      clearInterval(drip);
      return hello;
    })();
    const start = performance.now();
    const error = await assertRejects(
      () => deadline(connectTls(listener.addr, { conf: { sslHandshake: 300 } }), 30_000),
      PipeOpenError,
      "300 ms",
    );
    const took = performance.now() - start;
    assert(took > 250 && took < 3000, `${took} ms`);
    assertEquals([error.phase, error.addr], ["tls", { ...listener.addr }]);
    assertInstanceOf(error.cause, PipeTimeoutError);
    assertEquals((await serving)[0], 22); // it did ask, and has closed
  });
}

Deno.test("tls: conTimeout is over when the connection is there", async () => {
  await using server = await serveTls({ msgCb: echo });
  await using between = await tap(server.localAddr, 200);
  await using client = await connectTls(between.addr, {
    conf: { conTimeout: 150 },
  });
  await client.send("late but here");
  assertEquals(await recvText(client, 13), "late but here");
});

Deno.test("tls: sslHandshake Infinity waits for as long as the peer takes", async () => {
  await using server = await serveTls({ msgCb: echo, conf: { sslHandshake: Infinity } });
  await using between = await tap(server.localAddr, 100);
  await using client = await connectTls(between.addr, {
    conf: { sslHandshake: Infinity },
  });
  assertEquals(client.tls?.authorized, true);
});

for (const reset of [false, true]) {
  Deno.test(`tls: a server that ${reset ? "resets" : "ends"} in the handshake`, async () => {
    await using server = await pipeOpen(TCP, {
      route: "127.0.0.1:0",
      conf: { linger: reset ? 0 : null, onError: () => {} },
      upCb: async (_msg, _from, pipe) => {
        await pipe.recv();
        await pipe.close();
      },
    });
    const error = await assertRejects(
      () => pipeOpen(TCP, { dest: server.localAddr, conf: { useSsl: clientTls() } }),
      PipeOpenError,
    );
    assertEquals([error.phase, error.addr], ["tls", server.localAddr]);
    assertInstanceOf(error.cause, Error);
  });
}

Deno.test("tls: a signal ends the handshake, with its reason", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const controller = new AbortController();
  const opening = connectTls(listener.addr, { signal: controller.signal });
  using conn = await listener.accept();
  await conn.read(new Uint8Array(1));
  const reason = new Error("enough");
  controller.abort(reason);
  assertEquals(await assertRejects(() => opening), reason);
  await drain(conn);
});

Deno.test("tls: doClose false hands over the connection whose handshake failed", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const opening = connectTls(listener.addr, {
    conf: { sslHandshake: 100, doClose: false },
  });
  using peer = await listener.accept();
  const error = await assertRejects(() => opening, PipeOpenError);
  assertEquals(error.phase, "tls");
  assert(isSocket(error.sock), `${error.sock}`);
  // It is plain, still open, and can be read: a pipe can be made of it.
  await using again = await pipeOpen(TCP, { sock: error.sock });
  assertEquals((await peer.read(new Uint8Array(4096)) ?? 0) > 0, true); // the ClientHello
  await peer.write(encode("plain"));
  assertEquals(await recvText(again, 5), "plain");
  await again.send("and back");
  const buffer = new Uint8Array(9);
  assertEquals(await peer.read(buffer), 8);
  assertEquals(new TextDecoder().decode(buffer.subarray(0, 8)), "and back");
  assertEquals(again.tls, undefined);
});

Deno.test("tls: doClose true leaves no socket in the error", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const opening = connectTls(listener.addr, { conf: { sslHandshake: 100 } });
  using peer = await listener.accept();
  assertEquals((await assertRejects(() => opening, PipeOpenError)).sock, undefined);
  await drain(peer);
});
