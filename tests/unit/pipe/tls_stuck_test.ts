/** Peers that take nothing cannot hold up an opening, a handshake or a close. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { PipeClosedError, pipeOpen, PipeOpenError, TCP } from "@p2pd/pipes";
import { recvText } from "../../helpers/pipes.ts";
import { clientTls, serverCert, serverTls, serveTls } from "../../helpers/tls.ts";

for (const how of ["sslHandshake", "signal"] as const) {
  Deno.test(`tls: over a stream that takes nothing ${how} ends the handshake`, async () => {
    const readable = new ReadableStream<Uint8Array>({});
    const writable = new WritableStream<Uint8Array>({ write: () => new Promise(() => {}) });
    const control = new AbortController();
    const timer = setTimeout(() => control.abort(new Error("enough")), how === "signal" ? 50 : 9e6);
    const start = performance.now();
    const error = await assertRejects(() =>
      pipeOpen(TCP, {
        sock: { readable, writable },
        signal: control.signal,
        conf: {
          useSsl: clientTls({ serverName: "localhost" }),
          sslHandshake: how === "signal" ? 60_000 : 50,
        },
      })
    );
    clearTimeout(timer);
    const took = performance.now() - start;
    assert(took < 3000, `${took} ms`);
    if (how === "signal") assertEquals(error, control.signal.reason);
    else assertEquals(error instanceof PipeOpenError && error.phase, "tls");
  });
}

Deno.test("startTls: what is sent meanwhile goes out, though close comes at once", async () => {
  await using server = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  const client = await pipeOpen(TCP, { dest: server.localAddr });
  await using accepted = await server.accept();
  assert(accepted !== null);
  const serving = accepted.startTls(serverTls());
  const starting = client.startTls(clientTls({ serverName: "localhost" }));
  const sending = client.send("hello");
  const closing = client.close();
  await Promise.all([starting, serving]);
  assertEquals(await sending, 5);
  assertEquals(await recvText(accepted, 5), "hello");
  await closing;
});

for (const linger of [0, 50]) {
  Deno.test(`startTls: a close with linger ${linger} does not wait for a peer that is silent`, async () => {
    await using server = await pipeOpen(TCP, { route: "127.0.0.1:0" });
    const client = await pipeOpen(TCP, {
      dest: server.localAddr,
      conf: { linger, sslHandshake: Infinity },
    });
    const starting = assertRejects(
      () => client.startTls(clientTls({ serverName: "localhost" })),
      PipeClosedError,
    );
    const sending = assertRejects(() => client.send("never"), PipeClosedError);
    const late = Promise.withResolvers<string>();
    const timer = setTimeout(() => late.resolve("it waits"), 5000);
    assertEquals(await Promise.race([client.close(), late.promise]), undefined);
    clearTimeout(timer);
    client.abort();
    await Promise.all([starting, sending]);
    assertEquals(await client.closed, { by: "local" });
  });
}

Deno.test("tls: a key beside the certificate is not kept where conf shows it", async () => {
  const combined = `${serverCert.key}\n${serverCert.cert}\n${serverCert.key}`;
  await using server = await serveTls({ tls: { cert: combined, caCerts: [combined] } });
  const shown = Deno.inspect(server.conf, { depth: 9 }) + JSON.stringify(server.conf);
  assert(shown.includes("BEGIN CERTIFICATE"));
  assert(!shown.includes("PRIVATE KEY"), shown);
});
