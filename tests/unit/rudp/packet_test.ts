import { assert, assertEquals } from "@std/assert";
import { ackPacket, dataPacket, readPacket } from "../../../lib/rudp/packet.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** The table of lib/rudp/README.md. */
const VECTORS: readonly (readonly [hex: string, number: bigint, message?: Uint8Array])[] = [
  ["000000000000000000", 0n, new Uint8Array()],
  ["000000000000000001", 0n],
  ["00000000000000010068656c6c6f", 1n, bytes("hello")],
  ["0123456789abcdef0001", 81985529216486895n, new Uint8Array([1])],
  ["0123456789abcdef01", 81985529216486895n],
  [
    "ffffffffffffffff00ffffffffffffffff01",
    2n ** 64n - 1n,
    Uint8Array.fromHex("ffffffffffffffff01"),
  ],
];

Deno.test("rudp packet: the vectors, written and read", () => {
  for (const [hex, number, message] of VECTORS) {
    const packet = message === undefined ? ackPacket(number) : dataPacket(number, message);
    assertEquals(packet.toHex(), hex);
    assertEquals(readPacket(packet), { number, message });
  }
});

const ignore = (await Deno.permissions.query({ name: "read" })).state !== "granted";

Deno.test("rudp packet: README lists these vectors and no others", { ignore }, async () => {
  const readme = await Deno.readTextFile(
    new URL("../../../lib/rudp/README.md", import.meta.url),
  );
  const listed = [...readme.matchAll(/^\| `([0-9a-f]+)`/gm)].map(([, hex]) => hex);
  assertEquals(listed, VECTORS.map(([hex]) => hex));
});

Deno.test("rudp packet: what is none is refused", () => {
  for (let size = 0; size < 9; size++) assertEquals(readPacket(new Uint8Array(size)), undefined);
  for (let type = 2; type < 256; type++) {
    const packet = dataPacket(1n, bytes("x"));
    packet[8] = type;
    assertEquals(readPacket(packet), undefined);
  }
});

Deno.test("rudp packet: an acknowledgement with something behind it is one", () => {
  const packet = new Uint8Array([...ackPacket(7n), 1, 2, 3]);
  assertEquals(readPacket(packet), { number: 7n, message: undefined });
});

Deno.test("rudp packet: a message in the middle of a buffer is read where it is", () => {
  const around = new Uint8Array([9, 9, 9, ...dataPacket(5n, bytes("in")), 8, 8]);
  const read = readPacket(around.subarray(3, 14));
  assertEquals(read, { number: 5n, message: bytes("in") });
  assert(read?.message?.buffer === around.buffer, "nothing is copied");
});
