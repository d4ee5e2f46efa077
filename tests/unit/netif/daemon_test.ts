import { type NetAddr, type Pipe, pipeOpen, TCP, UDP } from "@p2pd/pipes";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { PipeOpenError, PipeStateError } from "../../../lib/errors.ts";
import { Daemon } from "../../../lib/netif/daemon.ts";
import { Route } from "../../../lib/netif/route.ts";
import { freePort, text, until } from "../../helpers/pipes.ts";
import { hasIPv6 } from "../../helpers/probes.ts";
import { card, echo } from "./daemons.ts";
import { retaking } from "../../helpers/retaking.ts";

/** What an echo of "hello" gives. */
async function ask(pipe: Pipe, dest: NetAddr = pipe.localAddr): Promise<string | null | undefined> {
  await using client = await pipeOpen(pipe.proto, { dest });
  const [reply] = await client.request("hello");
  return text(reply);
}

/** Where pipes listen, as "tcp 127.0.0.1". */
function where(pipes: Iterable<Pipe>): string[] {
  return Array.from(pipes, ({ proto, localAddr }) => `${proto} ${localAddr.hostname}`);
}

Deno.test("a daemon is many listeners with one set of handlers", async () => {
  const ups: string[] = [], ends: string[] = [];
  await using daemon = new Daemon({
    msgCb: echo,
    upCb: (_, _from, { proto }) => void ups.push(proto),
    endCb: (_, _from, { proto }) => void ends.push(proto),
    conf: { recvTimeout: 1234 },
  });
  const one = await daemon.addListener(TCP, "127.0.0.1:0");
  const two = await daemon.addListener(UDP, Route.loopback("IPv4").bind());
  const three = await daemon.addListener(TCP, ["127.77.0.2", 0]);
  assertEquals([...daemon.pipes], [one, two, three]);
  assertEquals([one, two, three].map(({ conf }) => conf.recvTimeout), [1234, 1234, 1234]);
  for (const pipe of daemon.pipes) assertEquals(await ask(pipe), "hello");
  await daemon.close();
  assertEquals(ups.toSorted(), ["tcp", "tcp", "udp"]);
  assertEquals(ends.toSorted(), ["tcp", "tcp", "udp"]);
  assertEquals(daemon.pipes.size, 0);
});

Deno.test("handlers that come and go concern every pipe, now and later", async () => {
  await using daemon = new Daemon();
  const heard: string[] = [];
  const first = (msg: Uint8Array) => void heard.push(`first ${text(msg)}`);
  const second = (msg: Uint8Array) => void heard.push(`second ${text(msg)}`);
  const up = () => void heard.push("up");
  const end = () => void heard.push("end");
  assertEquals(daemon.addMsgCb(first).addMsgCb(first).addUpCb(up).addEndCb(end), daemon);
  const early = await daemon.addListener(UDP, "127.0.0.1:0");
  daemon.addMsgCb(second).delMsgCb(first);
  const late = await daemon.addListener(UDP, "127.0.0.1:0");
  assertEquals(heard, ["up", "up"]);
  for (const { localAddr: dest } of [early, late]) {
    await using client = await pipeOpen(UDP, { dest });
    await client.send("a");
    await until(() => heard.length > 2, "the message");
    assertEquals(heard.splice(2), ["second a"]);
  }
  daemon.delUpCb(up).delEndCb(end);
  await daemon.addListener(UDP, "127.0.0.1:0");
  await daemon.close();
  assertEquals(heard, ["up", "up"]);
});

Deno.test("listenLoopback: one port for both families and both protocols", async () => {
  await using daemon = new Daemon({ msgCb: echo });
  const { pipes, errors } = await daemon.listenLoopback([TCP, UDP], 0);
  assertEquals(errors, []);
  const expected = ["tcp 127.0.0.1", "udp 127.0.0.1", "tcp ::1", "udp ::1"];
  assertEquals(where(pipes), hasIPv6 ? expected : expected.slice(0, 2));
  assertEquals(new Set(pipes.map(({ localAddr }) => localAddr.port)).size, 1);
  for (const pipe of pipes) assertEquals(await ask(pipe), "hello");
  const [one] = (await daemon.listenLoopback(TCP, 0, card("10.0.0.1/8"))).pipes;
  assertEquals(one?.localAddr.hostname, "127.0.0.1");
});

Deno.test("listenAll: every address of this machine, of both families", async () => {
  await using daemon = new Daemon({ msgCb: echo });
  const { pipes } = await daemon.listenAll([TCP, UDP], 0);
  assertEquals(where(pipes), hasIPv6 ? ["tcp ::", "udp ::"] : ["tcp 0.0.0.0", "udp 0.0.0.0"]);
  for (const pipe of pipes) {
    const { transport, port } = pipe.localAddr;
    for (const hostname of hasIPv6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"]) {
      assertEquals(await ask(pipe, { transport, hostname, port }), "hello");
    }
  }
});

