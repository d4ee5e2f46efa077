/** pipe.startTls(): from plain to TLS on one connection. */
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { pipeOpen, PipeOpenError, TCP } from "@p2pd/pipes";
import { recvText } from "../../helpers/pipes.ts";
import { accept, ca, clientCert, clientTls, plainPair, serverTls } from "../../helpers/tls.ts";

const route = "127.0.0.1:0";

Deno.test("startTls: the dialogue of STARTTLS (RFC 3207)", async () => {
  await using pair = await plainPair();
  const { client, accepted } = pair;
  const serving = (async () => {
    await accepted.send("220 mail.example ready\r\n");
    assertEquals(await recvText(accepted, 10), "STARTTLS\r\n");
    // Not awaited: the client's first flight must not be read as if it were plain.
    const goAhead = accepted.send("220 go ahead\r\n");
    const info = await accepted.startTls(serverTls({ alpnProtocols: ["smtp"] }));
    await goAhead;
    for await (const [msg] of accepted) await accepted.send(msg);
    await accepted.close();
    return info;
  })();
  serving.catch(() => {}); // whatever fails first is what the test reports
  assertEquals(await recvText(client, 24), "220 mail.example ready\r\n");
  assertEquals([client.tls, accepted.tls], [undefined, undefined]);
  await client.send("STARTTLS\r\n");
  assertEquals(await recvText(client, 14), "220 go ahead\r\n");
  const info = await client.startTls(clientTls({ alpnProtocols: ["smtp"] }));
  assertStrictEquals(client.tls, info);
  assertEquals([info.protocol, info.alpnProtocol, info.authorized], ["TLSv1.3", "smtp", true]);
  assertEquals(info.peerCertificate?.subject, "CN=localhost");
  await client.send("EHLO secret\r\n");
  assertEquals(await recvText(client, 13), "EHLO secret\r\n");
  await client.closeWrite();
  assertEquals(await client.recv(), null);
  const { peerCertificate, ...served } = await serving;
  assertEquals([served, peerCertificate], [{
    protocol: "TLSv1.3",
    alpnProtocol: "smtp",
    serverName: undefined,
    authorized: false,
  }, undefined]);
  assert(pair.seen().includes("220 go ahead"));
  assert(!pair.seen().includes("EHLO"));
});

Deno.test("startTls: from within a handler, which goes on in TLS", async () => {
  const got: string[] = [];
  await using pair = await plainPair();
  pair.accepted.addMsgCb(async (msg, _from, pipe) => {
    got.push(new TextDecoder().decode(msg));
    if (got.length > 1) return void await pipe.send(msg);
    const goAhead = pipe.send("go");
    await pipe.startTls(serverTls());
    await goAhead;
  });
  await pair.client.send("STARTTLS");
  assertEquals(await recvText(pair.client, 2), "go");
  await pair.client.startTls(clientTls());
  await pair.client.send("more");
  assertEquals(await recvText(pair.client, 4), "more");
  assertEquals(got, ["STARTTLS", "more"]);
});

Deno.test("startTls: true verifies with what Deno trusts", async () => {
  await using pair = await plainPair();
  const serving = assertRejects(() => pair.accepted.startTls(serverTls()), PipeOpenError);
  const error = await assertRejects(() => pair.client.startTls(true), PipeOpenError);
  assertEquals(error.phase, "tls");
  await serving;
});

Deno.test("startTls: the host in dest is verified, unless serverName says another", async () => {
  await using server = await pipeOpen(TCP, { route });
  const port = server.localAddr.port;
  const serve = async () => {
    const accepted = await accept(server);
    accepted.startTls(serverTls(await ca.issue({ names: ["localhost"] }))).catch(() => {});
  };
  for (
    const [host, serverName, good] of [
      ["localhost", undefined, true],
      ["127.0.0.1", "localhost", true],
      ["127.0.0.1", undefined, false],
      ["localhost", "other.example", false],
    ] as const
  ) {
    await using client = await pipeOpen(TCP, { dest: [host, port] });
    await serve();
    const starting = client.startTls(clientTls({ serverName }));
    if (good) assertEquals((await starting).serverName, "localhost");
    else assertEquals((await assertRejects(() => starting, PipeOpenError)).phase, "tls");
  }
});

Deno.test("startTls: a client shows its certificate", async () => {
  await using pair = await plainPair();
  const serving = pair.accepted.startTls(
    serverTls({ clientAuth: "require", caCerts: [ca.cert] }),
  );
  await pair.client.startTls(clientTls(clientCert));
  assertEquals((await serving).peerCertificate?.subject, "CN=client");
  assertEquals((await serving).authorized, true);
});

Deno.test("startTls: what was sent before goes out first, what is sent meanwhile encrypted", async () => {
  await using pair = await plainPair();
  const { client, accepted } = pair;
  const before = accepted.send("before");
  const serving = accepted.startTls(serverTls());
  const meanwhile = [accepted.send("mean"), accepted.send("while")];
  await before;
  assertEquals(await recvText(client, 6), "before");
  const starting = client.startTls(clientTls());
  meanwhile.push(client.send("at the same time"));
  await Promise.all([serving, starting, ...meanwhile]);
  assertEquals(await recvText(client, 9), "meanwhile");
  assertEquals(await recvText(accepted, 16), "at the same time");
  assert(pair.seen().startsWith("before\x16\x03"), "something else came first");
  for (const word of ["mean", "while", "same"]) assert(!pair.seen().includes(word), word);
});

Deno.test("startTls: closeWrite and close meanwhile wait for it", async () => {
  await using pair = await plainPair();
  const serving = pair.accepted.startTls(serverTls());
  const starting = pair.client.startTls(clientTls());
  const last = pair.client.send("last words");
  const ending = pair.client.closeWrite();
  await Promise.all([serving, starting, last, ending]);
  assertEquals(await recvText(pair.accepted, 10), "last words");
  assertEquals(await pair.accepted.recv(), null);
});
