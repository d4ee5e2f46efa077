/** The client over pipes of every kind, with the server that is there for tests. */
import { PipeClosedError, pipeOpen, PipeStateError, PipeTimeoutError, TCP, UDP } from "@p2pd/pipes";
import { ATTRIBUTES, RFC8489_TIMING, StunClient, StunError, StunMessage } from "@p2pd/pipes/stun";
import { serveStun } from "@p2pd/pipes/testing";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { KINDS, latch, until } from "../../helpers/pipes.ts";
import { hasIPv6 } from "../../helpers/probes.ts";
import { clientTls, serverTls } from "../../helpers/tls.ts";

const FAST = { rto: 20, rc: 3, rm: 4, ti: 200 };

for (const { name, proto, host, ignore, tls } of KINDS) {
  Deno.test(`${name}: many requests at once over one pipe`, { ignore }, async () => {
    const useSsl = tls === true && serverTls();
    await using server = await serveStun({ proto, hosts: [host], conf: { useSsl } });
    await using pipe = await pipeOpen(proto, {
      dest: server.addr,
      route: proto === UDP ? [host, 0] : undefined,
      conf: { useSsl: tls === true && clientTls() },
    });
    using client = new StunClient(pipe);
    const mappings = await Promise.all(Array.from({ length: 100 }, () => client.getMapping()));
    for (const { mapped, local, server: asked, responseOrigin, rtt, software } of mappings) {
      assertEquals([mapped, local], [pipe.localAddr, pipe.localAddr]);
      assertEquals([asked, responseOrigin], [server.addr, server.addr]);
      assertEquals(software, "@p2pd/pipes testing");
      assert(rtt === undefined || rtt >= 0);
    }
    assert(server.requests >= 100);
    assertEquals({ ...client.stats, unmatched: 0 }, {
      malformed: 0,
      unmatched: 0,
      strangers: 0,
      untrusted: 0,
    });
  });
}

Deno.test("a server for all addresses is asked at the address that it shows", async () => {
  for (const host of ["0.0.0.0", ...hasIPv6 ? ["::"] : []]) {
    await using server = await serveStun({ hosts: [host] });
    await using pipe = await pipeOpen(UDP, { route: [host, 0] });
    using client = new StunClient(pipe, { timing: FAST });
    const { mapped } = await client.getMapping({ server: server.addr });
    assertEquals(mapped.port, pipe.localAddr.port);
  }
});

Deno.test("one UDP pipe asks several servers, and goes on with everything else", async () => {
  await using one = await serveStun();
  await using two = await serveStun();
  await using pipe = await pipeOpen(UDP, { route: "127.0.0.1:0" });
  const other = latch<Uint8Array>();
  pipe.addMsgCb((msg) => {
    if (msg.length === 5) other.open(msg);
  });
  using client = new StunClient(pipe);
  const mappings = await Promise.all(
    [one, two, one].map(({ addr }) => client.getMapping({ server: addr })),
  );
  assertEquals(mappings.map(({ mapped }) => mapped), Array(3).fill(pipe.localAddr));
  assertEquals(mappings.map(({ server }) => server), [one.addr, two.addr, one.addr]);
  await using friend = await pipeOpen(UDP, { dest: pipe.localAddr });
  await friend.send("hello");
  assertEquals(await other.done, new TextEncoder().encode("hello"));
});

Deno.test("CHANGE-REQUEST: the answer comes from where it was asked to come from", async () => {
  await using server = await serveStun({ hosts: ["127.0.0.1", "127.0.0.2"] });
  await using pipe = await pipeOpen(UDP, { route: "127.0.0.1:0" });
  using client = new StunClient(pipe);
  const [here, port, ip, both] = server.addrs;
  const { otherAddress } = await client.getMapping({ server: server.addr });
  assertEquals(otherAddress, both);
  for (
    const [change, expected] of [
      [{ ip: false, port: false }, here],
      [{ ip: false, port: true }, port],
      [{ ip: true, port: false }, ip],
      [{ ip: true, port: true }, both],
    ] as const
  ) {
    const { from, message } = await client.request({
      server: server.addr,
      anyFrom: true,
      compose: (request) => request.with(ATTRIBUTES.changeRequest, change),
    });
    assertEquals(from, expected);
    assertEquals(message.get(ATTRIBUTES.responseOrigin)?.port, expected?.port);
  }
});