Deno.test("listenAll with cards: every address of these and no other, on one port", async () => {
  await using daemon = new Daemon({ msgCb: echo });
  const nics = [card("127.0.0.1/8", "127.77.0.2/8"), card("127.77.0.3/8")];
  const { pipes } = await daemon.listenAll(TCP, 0, nics);
  assertEquals(where(pipes), ["tcp 127.0.0.1", "tcp 127.77.0.2", "tcp 127.77.0.3"]);
  assertEquals(new Set(pipes.map(({ localAddr }) => localAddr.port)).size, 1);
  for (const pipe of pipes) assertEquals(await ask(pipe), "hello");
  const port = pipes[0]?.localAddr.port ?? 0;
  const other = { transport: TCP, hostname: "127.0.0.4", port } as const;
  await assertRejects(() => pipeOpen(TCP, { dest: other }), PipeOpenError, "refused");
});

Deno.test("port 0 is a port that is free at every place, if it takes several tries", async () => {
  // Every other port of the second address is taken: the chance to find one all the same is good.
  const taken = [];
  try {
    for (let i = 0; i < 200; i++) taken.push(Deno.listen({ hostname: "127.77.0.2", port: 0 }));
    const nic = card("127.0.0.1/8", "127.77.0.2/8");
    for (let i = 0; i < 20; i++) {
      await using daemon = new Daemon();
      const { pipes: [a, b] } = await daemon.listenAll(TCP, 0, nic);
      assertEquals(a?.localAddr.port, b?.localAddr.port);
    }
  } finally {
    for (const listener of taken) listener.close();
  }
});

Deno.test("listenLocal: the private, link-local and unique local addresses alone", async () => {
  await using daemon = new Daemon();
  // None of these is here, so that the error lists what was tried.
  const local = ["10.77.66.55", "172.31.66.55", "192.168.166.55", "169.254.66.55", "fd77:66::55"];
  const others = ["100.64.66.55", "8.8.66.55", "2600:77:66::55", "192.0.2.55", "127.0.0.9"];
  const nic = card(...[...local, ...others].map((ip) => `${ip}/${ip.includes(":") ? 64 : 24}`));
  const error = await assertRejects(() => daemon.listenLocal(TCP, 4711, nic), PipeOpenError);
  for (const ip of local) assertStringIncludes(error.message, ip);
  for (const ip of others) assert(!error.message.includes(ip), error.message);
  assertStringIncludes(
    error.message,
    "Cannot listen at 5 of 5 places: Cannot listen on 10.77.66.55:4711: ",
  );
  const none = card("8.8.8.8/24", "2600::1/64");
  await assertRejects(
    () => daemon.listenLocal(TCP, 0, none),
    RangeError,
    "nic: nic0 has no private, link-local or unique local address, only 8.8.8.8, 2600::1",
  );
});

for (const proto of [TCP, UDP] as const) {
  Deno.test(`fault 32: what cannot listen is an error, and nothing of it stays open (${proto})`, async () => {
    const port = freePort();
    await using _taken = await pipeOpen(proto, { route: ["127.77.0.2", port] });
    let ups = 0;
    await using daemon = new Daemon({ upCb: () => void ups++ });
    const nic = card("127.77.0.1/8", "127.77.0.2/8", "127.77.0.3/8", "10.77.66.55/8");
    const error = await assertRejects(() => daemon.listenAll(proto, port, nic), PipeOpenError);
    assertEquals(error.phase, "bind");
    assertStringIncludes(error.message, `Cannot listen at 2 of 4 places: `);
    assertStringIncludes(error.message, `Cannot listen on 127.77.0.2:${port}: `);
    assertStringIncludes(error.message, `Cannot listen on 10.77.66.55:${port}: `);
    assert(error.cause instanceof AggregateError);
    assert(error.cause.errors.every((one) => one instanceof PipeOpenError));
    assertEquals([daemon.pipes.size, ups], [0, 0]);
    // The others are free again.
    for (const hostname of ["127.77.0.1", "127.77.0.3"]) {
      await using _ = await pipeOpen(proto, { route: [hostname, port] });
    }
    const one = await assertRejects(
      () => daemon.addListener(proto, `127.77.0.2:${port}`),
      PipeOpenError,
    );
    assertStringIncludes(one.message, `Cannot listen on 127.77.0.2:${port}: `);
  });
}

Deno.test("partial: what could be opened stays, with the errors of the rest", async () => {
  await using daemon = new Daemon({ msgCb: echo });
  const nic = card("127.0.0.1/8", "10.77.66.55/8", "127.77.0.2/8");
  const { pipes, errors } = await daemon.listenAll(TCP, 0, nic, { partial: true });
  assertEquals(where(pipes), ["tcp 127.0.0.1", "tcp 127.77.0.2"]);
  assertEquals(errors.map(({ phase }) => phase), ["bind"]);
  assertStringIncludes(String(errors[0]), "Cannot listen on 10.77.66.55:");
  for (const pipe of pipes) assertEquals(await ask(pipe), "hello");
  const nowhere = card("10.77.66.55/8", "10.77.66.56/8");
  await assertRejects(
    () => daemon.listenAll(TCP, 0, nowhere, { partial: true }),
    PipeOpenError,
    "Cannot listen at 2 of 2 places",
  );
});

