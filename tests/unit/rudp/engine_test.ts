/** The protocol in a simulated network. */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { PipeTimeoutError } from "@p2pd/pipes";
import { Engine } from "../../../lib/rudp/engine.ts";
import type { Outgoing } from "../../../lib/rudp/outgoing.ts";
import { ackPacket, dataPacket } from "../../../lib/rudp/packet.ts";
import { TransportError } from "../../../lib/transport/error.ts";
import { text } from "../../helpers/pipes.ts";
import { type Host, Simulator, type Weather } from "./simulator.ts";
import { traffic } from "./traffic.ts";

const bytes = (words: string) => new TextEncoder().encode(words);

/** Two hosts, and what the second one takes. */
function pair(weather?: Weather, ackTimeout?: number, base?: () => bigint) {
  const net = new Simulator(1, weather);
  const a = net.host("10.0.0.1", ackTimeout, base), b = net.host("10.0.0.2", ackTimeout);
  const got: string[] = [];
  b.onMessage = (message) => {
    got.push(text(message) ?? "");
    return true;
  };
  return { net, a, b, got };
}

const spoilt = { duplication: 0.1, reordering: 0.1, latency: 10, jitter: 5 };

for (const loss of [0, 0.01, 0.05, 0.2]) {
  Deno.test(`rudp: ${loss * 100} % lost, 10 % doubled: all acknowledged arrive once`, () => {
    for (const seed of [1, 2]) {
      const { failed, packets } = traffic(1500, seed, { loss, ...spoilt });
      assertEquals(failed, 0);
      // Each try takes a message and an acknowledgement that both arrive, in (1 - loss) ** 2 of cases.
      const needed = 1 / (1 - loss) ** 2 + 1 / (1 - loss);
      assert(packets < needed * 1.25, `${packets} packets for each message, ${needed} are needed`);
    }
  });
}

Deno.test("rudp: without loss a message costs two packets, and the path is filled", () => {
  const { packets, seconds, duplicates } = traffic(5000, 3, { latency: 50, jitter: 10 });
  assertEquals([packets, duplicates], [2, 0]);
  // 128 for each round trip, after some round trips to get there
  assert(seconds < 5000 / 128 * 0.11 + 1.5, `${seconds} s`);
});

Deno.test("rudp: a cut link is reported by every pending send, those that wait included", () => {
  const { net, a, b } = pair({ latency: 10 }, 10_000);
  let acknowledged = 0;
  for (let i = 0; i < 50; i++) net.send(a, b, bytes("x"), () => acknowledged++);
  net.run();
  assertEquals(acknowledged, 50);
  net.weather = { loss: 1 };
  const cutAt = net.now, errors: unknown[] = [];
  for (let i = 0; i < 500; i++) net.send(a, b, bytes("y"), (error) => errors.push(error));
  net.run(() => errors.length === 500);
  assertEquals(errors.length, 500);
  assert(Math.abs(net.now - cutAt - 10_000) < 100, `${net.now - cutAt} ms`);
  for (const error of errors) {
    assertInstanceOf(error, TransportError);
    assertEquals(error.fault, "unanswered");
    assertInstanceOf(error.cause, PipeTimeoutError);
  }
  assert(a.engine.idle);
  net.weather = { latency: 10 };
  const before = net.packets;
  net.send(a, b, bytes("z"), (error) => assertEquals(error, undefined));
  net.run();
  assertEquals(net.packets - before, 2);
});

Deno.test("rudp: a link that is cut in full flow is reported by every send in one ackTimeout", () => {
  const { net, a, b } = pair({ latency: 10 }, 10_000);
  let acknowledged = 0, failed = 0, heardAt = 0;
  for (let i = 0; i < 5000; i++) {
    net.send(a, b, bytes("x"), (error) => {
      if (error !== undefined) return void failed++;
      acknowledged++;
      heardAt = net.now;
    });
  }
  net.run(() => acknowledged > 2000);
  net.weather = { loss: 1 };
  net.run(() => a.engine.idle);
  assertEquals(acknowledged + failed, 5000);
  assert(failed > 2000, `${failed}`);
  assertEquals(net.now, heardAt + 10_000);
});

Deno.test("rudp: to a silent peer one message goes out after 0, 1, 3 and 7 seconds", () => {
  const { net, a, b } = pair({ loss: 1 }, 10_000);
  const sent: number[] = [];
  let failed = 0;
  for (let i = 0; i < 10; i++) net.send(a, b, bytes("x"), () => failed++);
  let packets = 0;
  net.run(() => {
    if (net.packets > packets) sent.push(net.now);
    packets = net.packets;
    return false;
  });
  assertEquals([sent, net.now, failed], [[0, 1000, 3000, 7000], 10_000, 10]);
});

Deno.test("rudp: a message that alone is never acknowledged fails alone", () => {
  const { net, a, b, got } = pair({ latency: 10 }, 5000);
  b.onMessage = (message) => text(message) !== "odd" && got.push(text(message) ?? "") > 0;
  const settled: string[] = [];
  const send = (words: string) =>
    net.send(a, b, bytes(words), (error) => settled.push(`${words}: ${error?.message ?? "fine"}`));
  send("one");
  net.run();
  send("odd");
  for (let i = 1; i < 60; i++) net.after(i * 100, () => send(`n${i}`));
  net.run();
  assertEquals(got.length, 60);
  const bad = settled.filter((line) => !line.endsWith(": fine"));
  assertEquals(bad.length, 1);
  assert(/^odd: not acknowledged within 5000 ms \(sent \d+ times\)$/.test(bad[0] ?? ""), bad[0]);
});