Deno.test("an answer from another address is none, however right", async () => {
  await using server = await serveStun({ mode: "stranger" });
  await using pipe = await pipeOpen(UDP, { route: "127.0.0.1:0" });
  using client = new StunClient(pipe, { timing: FAST });
  await assertRejects(() => client.request({ server: server.addr }), PipeTimeoutError);
  await until(() => client.stats.strangers > 0, "the answer of the stranger");
});

Deno.test("malformed answers are dropped with a count", async () => {
  await using server = await serveStun({ mode: "malformed" });
  await using pipe = await pipeOpen(UDP, { route: "127.0.0.1:0" });
  using client = new StunClient(pipe, { timing: { ...FAST, rto: 100 } });
  await assertRejects(() => client.request({ server: server.addr }), PipeTimeoutError);
  assert(client.stats.malformed >= 9, `${client.stats.malformed}`);
});

Deno.test("late and repeated answers are ignored with a count", async () => {
  await using pipe = await pipeOpen(UDP, { route: "127.0.0.1:0" });
  using client = new StunClient(pipe, { timing: FAST });
  {
    await using server = await serveStun({ mode: "late", delay: 400 });
    await assertRejects(() => client.request({ server: server.addr }), PipeTimeoutError);
    await until(() => client.stats.unmatched > 0, "the late answer");
  }
  const late = client.stats.unmatched;
  await using server = await serveStun({ mode: "twice" });
  const twice = () => client.request({ server: server.addr, timing: RFC8489_TIMING });
  await twice();
  await until(() => client.stats.unmatched > late, "the second answer");
});

Deno.test("a stream that is no STUN ends what is open; split and joined answers are read", async () => {
  const heard = latch<{ data: Uint8Array; pipe: { send(data: Uint8Array): Promise<number> } }>();
  await using server = await pipeOpen(TCP, {
    route: "127.0.0.1:0",
    msgCb: (data, _from, pipe) => heard.open({ data: data.slice(), pipe }),
  });
  await using pipe = await pipeOpen(TCP, { dest: server.localAddr });
  using client = new StunClient(pipe);
  const asking = client.getMapping();
  const { data, pipe: accepted } = await heard.done;
  const { transactionId } = StunMessage.decode(data);
  const answer = new StunMessage({ class: "success", transactionId })
    .with(ATTRIBUTES.mappedAddress, { hostname: "::ffff:192.0.2.1", port: 7 }).encode();
  const stray = new StunMessage({ class: "indication" }).encode();
  for (const byte of [...stray, ...answer]) await accepted.send(new Uint8Array([byte]));
  assertEquals((await asking).mapped, { transport: "tcp", hostname: "192.0.2.1", port: 7 });
  const next = client.request();
  await Promise.all([
    accepted.send(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n")),
    assertRejects(() => next, StunError, "not STUN"),
  ]);
  await assertRejects(() => client.request(), StunError, "not STUN");
});

Deno.test("a success that says nothing, or nonsense, is no answer", async () => {
  for (
    const mapped of [
      undefined,
      { hostname: "0.0.0.0", port: 9 },
      { hostname: "192.0.2.1", port: 0 },
      { hostname: "224.0.0.1", port: 9 },
      { hostname: "255.255.255.255", port: 9 },
      { hostname: "2001:db8::1", port: 9 }, // asked over IPv4
    ]
  ) {
    await using server = await pipeOpen(UDP, {
      route: "127.0.0.1:0",
      msgCb: (msg, from, pipe) => {
        const { transactionId } = StunMessage.decode(msg);
        const message = new StunMessage({ class: "success", transactionId });
        return pipe.send(
          (mapped ? message.with(ATTRIBUTES.xorMappedAddress, mapped) : message).encode(),
          from,
        );
      },
    });
    await using pipe = await pipeOpen(UDP, { dest: server.localAddr });
    using client = new StunClient(pipe);
    const error = await assertRejects(() => client.getMapping(), StunError, "Cannot use an answer");
    assertEquals(error.fault, "unusable");
  }
});

Deno.test(
  "an IPv6 host has an IPv4 address outside, behind a NAT64",
  { ignore: !hasIPv6 },
  async () => {
    const mapped = { hostname: "192.0.2.1", port: 9 };
    await using server = await serveStun({ hosts: ["::1"], mapped: () => mapped });
    await using pipe = await pipeOpen(UDP, { dest: server.addr });
    using client = new StunClient(pipe);
    assertEquals((await client.getMapping()).mapped, { transport: "udp", ...mapped });
  },
);

Deno.test("old servers say it in other attributes", async () => {
  const { mappedAddress, xorMappedAddressOld, sourceAddress, changedAddress } = ATTRIBUTES;
  const at = (port: number) => ({ hostname: "192.0.2.1", port });
  for (const type of [mappedAddress, xorMappedAddressOld]) {
    await using server = await pipeOpen(UDP, {
      route: "127.0.0.1:0",
      msgCb: (msg, from, pipe) => {
        const { transactionId } = StunMessage.decode(msg);
        const message = new StunMessage({ class: "success", transactionId }).with(type, at(1))
          .with(sourceAddress, at(2)).with(changedAddress, at(3));
        return pipe.send(message.encode(), from);
      },
    });
    await using pipe = await pipeOpen(UDP, { dest: server.localAddr });
    using client = new StunClient(pipe);
    const { mapped, responseOrigin, otherAddress } = await client.getMapping();
    assertEquals([mapped.port, responseOrigin?.port, otherAddress?.port], [1, 2, 3]);
  }
});

Deno.test("the end of the pipe, of the client and of patience", async () => {
  await using server = await serveStun({ mode: "silent" });
  const pipe = await pipeOpen(UDP, { dest: server.addr });
  const client = new StunClient(pipe);
  const reason = new Error("enough");
  const abort = new AbortController();
  const given = client.request({ signal: abort.signal });
  abort.abort(reason);
  assertEquals(await assertRejects(() => given), reason);
  await assertRejects(() => client.request({ signal: abort.signal }), Error, "enough");
  const open = client.request();
  await Promise.all([assertRejects(() => open, PipeClosedError), pipe.close()]);
  await assertRejects(() => client.request(), PipeClosedError, "the pipe has ended");
  await using peer = await pipeOpen(UDP, { route: "127.0.0.1:0" });
  await using second = await pipeOpen(UDP, { dest: peer.localAddr, route: "127.0.0.1:0" });
  const other = new StunClient(second);
  const left = other.request();
  other.close();
  await assertRejects(() => left, PipeClosedError, "the client is closed");
  // The pipe is as it was before.
  await peer.send("hello", second.localAddr);
  assertEquals(await second.recv(), new TextEncoder().encode("hello"));
  assertEquals(other.stats.malformed, 0);
});

Deno.test("an answered request has let go of its signal", async () => {
  await using server = await serveStun();
  await using pipe = await pipeOpen(UDP, { dest: server.addr });
  using client = new StunClient(pipe);
  const { signal } = new AbortController();
  let listeners = 0;
  const { addEventListener: add, removeEventListener: remove } = signal;
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove.apply(signal, args);
  };
  await client.request({ signal });
  assertEquals(listeners, 0);
});

