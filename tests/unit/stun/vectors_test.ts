/** The vectors of the RFCs: read, checked, written again, and refused with any bit changed. */
import {
  ATTRIBUTES,
  hasIntegrity,
  longTermKey,
  shortTermKey,
  StunMessage,
  userHash,
  withIntegrity,
} from "@p2pd/pipes/stun";
import { assert, assertEquals } from "@std/assert";
import { type Vector, VECTORS } from "./vectors.ts";

function keyOf({ integrity, username = "", realm = "", password }: Vector): Uint8Array {
  if (integrity === "short-term") return shortTermKey(password);
  const algorithm = integrity === "long-term-md5" ? "MD5" : "SHA-256";
  return longTermKey({ username, realm, password, algorithm });
}

const hashOf = ({ integrity }: Vector) => integrity === "long-term-sha256" ? "SHA-256" : "SHA-1";

/** Whether somebody who knows the password takes the bytes; with the checks that the message had. */
function isTaken(vector: Vector, bytes: Uint8Array): boolean {
  try {
    const message = StunMessage.decode(bytes);
    if (vector.fingerprint && message.get(ATTRIBUTES.fingerprint) === undefined) return false;
    return hasIntegrity(message, keyOf(vector), hashOf(vector));
  } catch {
    return false;
  }
}

for (const vector of VECTORS) {
  const bytes = Uint8Array.fromHex(vector.hex);

  Deno.test(`${vector.name}: is read, and written as it was`, () => {
    const message = StunMessage.decode(bytes);
    assertEquals(message.encode(), bytes);
    assertEquals(message.method, 1);
    assertEquals(message.class, vector.mapped ? "success" : "request");
    assertEquals(message.get(ATTRIBUTES.software), vector.software);
    assertEquals(message.get(ATTRIBUTES.realm), vector.realm);
    if (vector.nonce !== undefined) assertEquals(message.get(ATTRIBUTES.nonce), vector.nonce);
    assertEquals(message.get(ATTRIBUTES.fingerprint) !== undefined, vector.fingerprint);
    const [hostname, port] = vector.mapped ?? [];
    const mapped = message.get(ATTRIBUTES.xorMappedAddress);
    assertEquals([mapped?.hostname, mapped?.port], [hostname, port]);
    const hash = message.get(ATTRIBUTES.userhash);
    if (hash === undefined) assertEquals(message.get(ATTRIBUTES.username), vector.username);
    else assertEquals(hash, userHash(vector.username ?? "", vector.realm ?? ""));
  });

  Deno.test(`${vector.name}: its integrity is right, for this password alone`, () => {
    assert(isTaken(vector, bytes));
    assert(!isTaken({ ...vector, password: `${vector.password}x` }, bytes));
  });

  Deno.test(`${vector.name}: is refused with any one bit changed`, () => {
    for (let at = 0; at < bytes.length; at++) {
      for (let bit = 1; bit < 256; bit *= 2) {
        const changed = bytes.slice();
        changed[at] = (changed[at] ?? 0) ^ bit;
        assert(!isTaken(vector, changed), `byte ${at}, bit ${bit}`);
      }
    }
  });

  Deno.test(`${vector.name}: the checks are made as the RFC has them`, () => {
    const { attributes, ...rest } = StunMessage.decode(bytes);
    const CHECKS = [0x0008, 0x001c, 0x8028];
    const bare = new StunMessage({
      ...rest,
      attributes: attributes.filter(({ type }) => !CHECKS.includes(type)),
    });
    const signed = withIntegrity(bare, keyOf(vector), hashOf(vector));
    assertEquals((vector.fingerprint ? signed.withFingerprint() : signed).encode(), bytes);
  });
}
