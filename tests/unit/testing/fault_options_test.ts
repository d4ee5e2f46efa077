import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { pipeOpen, QUIC, TCP, UDP } from "@p2pd/pipes";
import { type FaultOptions, faultProxy, faultyNetwork, memoryNetwork } from "@p2pd/pipes/testing";

/** As a caller without types would write it. */
const options = (json: string): FaultOptions => JSON.parse(json);

Deno.test("faults: wrong options are refused by name and value, before any socket", () => {
  const wrong: readonly (readonly [json: string, error: typeof TypeError, message: string])[] = [
    ['{ "upstrem": {} }', TypeError, 'there is no "upstrem"'],
    ['{ "upstream": 5 }', TypeError, "upstream: an object with faults is needed, got 5"],
    ['{ "upstream": { "los": 1 } }', TypeError, 'upstream: there is no "los"'],
    [
      '{ "upstream": { "loss": 2 } }',
      RangeError,
      "upstream.loss: a probability is from 0 to 1, got 2",
    ],
    [
      '{ "upstream": { "loss": "1" } }',
      TypeError,
      'upstream.loss: a probability is needed, got "1"',
    ],
    ['{ "downstream": { "duplication": -1 } }', RangeError, "downstream.duplication"],
    ['{ "downstream": { "reordering": null } }', TypeError, "downstream.reordering"],
    ['{ "downstream": { "corruption": 1.5 } }', RangeError, "downstream.corruption"],
    ['{ "upstream": { "latency": -1 } }', RangeError, "upstream.latency: must be 0 or more"],
    ['{ "upstream": { "jitter": "5" } }', TypeError, "upstream.jitter: a number of milliseconds"],
    ['{ "upstream": { "bandwidth": 0 } }', RangeError, "upstream.bandwidth: must be more than 0"],
    ['{ "upstream": { "queue": 1.5 } }', RangeError, "upstream.queue"],
    ['{ "upstream": { "slicing": 5 } }', TypeError, "upstream.slicing: { size, variation, delay }"],
    ['{ "upstream": { "slicing": { "size": 0 } } }', RangeError, "upstream.slicing.size"],
    [
      '{ "upstream": { "slicing": { "size": 5, "variation": 5 } } }',
      RangeError,
      "upstream.slicing.variation: must be less than the size 5, got 5",
    ],
    ['{ "upstream": { "slicing": { "size": 5, "delay": -1 } } }', RangeError, "slicing.delay"],
    ['{ "upstream": { "slicing": { "size": 5, "dely": 1 } } }', TypeError, 'no "dely"'],
    ['{ "upstream": { "slowEnd": "x" } }', TypeError, "upstream.slowEnd"],
    ['{ "upstream": { "cut": { "how": "explode" } } }', TypeError, "upstream.cut.how"],
    ['{ "upstream": { "cut": { "how": "end", "bytes": -1 } } }', RangeError, "upstream.cut.bytes"],
    ['{ "upstream": { "cut": { "how": "end", "ms": -1 } } }', RangeError, "upstream.cut.ms"],
    ['{ "down": 1 }', TypeError, "down: true or false is needed, got 1"],
    ['{ "seed": 0.5 }', RangeError, "seed"],
    ['{ "seed": "x" }', TypeError, "seed"],
  ];
  for (const [json, error, message] of wrong) {
    assertThrows(() => faultyNetwork(options(json)), error, message, json);
    assertThrows(() => memoryNetwork(options(json)), error, message, json);
    if (json.includes("seed")) continue;
    const net = faultyNetwork();
    assertThrows(() => net.setFaults(options(json)), error, message, json);
  }
  assertThrows(() => faultyNetwork().setFaults(options('{ "seed": 1 }')), TypeError, "seed");
});

const ONLY_DATAGRAMS = [{ loss: 0.1 }, { duplication: 0.1 }, { reordering: 0.1 }, { queue: 9 }];
const ONLY_STREAMS = [{ slicing: { size: 1 } }, { slowEnd: 1 }, { cut: { how: "end" } }] as const;