Deno.test(
  "the same place twice is an error, with reuseAddr as well",
  retaking(async () => {
    const conf = { reuseAddr: true };
    await using daemon = new Daemon({ conf });
    const port = freePort();
    const pipe = await daemon.addListener(UDP, ["127.0.0.1", port]);
    const message = `Cannot listen on 127.0.0.1:${port} (udp): this daemon does so already`;
    const again = [
      () => daemon.addListener(UDP, ["127.0.0.1", port]),
      () => daemon.addListener(UDP, Route.loopback("IPv4").bind({ port })),
      () => daemon.listenLoopback([TCP, UDP], port),
      () => daemon.listenAll(UDP, port, card("127.0.0.1/8")),
    ];
    for (const listen of again) await assertRejects(listen, PipeStateError, message);
    const [any] = (await daemon.listenAll(UDP, 0)).pipes;
    const everywhere = any?.localAddr.port ?? 0;
    await assertRejects(() => daemon.listenAll(UDP, everywhere), PipeStateError, "does so already");
    assertEquals(daemon.pipes.size, 2);
    await daemon.addListener(TCP, ["127.0.0.1", port]); // another protocol
    await daemon.addListener(UDP, ["127.77.0.2", port]); // another address
    await pipe.close();
    assertEquals(daemon.pipes.size, 3);
    await daemon.addListener(UDP, ["127.0.0.1", port]); // free again
  }),
);

Deno.test("wrong arguments are refused before there is any socket", async () => {
  await using daemon = new Daemon();
  const nic = card("127.0.0.1/8");
  const given = (value: unknown) => value as never;
  const cases: readonly [() => Promise<unknown>, typeof TypeError, string][] = [
    [() => daemon.addListener(given("sctp"), "127.0.0.1:0"), TypeError, "proto: "],
    [() => daemon.addListener(TCP, given(undefined)), TypeError, "route: is missing"],
    [() => daemon.addListener(TCP, "localhost:0"), TypeError, "route: host must be an IP address"],
    [() => daemon.addListener(TCP, "127.0.0.1:65536"), RangeError, "route: port must be"],
    [() => daemon.listenAll(given("sctp"), 0), TypeError, "proto: "],
    [() => daemon.listenAll([], 0), TypeError, "proto: "],
    [
      () => daemon.listenAll(TCP, -1),
      RangeError,
      "port: must be a whole number from 0 to 65535, got -1",
    ],
    [() => daemon.listenAll(TCP, 65536), RangeError, "port: "],
    [() => daemon.listenAll(TCP, 1.5), RangeError, "port: "],
    [() => daemon.listenLoopback(TCP, given("80")), RangeError, "port: must be a whole number"],
    [() => daemon.listenLocal(TCP, NaN, nic), RangeError, "port: "],
    [() => daemon.listenAll(TCP, 0, given("eth0")), TypeError, 'Interface.get("eth0") gives it'],
    [
      () => daemon.listenLocal(TCP, 0, given(undefined)),
      TypeError,
      "nic: an Interface or an array",
    ],
    [() => daemon.listenLocal(TCP, 0, []), TypeError, "nic: "],
    [
      () => daemon.listenLoopback(TCP, 0, given([nic, nic])),
      TypeError,
      "nic: an Interface is needed",
    ],
    [() => daemon.listenAll(TCP, 0, nic, given({ part: true })), TypeError, 'there is no "part"'],
    [
      () => daemon.listenAll(TCP, 0, nic, { partial: given(1) }),
      TypeError,
      "partial: true or false",
    ],
    [() => daemon.close(given({ grace: "1" })), TypeError, "grace: a number of milliseconds"],
    [() => daemon.close({ grace: -1 }), RangeError, "grace: must be 0 or more"],
    [() => daemon.close(given({ grase: 1 })), TypeError, 'there is no "grase"'],
    [() => Promise.try(() => new Daemon(given({ onMsg: echo }))), TypeError, 'no "onMsg"'],
    [() => Promise.try(() => new Daemon(given({ msgCb: 1 }))), TypeError, "msgCb: a function"],
    [() => Promise.try(() => new Daemon({ conf: { maxQsize: -1 } })), RangeError, "conf.maxQsize"],
    [() => Promise.try(() => new Daemon({ conf: { sockOnly: true } })), TypeError, "conf.sockOnly"],
    [() => Promise.try(() => daemon.addMsgCb(given(1))), TypeError, "msgCb: a function"],
    [() => Promise.try(() => daemon.addUpCb(given(1))), TypeError, "upCb: a function"],
    [() => Promise.try(() => daemon.addEndCb(given(1))), TypeError, "endCb: a function"],
  ];
  for (const [call, kind, message] of cases) await assertRejects(call, kind, message);
  assertEquals(daemon.pipes.size, 0);
  await daemon.addListener(TCP, "127.0.0.1:0"); // a refused close has closed nothing
});