Deno.test("a server that ends the connection is told at once", async () => {
  await using server = await pipeOpen(TCP, {
    route: "127.0.0.1:0",
    msgCb: (_msg, _from, pipe) => pipe.close(),
  });
  await using pipe = await pipeOpen(TCP, { dest: server.localAddr });
  using client = new StunClient(pipe);
  await assertRejects(() => client.request(), PipeClosedError);
});

Deno.test("wrong arguments are refused by name", async () => {
  await using server = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  assertThrows(() => new StunClient(server), TypeError, "pipe:");
  assertThrows(() => new StunClient(JSON.parse("{}")), TypeError, "pipe:");
  await using pipe = await pipeOpen(UDP, { route: "127.0.0.1:0" });
  const timing = { ...FAST, rc: 0 };
  assertThrows(() => new StunClient(pipe, { timing }), RangeError, "timing.rc");
  const credentials = { username: "", password: "x" };
  assertThrows(() => new StunClient(pipe, { credentials }), TypeError, "credentials.username");
  using client = new StunClient(pipe);
  await assertRejects(() => client.request(), PipeStateError, "no server is named");
  await assertRejects(() => client.request({ server: "localhost:1" }), TypeError, "server:");
  await assertRejects(() => client.request({ server: "127.0.0.1:0" }), RangeError, "server:");
});

Deno.test("credentials, over a real socket", async () => {
  const credentials = { username: "me", password: "secret" };
  await using server = await serveStun({ credentials: { ...credentials, algorithm: "SHA-256" } });
  await using pipe = await pipeOpen(UDP, { dest: server.addr });
  using client = new StunClient(pipe, { credentials });
  await client.getMapping();
  await client.getMapping();
  assert(server.requests >= 3);
  using stranger = new StunClient(pipe);
  await assertRejects(() => stranger.getMapping(), StunError, "wants credentials");
});
