/** Transactions and what is made of answers, with a clock and a network that are arguments. */
import { PipeTimeoutError } from "@p2pd/pipes";
import { ATTRIBUTES, SHORT_TIMING, StunError, StunMessage } from "@p2pd/pipes/stun";
import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { type Exchange, Session } from "../../../lib/stun/session.ts";
import { Random } from "../../helpers/random.ts";
import { answer, ask, errorOf, SERVER, udp, US } from "./sessions.ts";

/** Lets a session run until it is silent for good, and notes when it sent. */
function run(session: Session, end = Infinity): { sent: number[]; ended: [number, Exchange][] } {
  const sent: number[] = [], ended: [number, Exchange][] = [];
  for (let now = 0; now < end;) {
    const step = session.step(now);
    sent.push(...step.send.map(() => now));
    ended.push(...step.ended.map((one): [number, Exchange] => [now, one]));
    if (step.due === Infinity) break;
    now = step.due;
  }
  return { sent, ended };
}

Deno.test("RFC 8489, section 6.2.1: seven tries, each wait twice the one before, 39.5 s", () => {
  const session = new Session(false);
  const exchange = ask(session);
  const { sent, ended } = run(session);
  assertEquals(sent, [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
  assertEquals(ended, [[39_500, exchange]]);
  assertInstanceOf(errorOf(exchange), PipeTimeoutError);
  assertStringIncludes(errorOf(exchange).message, "192.0.2.1:3478 (sent 7 times)");
});

Deno.test("the short profile: four tries in 2.75 s", () => {
  const session = new Session(false);
  ask(session, 0, { timing: SHORT_TIMING });
  const { sent, ended } = run(session);
  assertEquals([sent, ended[0]?.[0]], [[0, 250, 750, 1750], 2750]);
});

Deno.test("RFC 8489, section 6.2.2: over TCP it is sent once and given up after Ti", () => {
  const session = new Session(true);
  ask(session);
  const { sent, ended } = run(session);
  assertEquals([sent, ended[0]?.[0]], [[0], 39_500]);
});

Deno.test("a clock that jumps makes nothing be sent twice at once", () => {
  const session = new Session(false);
  ask(session);
  session.step(0);
  assertEquals(session.step(20_000).send.length, 1);
  const { send, due } = session.step(20_001);
  assertEquals([send.length, due], [0, 21_000]);
});

Deno.test("a link-local server may be shown without its zone, and no other zone is its own", () => {
  for (
    const [from, strangers] of [["fe80::1", 0], ["fe80::1%eth0", 0], ["fe80::1%eth1", 1]] as const
  ) {
    const session = new Session(false);
    const exchange = ask(session, 0, { to: udp("fe80::1%eth0", 3478) });
    session.step(0);
    session.receive(answer(exchange).encode(), udp(from, 3478), 1);
    assertEquals([session.stats.strangers, exchange.outcome === undefined], [
      strangers,
      strangers === 1,
    ]);
  }
});

Deno.test("fault 30: STUN sends again until it is answered, the same bytes each time", () => {
  const session = new Session(false);
  const exchange = ask(session);
  const first = session.step(0).send[0]?.transaction.data;
  assertEquals(session.step(500).send[0]?.transaction.data, first);
  session.receive(answer(exchange).encode(), SERVER, 700);
  const { ended, due } = session.step(700);
  assertEquals([ended, due], [[exchange], Infinity]);
  assert(exchange.outcome?.kind === "answer");
  assertEquals(exchange.outcome.rtt, undefined); // to which of the two?
});

Deno.test("the first answer tells how long it took", () => {
  const session = new Session(false);
  const exchange = ask(session, 100);
  session.step(100);
  session.receive(answer(exchange).encode(), SERVER, 130);
  assertEquals(exchange.outcome?.kind === "answer" && exchange.outcome.rtt, 30);
});

Deno.test("an answer counts by its id and its sender; all else is ignored and counted", () => {
  const session = new Session(false);
  const exchange = ask(session);
  session.step(0);
  const right = answer(exchange).encode();
  const other = new StunMessage({ class: "success" }).encode();
  const { transactionId } = exchange.transaction.message;
  const request = new StunMessage({ class: "request", transactionId }).encode();
  const allocate = new StunMessage({ class: "success", method: 3, transactionId }).encode();
  for (const data of [other, request, allocate]) session.receive(data, SERVER, 1);
  session.receive(right, udp("192.0.2.1", 3479), 1);
  session.receive(right, udp("192.0.2.2", 3478), 1);
  session.receive(right.subarray(0, 10), SERVER, 1);
  assertEquals(exchange.outcome, undefined);
  session.receive(right, SERVER, 2);
  assertEquals(exchange.outcome?.kind, "answer");
  session.receive(right, SERVER, 3); // once more
  assertEquals(session.stats, { malformed: 1, unmatched: 4, strangers: 2, untrusted: 0 });
});

Deno.test("an answer that comes too late is ignored", () => {
  const session = new Session(false);
  const exchange = ask(session);
  run(session);
  session.receive(answer(exchange).encode(), SERVER, 40_000);
  assertEquals(exchange.outcome?.kind, "failed");
  assertEquals(session.stats.unmatched, 1);
});

Deno.test("one that asks for a change takes the answer from another address", () => {
  const session = new Session(false);
  const exchange = ask(session, 0, { anyFrom: true });
  const from = udp("192.0.2.2", 3479);
  session.receive(answer(exchange).encode(), from, 1);
  assertEquals(exchange.outcome?.kind === "answer" && exchange.outcome.from, from);
});

Deno.test("fault 30: an error answer is an error, at once", () => {
  for (const code of [300, 400, 403, 420, 500, 699]) {
    const session = new Session(false);
    const exchange = ask(session);
    // With an address in it, too, that must not be taken.
    const message = answer(exchange, "error")
      .with(ATTRIBUTES.errorCode, { code, reason: "no\u001b[31m" })
      .with(ATTRIBUTES.unknownAttributes, [3])
      .with(ATTRIBUTES.xorMappedAddress, US);
    session.receive(message.encode(), SERVER, 1);
    const error = errorOf(exchange);
    assertInstanceOf(error, StunError);
    assertEquals([error.fault, error.code, error.unknownAttributes], ["refused", code, [3]]);
    assert(!error.message.includes("\u001b"));
    assertStringIncludes(error.message, "0x0003");
  }
});

Deno.test("300: the error says whom to ask instead", () => {
  const session = new Session(false);
  const exchange = ask(session);
  const message = answer(exchange, "error")
    .with(ATTRIBUTES.errorCode, { code: 300, reason: "" })
    .with(ATTRIBUTES.alternateServer, { hostname: "192.0.2.9", port: 9 })
    .with(ATTRIBUTES.alternateDomain, "other.example");
  session.receive(message.encode(), SERVER, 1);
  const error = errorOf(exchange);
  assertInstanceOf(error, StunError);
  assertEquals(error.alternate, { hostname: "192.0.2.9", port: 9, domain: "other.example" });
});

Deno.test("an answer that cannot be understood ends it: section 6.3.3 and 6.3.4", () => {
  const unknown = { type: 0x7777, value: new Uint8Array(), padding: new Uint8Array() };
  for (const kind of ["success", "error"] as const) {
    const session = new Session(false);
    const exchange = ask(session);
    const { transactionId, attributes } = answer(exchange, kind);
    const message = new StunMessage({
      class: kind,
      transactionId,
      attributes: [...attributes, unknown],
    });
    session.receive(message.encode(), SERVER, 1);
    assertStringIncludes(errorOf(exchange).message, "0x7777");
  }
  const session = new Session(false);
  const exchange = ask(session);
  session.receive(answer(exchange, "error").encode(), SERVER, 1);
  assertStringIncludes(errorOf(exchange).message, "without a code");
});

Deno.test("100,000 packets, random or nearly right, are dropped with a count", () => {
  const session = new Session(false);
  const exchange = ask(session);
  session.step(0);
  const random = new Random(3);
  const right = answer(exchange).encode();
  for (let i = 0; i < 100_000; i++) {
    const near = right.slice(), at = 2 + random.below(18);
    near[at] = (near[at] ?? 0) ^ (1 + random.below(255));
    session.receive(i % 2 === 0 ? random.bytes(random.below(100)) : near, SERVER, 1);
  }
  const { malformed, unmatched, strangers, untrusted } = session.stats;
  assertEquals([malformed + unmatched, strangers + untrusted], [100_000, 0]);
  assert(unmatched > 20_000 && malformed > 50_000);
  assertEquals([exchange.outcome, session.step(1).ended.length], [undefined, 0]);
  session.receive(right, SERVER, 2);
  assertEquals(exchange.outcome?.kind, "answer");
});
