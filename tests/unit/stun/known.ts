/** Every attribute, with values and their bytes. */
import { ATTRIBUTES, type AttributeType, type StunClass } from "@p2pd/pipes/stun";

/** Bytes in hexadecimal, with spaces where one likes. */
export const bytesOf = (hex: string) => Uint8Array.fromHex(hex.replaceAll(" ", ""));
/** The classes in the order of their bits. */
export const CLASSES: readonly StunClass[] = ["request", "indication", "success", "error"];
/** The id that the masked addresses are for. */
export const ID = Uint8Array.from({ length: 12 }, (_, i) => i + 1);

const ADDRESS = { hostname: "192.0.2.1", port: 32853 };
const ADDRESS6 = { hostname: "2001:db8:1234:5678:11:2233:4455:6677", port: 32853 };
const plain = "0001 8055 c0000201", plain6 = "0002 8055 20010db8123456780011223344556677";
/** Each attribute by its number in the registry of IANA. */
export const KNOWN: readonly (readonly [number, AttributeType<unknown>, unknown, string])[] = [
  [0x0001, ATTRIBUTES.mappedAddress, ADDRESS, plain],
  [0x0001, ATTRIBUTES.mappedAddress, ADDRESS6, plain6],
  [0x0002, ATTRIBUTES.responseAddress, ADDRESS, plain],
  [0x0003, ATTRIBUTES.changeRequest, { ip: true, port: false }, "00000004"],
  [0x0003, ATTRIBUTES.changeRequest, { ip: false, port: true }, "00000002"],
  [0x0004, ATTRIBUTES.sourceAddress, ADDRESS, plain],
  [0x0005, ATTRIBUTES.changedAddress, ADDRESS, plain],
  [0x0006, ATTRIBUTES.username, "ü", "c3bc"],
  [0x0007, ATTRIBUTES.password, bytesOf("0102"), "0102"],
  [0x0008, ATTRIBUTES.messageIntegrity, new Uint8Array(20), "00".repeat(20)],
  [0x0009, ATTRIBUTES.errorCode, { code: 438, reason: "Stale" }, "00000426 5374616c65"],
  [0x000a, ATTRIBUTES.unknownAttributes, [3, 0x8001], "0003 8001"],
  [0x000b, ATTRIBUTES.reflectedFrom, ADDRESS, plain],
  [0x0014, ATTRIBUTES.realm, "r", "72"],
  [0x0015, ATTRIBUTES.nonce, "n", "6e"],
  [0x001c, ATTRIBUTES.messageIntegritySha256, new Uint8Array(32), "00".repeat(32)],
  [
    0x001d,
    ATTRIBUTES.passwordAlgorithm,
    { algorithm: 2, parameters: bytesOf("01") },
    "0002 0001 01000000",
  ],
  [0x001e, ATTRIBUTES.userhash, new Uint8Array(32), "00".repeat(32)],
  [0x0020, ATTRIBUTES.xorMappedAddress, ADDRESS, "0001 a147 e112a643"],
  [0x0026, ATTRIBUTES.padding, bytesOf("000000"), "000000"],
  [0x0027, ATTRIBUTES.responsePort, 258, "0102 0000"],
  [
    0x8002,
    ATTRIBUTES.passwordAlgorithms,
    [{ algorithm: 2, parameters: bytesOf("") }, { algorithm: 1, parameters: bytesOf("") }],
    "0002 0000 0001 0000",
  ],
  [0x8003, ATTRIBUTES.alternateDomain, "example.org", "6578616d706c652e6f7267"],
  [0x8020, ATTRIBUTES.xorMappedAddressOld, ADDRESS, "0001 a147 e112a643"],
  [0x8022, ATTRIBUTES.software, "\ufeffx", "efbbbf78"],
  [0x8023, ATTRIBUTES.alternateServer, ADDRESS6, plain6],
  [0x8027, ATTRIBUTES.cacheTimeout, 4294967295, "ffffffff"],
  [0x802b, ATTRIBUTES.responseOrigin, ADDRESS, plain],
  [0x802c, ATTRIBUTES.otherAddress, ADDRESS, plain],
];
