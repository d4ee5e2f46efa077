/** The vectors of RFC 5769, sections 2.1 to 2.4, and of RFC 8489, appendix B.1, with erratum 6268. */

/** A message, and what is in it. */
export interface Vector {
  readonly name: string;
  readonly username?: string;
  readonly realm?: string;
  readonly nonce?: string;
  readonly password: string;
  readonly fingerprint: boolean;
  readonly integrity: "short-term" | "long-term-md5" | "long-term-sha256";
  readonly software?: string;
  readonly mapped?: readonly [hostname: string, port: number];
  /** The message. */
  readonly hex: string;
}

/** All of them. */
export const VECTORS: readonly Vector[] = [{
  "name": "RFC 5769 2.1 request",
  "username": "evtj:h6vY",
  "password": "VOkJxbRl1RmTxUk/WvJxBt",
  "fingerprint": true,
  "integrity": "short-term",
  "software": "STUN test client",
  "hex":
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf",
}, {
  "name": "RFC 5769 2.2 IPv4 response",
  "password": "VOkJxbRl1RmTxUk/WvJxBt",
  "fingerprint": true,
  "integrity": "short-term",
  "software": "test vector",
  "mapped": ["192.0.2.1", 32853],
  "hex":
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96",
}, {
  "name": "RFC 5769 2.3 IPv6 response",
  "password": "VOkJxbRl1RmTxUk/WvJxBt",
  "fingerprint": true,
  "integrity": "short-term",
  "software": "test vector",
  "mapped": ["2001:db8:1234:5678:11:2233:4455:6677", 32853],
  "hex":
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c",
}, {
  "name": "RFC 5769 2.4 long-term",
  "username": "マトリックス",
  "realm": "example.org",
  "password": "TheMatrIX",
  "nonce": "f//499k954d6OL34oL9FSTvy64sA",
  "fingerprint": false,
  "integrity": "long-term-md5",
  "hex":
    "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b900000015001c662f2f3439396b39353464364f4c33346f4c394653547679363473410014000b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666",
}, {
  "name": "RFC 8489 B.1 long-term SHA-256 with USERHASH",
  "username": "マトリックス",
  "realm": "example.org",
  "password": "TheMatrIX",
  "fingerprint": false,
  "integrity": "long-term-sha256",
  "hex":
    "000100902112a44278ad3433c6ad72c029da412e001e00204a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704001500296f624d61744a6f733241414143662f2f3439396b39353464364f4c33346f4c394653547679363473410000000014000b6578616d706c652e6f726700001d000400020000001c0020b5c7bf005b6c52a21c51c5e892f81924136296cb927c43149309278cc6518e65",
}];
