/** The codec: strict about everything, and without loss. */
import {
  ATTRIBUTES,
  type AttributeType,
  hasIntegrity,
  shortTermKey,
  StunError,
  StunMessage,
  withIntegrity,
} from "@p2pd/pipes/stun";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { bytesOf, CLASSES, ID, KNOWN } from "./known.ts";

/** A message with these attributes, in hexadecimal. */
function raw(attributes: string): Uint8Array {
  const body = bytesOf(attributes);
  const head = new Uint8Array([1, 1, body.length >> 8, body.length & 255, 0x21, 0x12, 0xa4, 0x42]);
  return new Uint8Array([...head, ...ID, ...body]);
}

function refused(bytes: Uint8Array, why: string): void {
  const error = assertThrows(() => StunMessage.decode(bytes), StunError, why);
  assertEquals(error.fault, "malformed");
}

Deno.test("every class and method has the type of RFC 8489, section 5", () => {
  const types = CLASSES.map((kind) =>
    new StunMessage({ class: kind, transactionId: ID }).encode().slice(0, 2).toHex()
  );
  assertEquals(types, ["0001", "0011", "0101", "0111"]);
  for (const kind of CLASSES) {
    for (let method = 0; method < 0x1000; method++) {
      const bytes = new StunMessage({ class: kind, method, transactionId: ID }).encode();
      assert((bytes[0] ?? 255) < 0x40);
      const read = StunMessage.decode(bytes);
      assertEquals([read.class, read.method], [kind, method]);
    }
  }
});

Deno.test("ids are random, and wrong parts are refused by name", () => {
  const one = new StunMessage({ class: "request" }), two = new StunMessage({ class: "request" });
  assert(one.transactionId.toHex() !== two.transactionId.toHex());
  const make = (part: object) => () => new StunMessage({ class: "request", ...part });
  assertThrows(make({ method: 4096 }), RangeError, "method: must be");
  assertThrows(make({ transactionId: new Uint8Array(11) }), TypeError, "transactionId: 12 or 16");
  assertThrows(make({ class: "answer" }), TypeError, 'got "answer"');
});

Deno.test("a header that is wrong in any way is refused", () => {
  const right = raw("8022 0003 616263 00");
  StunMessage.decode(right);
  for (let length = 0; length < right.length; length++) refused(right.slice(0, length), "");
  refused(new Uint8Array([...right, 0, 0, 0, 0]), "12 bytes are there");
  refused(right.with(0, 0x41), "two zero bits");
  refused(right.with(0, 0x81), "two zero bits");
  refused(right.with(3, 7), "no multiple of 4");
  for (const at of [4, 5, 6, 7]) refused(right.with(at, 0), "no magic cookie");
});

Deno.test("an attribute past the end is refused, whatever its length says", () => {
  refused(raw("8022 0005 61626364"), "ends after it");
  refused(raw("8022 ffff 61626364"), "ends after it");
  refused(raw("8022 0004"), "ends after it");
  refused(raw("8022 0000 8022 0001"), "ends after it"); // its padding is missing
  refused(raw("7777 0001"), "ends after it"); // of unknown ones, too
});

const WRONG: Readonly<Record<string, readonly string[]>> = {
  mappedAddress: [
    "",
    "0001 0001 7f0000",
    "0003 0001 7f000001",
    "0001 0001 7f000001 00",
    "0002 0001 7f000001",
  ],
  xorMappedAddress: ["0002 0001 7f000001", "0001 0001" + "00".repeat(16)],
  changeRequest: ["000000", "0000000000"],
  username: ["61".repeat(509), "ff", "c3 28"],
  messageIntegrity: ["00".repeat(19), "00".repeat(21)],
  errorCode: ["000004", "00000201", "00000701", "00000364", "00000401 ff"],
  unknownAttributes: ["000102"],
  realm: ["61".repeat(764)],
  nonce: ["61".repeat(764)],
  messageIntegritySha256: ["00".repeat(12), "00".repeat(36), "00".repeat(18)],
  passwordAlgorithm: ["", "0001", "0001 0004 0000", "0001 0000 0002 0000"],
  userhash: ["00".repeat(31)],
  responsePort: ["00", "000000"],
  passwordAlgorithms: ["0001", "0001 0001"],
  alternateDomain: ["61".repeat(256)],
  software: ["61".repeat(764)],
  cacheTimeout: ["0000"],
  fingerprint: ["0000", "00000000"],
};

Deno.test("each attribute that is known must have a value of its kind", () => {
  for (const [name, values] of Object.entries(WRONG)) {
    const { type } = Object.entries(ATTRIBUTES).find(([key]) => key === name)?.[1] ?? { type: 0 };
    for (const value of values) {
      const bytes = bytesOf(value), padding = "00".repeat(-bytes.length & 3);
      const head = [type, bytes.length].map((n) => n.toString(16).padStart(4, "0")).join("");
      refused(raw(head + value.replaceAll(" ", "") + padding), "");
    }
  }
});

