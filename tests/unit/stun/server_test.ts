/** The server for tests: what it answers to requests that no client of ours makes. */
import { pipeOpen, TCP, UDP } from "@p2pd/pipes";
import { ATTRIBUTES, StunMessage } from "@p2pd/pipes/stun";
import { serveStun, type StunServerOptions } from "@p2pd/pipes/testing";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { retaking } from "../../helpers/retaking.ts";

const request = () => new StunMessage({ class: "request" });

/** What a server answers to some bytes. */
async function answerTo(data: Uint8Array, options: StunServerOptions = {}): Promise<StunMessage> {
  await using server = await serveStun(options);
  await using pipe = await pipeOpen(UDP, { dest: server.addr });
  const [answer] = await pipe.request(data, { timeout: 10_000 });
  return StunMessage.decode(answer, { classic: true });
}

const codeOf = (message: StunMessage) => message.get(ATTRIBUTES.errorCode)?.code;

Deno.test("a fingerprint is answered with one", async () => {
  const answer = await answerTo(request().withFingerprint().encode());
  assert(answer.get(ATTRIBUTES.fingerprint) !== undefined);
  const bare = await answerTo(request().encode());
  assertEquals(bare.get(ATTRIBUTES.fingerprint), undefined);
});

Deno.test("420 lists what it does not understand", async () => {
  const raw = { type: 0x7777, value: new Uint8Array(), padding: new Uint8Array() };
  const odd = new StunMessage({ class: "request", attributes: [raw] });
  const answer = await answerTo(odd.encode());
  assertEquals([codeOf(answer), answer.get(ATTRIBUTES.unknownAttributes)], [420, [0x7777]]);
  const change = request().with(ATTRIBUTES.changeRequest, { ip: true, port: false });
  const alone = await answerTo(change.encode()); // it has no other address
  assertEquals([codeOf(alone), alone.get(ATTRIBUTES.unknownAttributes)], [420, [0x0003]]);
});

Deno.test("another method is a bad request, an indication has no answer", async () => {
  const other = new StunMessage({ class: "request", method: 3 });
  assertEquals(codeOf(await answerTo(other.encode())), 400);
  await using server = await serveStun();
  await using pipe = await pipeOpen(UDP, { dest: server.addr });
  await pipe.send(new StunMessage({ class: "indication" }).encode());
  const last = request();
  const [answer] = await pipe.request(last.encode());
  assertEquals(StunMessage.decode(answer).transactionId, last.transactionId);
});

Deno.test("PADDING comes back, RESPONSE-PORT is where the answer goes, both are too much", async () => {
  const padding = new Uint8Array(1000);
  const padded = await answerTo(request().with(ATTRIBUTES.padding, padding).encode());
  assertEquals(padded.get(ATTRIBUTES.padding)?.length, 1000);
  await using server = await serveStun();
  await using pipe = await pipeOpen(UDP, { route: "127.0.0.1:0" });
  await using other = await pipeOpen(UDP, { route: "127.0.0.1:0" });
  const { port } = other.localAddr;
  await pipe.send(request().with(ATTRIBUTES.responsePort, port).encode(), server.addr);
  const [answer] = await other.recvFrom() ?? [];
  assertEquals(
    StunMessage.decode(answer ?? new Uint8Array()).get(ATTRIBUTES.xorMappedAddress)?.port,
    pipe.localAddr.port,
  );
  const both = request().with(ATTRIBUTES.padding, padding).with(ATTRIBUTES.responsePort, port);
  assertEquals(codeOf(await answerTo(both.encode())), 400);
});

Deno.test("a request of RFC 3489 gets an answer of RFC 3489", async () => {
  const transactionId = crypto.getRandomValues(new Uint8Array(16)).with(0, 1);
  const classic = new StunMessage({ class: "request", transactionId })
    .with(ATTRIBUTES.changeRequest, { ip: false, port: false });
  const answer = await answerTo(classic.encode(), { hosts: ["127.0.0.1", "127.0.0.2"] });
  assertEquals(answer.transactionId, transactionId);
  assertEquals(answer.get(ATTRIBUTES.mappedAddress)?.hostname, "127.0.0.1");
  assertEquals(answer.get(ATTRIBUTES.sourceAddress)?.hostname, "127.0.0.1");
  assertEquals(answer.get(ATTRIBUTES.changedAddress)?.hostname, "127.0.0.2");
  assertEquals(answer.get(ATTRIBUTES.xorMappedAddress), undefined);
});

Deno.test("garbage is counted, and costs a stream its connection", async () => {
  await using server = await serveStun();
  await using pipe = await pipeOpen(UDP, { dest: server.addr });
  await pipe.send("hello");
  await pipe.request(request().encode());
  assertEquals([server.malformed, server.requests], [1, 1]);
  await using stream = await serveStun({ proto: TCP });
  await using client = await pipeOpen(TCP, { dest: stream.addr });
  await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  // An end or a reset, as the platform has it.
  assertEquals(await client.recv(undefined, { timeout: 10_000 }).catch(() => null), null);
  assertEquals([stream.malformed, stream.requests], [1, 0]);
});

Deno.test("four sockets, two ports at each address", async () => {
  await using server = await serveStun({ hosts: ["127.0.0.1", "127.0.0.2"] });
  const [one, two, three, four] = server.addrs;
  assertEquals(server.addr, one);
  assertEquals([one?.hostname, two?.hostname], ["127.0.0.1", "127.0.0.1"]);
  assertEquals([three?.hostname, four?.hostname], ["127.0.0.2", "127.0.0.2"]);
  assertEquals([one?.port, two?.port], [three?.port, four?.port]);
  assert(one?.port !== two?.port);
});

Deno.test(
  "it can be closed while it is about to answer, and wrong options are refused",
  retaking(async () => {
    const server = await serveStun({ mode: "late", delay: 60_000 });
    const { addr } = server;
    await using pipe = await pipeOpen(UDP, { dest: addr });
    await assertRejects(() => pipe.request(request().encode(), { timeout: 100 }));
    await server.close();
    await using again = await serveStun({ ports: [addr.port] });
    assertEquals(again.addr.port, addr.port);
    for (
      const options of [
        { hosts: [] },
        { mode: "rude" },
        { proto: "tcp", mode: "stranger" },
        { mapped: 3 },
        { port: 3478 },
      ]
    ) {
      await assertRejects(() => Reflect.apply(serveStun, undefined, [options]), TypeError);
    }
  }),
);