Deno.test("rudp: what is not taken is not acknowledged, and is taken when there is room", () => {
  const { net, a, b, got } = pair({ latency: 10 });
  let room = false, acknowledged = 0;
  b.onMessage = (message) => room && got.push(text(message) ?? "") > 0;
  for (let i = 0; i < 20; i++) net.send(a, b, bytes(`${i}`), () => acknowledged++);
  net.run(() => net.now > 3000);
  assertEquals([acknowledged, got], [0, []]);
  assertEquals(b.engine.size, { peers: 0, blocks: 0 });
  room = true;
  net.run();
  assertEquals([acknowledged, got.length, new Set(got).size], [20, 20, 20]);
});

Deno.test("rudp: only the peer itself acknowledges, and only what it was sent", () => {
  const { net, a, b } = pair({ loss: 1 }, 60_000, () => 500n);
  let acknowledged = 0;
  net.send(a, b, bytes("x"), () => acknowledged++);
  const other: Host["addr"] = { ...b.addr, port: 2 };
  a.engine.receive(ackPacket(500n), other, net.now);
  a.engine.receive(ackPacket(499n), b.addr, net.now);
  a.engine.receive(ackPacket(501n), b.addr, net.now);
  a.engine.receive(dataPacket(500n, bytes("x")), b.addr, net.now);
  assertEquals(acknowledged, 0);
  a.engine.receive(ackPacket(500n), b.addr, net.now);
  a.engine.receive(ackPacket(500n), b.addr, net.now);
  assertEquals([acknowledged, a.engine.idle], [1, true]);
});

Deno.test("rudp: an acknowledgement out of order is seen to in time", () => {
  const to = { transport: "udp", hostname: "10.0.0.2", port: 1 } as const;
  let base = 0n;
  const engine = new Engine({
    ackTimeout: 5000,
    take: () => true,
    onDuplicate: () => {},
    transmit: () => {},
    base: () => base++,
  });
  const send = (now: number) => engine.send(bytes("x"), to, now, () => {});
  send(0);
  engine.receive(ackPacket(0n), to, 100);
  send(100);
  send(100);
  engine.tick(110);
  assertEquals(engine.due, 400);
  engine.receive(ackPacket(2n), to, 200);
  assertEquals(engine.due, 225);
});

Deno.test("rudp: a peer is the same with its zone and without", () => {
  const net = new Simulator(1);
  const a = net.host("10.0.0.1", 1000, () => 7n);
  const to = (hostname: string) => ({ transport: "udp", hostname, port: 9 }) as const;
  let acknowledged = 0;
  a.engine.send(bytes("x"), to("fe80::1"), 0, () => acknowledged++);
  a.engine.send(bytes("y"), to("fe80::1%eth0"), 0, () => acknowledged++);
  a.engine.receive(ackPacket(7n), to("fe80::1%eth0"), 1);
  a.engine.receive(ackPacket(8n), to("fe80::1"), 1);
  assertEquals(acknowledged, 2);
});

Deno.test("rudp: numbers go on at 0 after the last one", () => {
  const { net, a, b, got } = pair({ loss: 0.1, latency: 10 }, 60_000, () => 2n ** 64n - 100n);
  let acknowledged = 0;
  for (let i = 0; i < 200; i++) net.send(a, b, bytes(`${i}`), () => acknowledged++);
  net.run();
  assertEquals([acknowledged, got.length, new Set(got).size], [200, 200, 200]);
});

Deno.test("rudp: a peer that was started again is heard at once, as it has other numbers", () => {
  const { net, a, b, got } = pair();
  for (let i = 0; i < 10; i++) net.send(a, b, bytes(`${i}`));
  net.run();
  const again = net.host("10.0.0.1");
  for (let i = 10; i < 20; i++) net.send(again, b, bytes(`${i}`));
  net.run();
  assertEquals([got.length, b.duplicates], [20, 0]);
});

Deno.test("rudp: one that counts from the same number again is heard after three minutes", () => {
  const { net, a, b, got } = pair({}, 1000, () => 1n);
  net.send(a, b, bytes("before"));
  net.run();
  const again = net.host("10.0.0.1", 1000, () => 1n);
  net.send(again, b, bytes("repeated?"));
  net.run();
  assertEquals([got, b.duplicates], [["before"], 1]);
  const last = net.host("10.0.0.1", 1000, () => 1n);
  net.after(180_000, () => net.send(last, b, bytes("after")));
  net.run();
  assertEquals([got, b.duplicates], [["before", "after"], 1]);
});

Deno.test("rudp: a message that the system refuses to send fails at once, with its error", () => {
  const to = { transport: "udp", hostname: "10.0.0.2", port: 1 } as const;
  const refused = new TransportError("failed", new Error("Message too long"));
  const sent: Outgoing[] = [];
  const engine = new Engine({
    ackTimeout: 5000,
    take: () => true,
    onDuplicate: () => {},
    transmit: (_packet, _to, message) => {
      if (message !== undefined) sent.push(message);
    },
  });
  const failures: unknown[] = [];
  const send = (now: number) => engine.send(bytes("x"), to, now, (error) => failures.push(error));
  const last = () => {
    const message = sent.at(-1);
    assert(message !== undefined);
    return message;
  };
  send(0);
  engine.refused(last(), refused, 1);
  assertEquals([failures, engine.idle], [[refused], true]);
  // One that was sent before may have arrived: the error is the reason in the end.
  send(10);
  engine.tick(1010);
  assertEquals(last().tries, 2);
  engine.refused(last(), refused, 1011);
  assertEquals(failures, [refused]);
  engine.tick(5010);
  assertEquals(failures, [refused, refused]);
});
