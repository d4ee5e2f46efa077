/** The codec with messages that nobody wrote. */
import { ATTRIBUTES, StunError, StunMessage } from "@p2pd/pipes/stun";
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { Random } from "../../helpers/random.ts";
import { bytesOf, CLASSES, ID, KNOWN } from "./known.ts";
import { VECTORS } from "./vectors.ts";

Deno.test("random messages: encode and decode give each other back", () => {
  const random = new Random(7);
  for (let round = 0; round < 2000; round++) {
    let message = new StunMessage({
      class: CLASSES[random.below(4)] ?? "request",
      method: random.below(4096),
      transactionId: random.bytes(12),
    });
    for (let i = random.below(8); i > 0; i--) {
      const [, attribute, value] = KNOWN[random.below(KNOWN.length)] ?? KNOWN[0] ?? [];
      const check = attribute === ATTRIBUTES.messageIntegrity ||
        attribute === ATTRIBUTES.messageIntegritySha256;
      if (attribute !== undefined && !check) message = message.with(attribute, value);
    }
    if (random.below(2) === 0) message = message.withFingerprint();
    const bytes = message.encode();
    const read = StunMessage.decode(bytes);
    assertEquals(read.encode(), bytes);
    assertEquals([read.class, read.method], [message.class, message.method]);
  }
});

Deno.test("100,000 random and mutated packets: read without loss or refused, never anything else", () => {
  const random = new Random(11);
  const seeds = [
    ...VECTORS.map(({ hex }) => bytesOf(hex)),
    ...KNOWN.map(([, attribute, value]) =>
      new StunMessage({ class: "success", transactionId: ID }).with(attribute, value).encode()
    ),
  ];
  let read = 0;
  for (let i = 0; i < 100_000; i++) {
    const packet = i % 4 === 0 ? random.bytes(random.below(120)) : mutated(seeds, random);
    let message;
    try {
      message = StunMessage.decode(packet, { classic: random.below(2) === 0 });
    } catch (error) {
      assertInstanceOf(error, StunError);
      continue;
    }
    read++;
    assertEquals(message.encode().toHex(), packet.toHex());
    for (const attribute of Object.values(ATTRIBUTES)) message.get<unknown>(attribute);
  }
  assert(read > 1000, `only ${read} were read`);
});

function mutated(seeds: readonly Uint8Array[], random: Random): Uint8Array {
  const seed = seeds[random.below(seeds.length)] ?? new Uint8Array();
  const packet = seed.slice();
  for (let n = random.below(4); n >= 0; n--) {
    packet[random.below(packet.length)] = random.below(256);
  }
  const cut = random.below(8);
  if (cut === 0) return packet.slice(0, random.below(packet.length));
  if (cut === 1) return new Uint8Array([...packet, ...random.bytes(4 * random.below(4))]);
  return packet;
}