Deno.test("every attribute has its number and its bytes, there and back", () => {
  const empty = new StunMessage({ class: "success", transactionId: ID });
  for (const [type, attribute, value, hex] of KNOWN) {
    const message = empty.with(attribute, value);
    assertEquals([message.attributes[0]?.type, attribute.type], [type, type]);
    assertEquals(message.attributes[0]?.value, bytesOf(hex), attribute.name);
    const read = StunMessage.decode(message.encode());
    assertEquals(read.get(attribute), value, attribute.name);
  }
  const shown = new Set([...KNOWN.map(([type]) => type), 0x8028]);
  assertEquals(new Set(Object.values(ATTRIBUTES).map(({ type }) => type)), shown);
});

Deno.test("values that do not fit are refused by name", () => {
  const empty = new StunMessage({ class: "success", transactionId: ID });
  const { mappedAddress, username, errorCode, responsePort, userhash } = ATTRIBUTES;
  const put = <T>(attribute: AttributeType<T>, value: T) => () => empty.with(attribute, value);
  assertThrows(
    put(mappedAddress, { hostname: "x", port: 1 }),
    TypeError,
    "MAPPED-ADDRESS.hostname",
  );
  assertThrows(put(mappedAddress, { hostname: "::1", port: -1 }), RangeError, ".port");
  assertThrows(put(username, "u".repeat(509)), RangeError, "USERNAME");
  assertThrows(put(errorCode, { code: 200, reason: "" }), RangeError, "ERROR-CODE.code");
  assertThrows(put(responsePort, 65536), RangeError, "RESPONSE-PORT");
  assertThrows(put(userhash, new Uint8Array(5)), RangeError, "USERHASH");
  assertThrows(put(ATTRIBUTES.padding, new Uint8Array(65_532)), RangeError, "PADDING");
  const full = empty.with(ATTRIBUTES.padding, new Uint8Array(65_528));
  assertEquals(StunMessage.decode(full.encode()).attributes.length, 1);
  assertThrows(() => full.with(username, ""), RangeError, "longer than");
});

Deno.test("of an attribute that is there twice the first one counts", () => {
  const message = StunMessage.decode(raw("8022 0001 61000000 8022 0001 62000000"));
  assertEquals(message.get(ATTRIBUTES.software), "a");
});

Deno.test("what stands after an integrity check does not count", () => {
  const key = shortTermKey("secret");
  const request = new StunMessage({ class: "request" }).with(ATTRIBUTES.username, "me");
  const signed = withIntegrity(request, key);
  assertThrows(() => signed.with(ATTRIBUTES.software, "x"), TypeError, "after an integrity check");
  const both = withIntegrity(signed, key, "SHA-256").withFingerprint();
  assert(hasIntegrity(both, key) && hasIntegrity(both, key, "SHA-256"));
  const smuggled = new StunMessage({
    class: "request",
    attributes: [
      ...signed.attributes,
      ...request.with(ATTRIBUTES.software, "x").attributes.slice(1),
      ...new StunMessage({ class: "request" }).with(ATTRIBUTES.realm, "y").attributes,
    ],
  });
  const read = StunMessage.decode(smuggled.encode());
  assertEquals([read.get(ATTRIBUTES.software), read.get(ATTRIBUTES.realm)], [undefined, undefined]);
  assertEquals(read.get(ATTRIBUTES.username), "me");
});

Deno.test("nothing may follow a fingerprint", () => {
  const sealed = new StunMessage({ class: "request" }).withFingerprint();
  assertThrows(() => sealed.with(ATTRIBUTES.software, "x"), TypeError, "SOFTWARE");
  const more = new StunMessage({ class: "request" }).with(ATTRIBUTES.software, "x").attributes;
  const attributes = [...sealed.attributes, ...more];
  refused(new StunMessage({ class: "request", attributes }).encode(), "not its last");
});

Deno.test("an integrity check that is cut short is no check", () => {
  const key = shortTermKey("secret");
  const signed = withIntegrity(new StunMessage({ class: "request" }), key, "SHA-256");
  const [check] = signed.attributes;
  assert(check !== undefined && hasIntegrity(signed, key, "SHA-256"));
  const attributes = [{ ...check, value: check.value.slice(0, 16) }];
  const { transactionId } = signed;
  const cut = new StunMessage({ class: "request", transactionId, attributes });
  assert(!hasIntegrity(StunMessage.decode(cut.encode()), key, "SHA-256"));
});

Deno.test("a message of RFC 3489 has no magic cookie, and is read where that is asked for", () => {
  const bytes = raw("0001 0008 0001 1234 01020304").with(4, 0);
  refused(bytes, "no magic cookie");
  const message = StunMessage.decode(bytes, { classic: true });
  assertEquals(message.transactionId.length, 16);
  assertEquals(message.get(ATTRIBUTES.mappedAddress), { hostname: "1.2.3.4", port: 0x1234 });
  assertEquals(message.encode(), bytes);
});

Deno.test("what must be understood and is not, is told", () => {
  const message = StunMessage.decode(raw("7777 0000 7777 0000 0024 0000 8888 0000 8022 0000"));
  assertEquals(message.unknownRequired(), [0x7777, 0x0024]);
});
