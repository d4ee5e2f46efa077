/** Servers that want to know who asks: RFC 8489, section 9.2. */
import {
  ATTRIBUTES,
  type StunCredentials,
  StunError,
  StunMessage,
  withIntegrity,
} from "@p2pd/pipes/stun";
import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { type Exchange, Session } from "../../../lib/stun/session.ts";
import { StunGuard, type StunServerCredentials } from "../../../lib/testing/stun_guard.ts";
import { replyTo } from "../../../lib/testing/stun_reply.ts";
import { answer, ask, errorOf, SERVER, US } from "./sessions.ts";

const ME: StunCredentials = { username: "マトリックス", password: "TheMatrIX" };

const outcomeOf = ({ outcome }: Exchange) => outcome?.kind;

/** A server with a guard that answers at once, as far as `change` lets it. */
function converse(
  session: Session,
  exchange: Exchange,
  credentials: StunServerCredentials,
  change = (message: StunMessage) => message,
): StunMessage[] {
  const guard = new StunGuard(credentials);
  const place = { addr: SERVER, changed: () => undefined };
  const rules = { guard, mapped: undefined, error: undefined, alternate: undefined };
  const heard: StunMessage[] = [];
  for (let now = 0; now < 20 && exchange.outcome === undefined; now++) {
    for (const { transaction } of session.step(now).send) {
      const request = StunMessage.decode(transaction.data);
      heard.push(request);
      const reply = replyTo(request, US, place, rules);
      if (reply !== undefined) session.receive(change(reply.message).encode(), SERVER, now);
    }
  }
  return heard;
}

for (const algorithm of ["MD5", "SHA-256"] as const) {
  Deno.test(`401, ${algorithm}: asks again with credentials, and the next time with them at once`, () => {
    const session = new Session(false, ME);
    const exchange = ask(session);
    const heard = converse(session, exchange, { ...ME, algorithm });
    assertEquals(exchange.outcome?.kind, "answer");
    assertEquals(heard.length, 2);
    const [, signed] = heard;
    const hidden = algorithm === "SHA-256";
    assertEquals(signed?.get(ATTRIBUTES.userhash) !== undefined, hidden);
    assertEquals(signed?.get(ATTRIBUTES.username), hidden ? undefined : ME.username);
    assertEquals(signed?.get(ATTRIBUTES.passwordAlgorithm)?.algorithm, hidden ? 2 : undefined);
    assert(heard[0]?.transactionId.toHex() !== signed?.transactionId.toHex());
    const next = ask(session);
    assert(next.signed !== undefined);
  });

  Deno.test(`401, ${algorithm}: credentials that are wrong are not tried again`, () => {
    const session = new Session(false, ME);
    const exchange = ask(session);
    const heard = converse(session, exchange, { ...ME, algorithm, password: "other" });
    assertEquals(heard.length, 2);
    const error = errorOf(exchange);
    assertInstanceOf(error, StunError);
    assertEquals([error.fault, error.code], ["unauthenticated", 401]);
    assert(!error.message.includes(ME.password));
  });
}

Deno.test("401 without credentials is an error that says so", () => {
  const session = new Session(false);
  const exchange = ask(session);
  converse(session, exchange, ME);
  assertStringIncludes(errorOf(exchange).message, "wants credentials, and there are none");
});