Deno.test("faults: a stream cannot lose, repeat or reorder bytes, a datagram cannot be cut", async () => {
  for (const make of [faultyNetwork, memoryNetwork]) {
    for (const upstream of ONLY_DATAGRAMS) {
      const net = make({ upstream });
      const key = `upstream.${Object.keys(upstream)[0]}: a byte stream`;
      await assertRejects(() => net.pipeOpen(TCP, { route: "127.0.0.1:0" }), TypeError, key);
      await assertRejects(() => net.pipeOpen(TCP, { dest: "127.0.0.1:9" }), TypeError, key);
      await (await net.pipeOpen(UDP, { route: "127.0.0.1:0" })).close();
    }
    for (const downstream of ONLY_STREAMS) {
      const net = make({ downstream });
      const key = `downstream.${Object.keys(downstream)[0]}: datagrams`;
      await assertRejects(() => net.pipeOpen(UDP, { dest: "127.0.0.1:9" }), TypeError, key);
      await (await net.pipeOpen(TCP, { route: "127.0.0.1:0" })).close();
    }
  }
});

Deno.test("faults: what is open decides what can be set, and stays as it was if that is wrong", async () => {
  const net = memoryNetwork({ upstream: { latency: 1 } });
  const server = await net.pipeOpen(TCP, { route: "127.0.0.1:0" });
  const client = await net.pipeOpen(TCP, { dest: server.localAddr });
  assertThrows(() => net.setFaults({ upstream: { loss: 0.5 } }), TypeError, "upstream.loss");
  net.setFaults({ upstream: { loss: 0, slicing: { size: 5 } } });
  await client.send("0123456789");
  await client.close();
  await server.close();
  assertEquals(net.counts.upstream.passed, 2);
  net.setFaults({ upstream: { loss: 0.5 } }); // nothing is open any more
});

Deno.test("faults: no raw sockets and no QUIC, which would be without", async () => {
  for (const net of [faultyNetwork(), memoryNetwork()]) {
    const raw = { route: "127.0.0.1:0", conf: { sockOnly: true } } as const;
    await assertRejects(() => net.pipeOpen(UDP, raw), TypeError, "conf.sockOnly");
    await assertRejects(() => net.pipeOpen(QUIC, { dest: "127.0.0.1:9" }), TypeError, "faultProxy");
    await using open = await net.pipeOpen(UDP, { route: "127.0.0.1:0" });
    await assertRejects(() => net.pipeOpen(UDP, { over: open }), TypeError, "that one's");
  }
});

Deno.test("faults: pipeOpen refuses what it always refuses", async () => {
  for (const open of [pipeOpen, faultyNetwork().pipeOpen, memoryNetwork().pipeOpen]) {
    await assertRejects(() => open(JSON.parse('"sctp"')), TypeError, "proto: one of");
    await assertRejects(() => open(TCP, JSON.parse("null")), TypeError, "options: an object");
    await assertRejects(() => open(TCP, JSON.parse('{ "dst": 1 }')), TypeError, "there is no");
    await assertRejects(() => open(UDP, { dest: "nohost:x" }), RangeError, "dest");
  }
});

Deno.test("faults: an unknown option is told which there are", async () => {
  const faults = "seed, upstream, downstream, down";
  const wrong = options('{ "upsteam": {} }');
  assertThrows(() => faultyNetwork(wrong), TypeError, `only ${faults}`);
  assertThrows(() => memoryNetwork(wrong), TypeError, `only hosts, ${faults}`);
  const proxy = () => faultProxy(TCP, { dest: "127.0.0.1:9", ...wrong });
  await assertRejects(proxy, TypeError, `only dest, route, ${faults}`);
});

Deno.test("faults: a proxy's options", async () => {
  const dest = "127.0.0.1:9";
  await assertRejects(() => faultProxy(JSON.parse('"quic"'), { dest }), TypeError, "proto");
  await assertRejects(() => faultProxy(TCP, { dest, upstream: { loss: 1 } }), TypeError, "loss");
  await assertRejects(() => faultProxy(TCP, JSON.parse('{ "dest": 5 }')), TypeError, "dest");
  await assertRejects(() => faultProxy(UDP, JSON.parse("{}")), TypeError, "dest");
  await assertRejects(
    () => faultProxy(UDP, JSON.parse('{ "dest": "1.2.3.4:5", "x": 1 }')),
    TypeError,
  );
});