Deno.test("438: asks again with the new nonce, but not for ever", () => {
  const session = new Session(false, ME);
  const credentials = { ...ME, nonceUses: 1 };
  const guard = new StunGuard(credentials);
  const place = { addr: SERVER, changed: () => undefined };
  const rules = { guard, mapped: undefined, error: undefined, alternate: undefined };
  const serve = (exchange: Exchange) => {
    const codes: (number | undefined)[] = [];
    while (exchange.outcome === undefined) {
      session.step(0);
      const request = StunMessage.decode(exchange.transaction.data);
      const { message } = replyTo(request, US, place, rules) ?? { message: request };
      codes.push(message.get(ATTRIBUTES.errorCode)?.code);
      session.receive(message.encode(), SERVER, 0);
    }
    return codes;
  };
  assertEquals(serve(ask(session)), [401, undefined]);
  assertEquals(serve(ask(session)), [438, undefined]);
  const never = new StunGuard({ ...ME, nonceUses: 0 });
  const exchange = ask(new Session(false, ME));
  const poor = new Session(false, ME);
  const asked = ask(poor);
  let count = 0;
  for (; asked.outcome === undefined; count++) {
    poor.step(0);
    const request = StunMessage.decode(asked.transaction.data);
    const reply = replyTo(request, US, place, { ...rules, guard: never });
    if (reply !== undefined) poor.receive(reply.message.encode(), SERVER, 0);
  }
  assertEquals([count, exchange.outcome], [4, undefined]);
  assertEquals(asked.outcome.kind, "failed");
});

Deno.test("an answer to a signed request must be signed in the same way", () => {
  for (const algorithm of ["MD5", "SHA-256"] as const) {
    const session = new Session(false, ME);
    const exchange = ask(session);
    // Somebody on the way takes the check out, or changes something.
    const heard = converse(session, exchange, { ...ME, algorithm }, (message) => {
      if (message.class === "error") return message;
      const attributes = message.attributes.filter(({ type }) => type !== 0x8022);
      return new StunMessage({
        class: "success",
        transactionId: message.transactionId,
        attributes,
      });
    });
    assertEquals([heard.length, exchange.outcome], [2, undefined]);
    assertEquals(session.stats.untrusted, 1);
    const bare = answer(exchange);
    session.receive(bare.encode(), SERVER, 20);
    const refusal = answer(exchange, "error").with(ATTRIBUTES.errorCode, { code: 500, reason: "" });
    session.receive(refusal.encode(), SERVER, 20);
    assertEquals([session.stats.untrusted, exchange.outcome], [3, undefined]);
    // With both checks, so that a weaker one could do; then as it must be.
    const { key, hash } = exchange.signed ?? {};
    assert(key !== undefined && hash !== undefined);
    const both = withIntegrity(withIntegrity(bare, key), key, "SHA-256");
    session.receive(both.encode(), SERVER, 20);
    assertEquals([session.stats.untrusted, exchange.outcome], [4, undefined]);
    session.receive(withIntegrity(bare, key, hash).encode(), SERVER, 20);
    assertEquals(outcomeOf(exchange), "answer");
  }
});

Deno.test("the list of algorithms cannot be taken out on the way (section 9.2.5)", () => {
  const session = new Session(false, ME);
  const exchange = ask(session);
  const heard = converse(session, exchange, { ...ME, algorithm: "SHA-256" }, (message) => {
    const { class: kind, transactionId } = message;
    const attributes = message.attributes.filter(({ type }) => type !== 0x8002);
    return new StunMessage({ class: kind, transactionId, attributes });
  });
  assertEquals([heard.length, errorOf(exchange).name], [1, "StunError"]);
});

Deno.test("a realm that nobody can be a user in ends the question and nothing else", () => {
  for (const realm of ["", "a\u0000b", "x".repeat(700)]) {
    const session = new Session(false, ME);
    const exchange = ask(session), other = ask(session);
    const { transactionId } = exchange.transaction.message;
    const said = new StunMessage({ class: "error", transactionId })
      .with(ATTRIBUTES.errorCode, { code: 401, reason: "" }).with(ATTRIBUTES.nonce, "n");
    const bytes = new TextEncoder().encode(realm);
    const padding = new Uint8Array(-bytes.length & 3);
    const attributes = [...said.attributes, { type: 0x0014, value: bytes, padding }];
    const message = new StunMessage({ class: "error", transactionId, attributes });
    session.receive(message.encode(), SERVER, 1);
    assertEquals([errorOf(exchange).name, other.outcome], ["StunError", undefined]);
  }
});
