import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { addrKey, formatAddr, parseDest, type ParseDestOptions } from "../../../lib/net/address.ts";
import { parseIp } from "../../../lib/net/ip.ts";

/** mulberry32: the same numbers in every run, 0 to below n. */
function seeded(seed: number): (n: number) => number {
  return (n) => {
    seed = seed + 0x6d2b79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) % n;
  };
}

function endpoint(host: string, port: number): ReturnType<typeof parseDest> {
  return { hostname: host, port, ip: parseIp(host) };
}

/** The wrong call is refused with this class, and the message names argument and value. */
function refused(
  dest: unknown,
  type: typeof TypeError | typeof RangeError,
  includes: string,
  o: ParseDestOptions = {},
): void {
  const error = assertThrows(() => parseDest(dest, "dest", o), type);
  assert(error.message.startsWith("dest: "), error.message);
  assertStringIncludes(error.message, includes);
  assertStringIncludes(error.message, ", got ");
  assert(error.message.length < 250, error.message);
}

Deno.test("parseDest() takes the three forms", () => {
  const local = endpoint("127.0.0.1", 80);
  assertEquals(parseDest(["127.0.0.1", 80], "dest"), local);
  assertEquals(parseDest("127.0.0.1:80", "dest"), local);
  assertEquals(parseDest({ hostname: "127.0.0.1", port: 80 }, "dest"), local);
  const deno: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 80 };
  assertEquals(parseDest(deno, "dest"), local);
  assertEquals(parseDest(Object.assign(Object.create(null), deno), "dest"), local);
});

Deno.test("parseDest() gives hosts in canonical text", () => {
  const examples = [
    ["[::1]:80", "::1"],
    ["[0:0:0:0:0:0:0:1]:80", "::1"],
    ["[::ffff:7f00:1]:80", "127.0.0.1"],
    ["[FE80::1%Eth0]:80", "fe80::1%Eth0"],
    ["[fe80::1%a:b]:80", "fe80::1%a:b"],
    ["Example.COM:80", "example.com"],
    ["example.com.:80", "example.com."],
    ["_sip._tcp.a-b.c9:80", "_sip._tcp.a-b.c9"],
    ["localhost:80", "localhost"],
    ["1a:80", "1a"],
    ["0xg:80", "0xg"],
    ["1.2.3.4.com:80", "1.2.3.4.com"],
    [`${"a".repeat(63)}.b:80`, `${"a".repeat(63)}.b`],
    ["bücher.DE:80", "xn--bcher-kva.de"],
    ["日本。jp:80", "xn--wgv71a.jp"],
  ] as const;
  for (const [text, host] of examples) assertEquals(parseDest(text, "dest"), endpoint(host, 80));
  assertEquals(parseDest(["::1", 80], "dest").hostname, "::1");
  assertEquals(parseDest({ hostname: "fe80::1%4", port: 1 }, "dest").hostname, "fe80::1%4");
});

Deno.test("parseDest() takes ports from 0 to 65535", () => {
  for (const port of [0, 1, 65535]) {
    assertEquals(parseDest(["a", port], "dest").port, port);
    assertEquals(parseDest(`a:${port}`, "dest").port, port);
  }
  assert(Object.is(parseDest(["a", -0], "dest").port, 0));
});

Deno.test("parseDest() refuses a wrong port with a RangeError", () => {
  const wrong = [65536, -1, 1.5, NaN, Infinity, "http", "80", "", null, undefined, true, 80n, [80]];
  for (const port of wrong) {
    refused(["127.0.0.1", port], RangeError, "port must be a whole number from 0 to 65535");
    refused({ hostname: "example.com", port }, RangeError, "port must be a whole number");
  }
  const texts = [
    "65536",
    "-1",
    "1.5",
    "http",
    "080x",
    "",
    "080",
    "+80",
    " 80",
    "1e3",
    "0x50",
    "٨٠",
  ];
  for (const port of texts) {
    refused(`127.0.0.1:${port}`, RangeError, "port must be a whole number");
    refused(`[::1]:${port}`, RangeError, "port must be a whole number");
  }
  assertThrows(
    () => parseDest(["::1", 65536], "dest"),
    RangeError,
    "dest: port must be a whole number from 0 to 65535, got 65536",
  );
});

Deno.test("parseDest() refuses port 0 where a real one is needed", () => {
  for (const dest of ["a:0", ["::1", 0], { hostname: "127.0.0.1", port: 0 }]) {
    refused(dest, RangeError, "needs a real port", { zeroPort: false });
    assertEquals(parseDest(dest, "dest", { zeroPort: true }).port, 0);
  }
});

Deno.test("parseDest() refuses a wrong host with a TypeError", () => {
  const long = `${"a".repeat(63)}.`.repeat(4);
  const wrong = [
    ["", "host is empty"],
    ["1.2.3", "not an IPv4 address"],
    ["1.2.3.4.5", "not an IPv4 address"],
    ["256.1.1.1", "not an IPv4 address"],
    ["01.2.3.4", "not an IPv4 address"],
    ["1.2.3.4.", "not an IPv4 address"],
    ["0x10.0.0.1", "not an IPv4 address"],
    ["0x7f000001", "not an IPv4 address"],
    ["2130706433", "not an IPv4 address"],
    ["host.0XfF", "not an IPv4 address"],
    ["１.２.３.４", "not an IPv4 address"],
    ["a b", "not a host name"],
    [" a", "not a host name"],
    ["a\n", "not a host name"],
    ["a\0b", "not a host name"],
    ["a..b", "not a host name"],
    [".a", "not a host name"],
    [".", "not a host name"],
    ["-a", "not a host name"],
    ["a-.b", "not a host name"],
    ["a/b", "not a host name"],
    ["user@a", "not a host name"],
    ["ü/x", "not a host name"],
    ["user@ü", "not a host name"],
    ["ü：80", "not a host name"],
    ["ü\ud800", "not a host name"],
    ["a".repeat(64), "not a host name"],
    [long, "not a host name"],
    ["ü".repeat(100_000), "too long"],
    ["*", "only an address to listen on"],
    ["*.a", "not a host name"],
  ] as const;
  for (const [host, why] of wrong) {
    refused([host, 80], TypeError, why);
    refused({ hostname: host, port: 80 }, TypeError, why);
    refused(`${host}:80`, TypeError, why);
  }
  refused(["[::1", 80], TypeError, "without brackets");
  refused(["[::1]", 80], TypeError, "without brackets");
  refused(["a:b", 80], TypeError, "not an IPv6 address");
  refused(["::1%", 80], TypeError, "not an IPv6 address");
  refused(["1.2.3.4%eth0", 80], TypeError, "not an IPv6 address");
});

Deno.test("parseDest() refuses text that is no host and port", () => {
  refused("[::1", TypeError, '"[" without "]"');
  refused("[::1:80", TypeError, '"[" without "]"');
  refused("[::1]", TypeError, "needs a port");
  refused("[::1]80", TypeError, "needs a port");
  refused("[::1]:80:90", TypeError, "needs a port");
  refused("[]:80", TypeError, "not an IPv6 address in the brackets");
  refused("[1.2.3.4]:80", TypeError, "not an IPv6 address in the brackets");
  refused("[a]:80", TypeError, "not an IPv6 address in the brackets");
  refused("::1:80", TypeError, "in brackets");
  refused("fe80::1%eth0:80", TypeError, "in brackets");
  refused("1:2:3:4:5:6:7:8:80", TypeError, "in brackets");
  refused("a:b:c", TypeError, "must be [host, port]");
  for (const url of ["http://a:80", "http://a:80/", "http://a", "tcp://1.2.3.4:80"]) {
    refused(url, TypeError, '"host:port" is needed, no URL');
  }
  refused("localhost", TypeError, "needs a port");
  refused("", TypeError, "needs a port");
  refused("80", TypeError, "needs a port");
});

Deno.test("parseDest() refuses what has not the form of an address", () => {
  const wrong = [
    ...[undefined, null, 80, 80n, true, Symbol("a"), () => 80, {}, [], ["a"], ["a", 80, 1]],
    ...[{ hostname: "a" }, { port: 80 }, { path: undefined }, new Uint8Array(1000), new Map()],
  ];
  for (const dest of wrong) refused(dest, TypeError, "must be [host, port]");
  for (const host of [undefined, null, 1, {}, ["a"], new Uint8Array([97])]) {
    refused([host, 80], TypeError, "host must be a string");
    refused({ hostname: host, port: 80 }, TypeError, "host must be a string");
  }
});

Deno.test("parseDest() takes * only to listen", () => {
  for (const dest of ["*:80", ["*", 80], { hostname: "*", port: 80 }]) {
    const any = { hostname: "*", port: 80, ip: undefined };
    assertEquals(parseDest(dest, "dest", { wildcard: true }), any);
    assertEquals(parseDest(dest, "dest", { wildcard: true, literal: true }), any);
    refused(dest, TypeError, "only an address to listen on", { literal: true });
  }
  refused("*:65536", RangeError, "port must be", { wildcard: true });
});

Deno.test("parseDest() takes no name where an address is needed", () => {
  assertEquals(parseDest("[::1]:0", "dest", { literal: true }), endpoint("::1", 0));
  refused("localhost:80", TypeError, "host must be an IP address, not", { literal: true });
  refused("a:80", TypeError, 'an IP address or "*", not', { literal: true, wildcard: true });
  refused("1.2.3:80", TypeError, "not an IPv4 address", { literal: true });
});

Deno.test("parseDest() names the argument and shows the value on one short line", () => {
  const message = (dest: unknown) =>
    assertThrows(() => parseDest(dest, "route", {}), TypeError).message;
  assert(message("a\r\n\x1b[2Jb").startsWith("route: "));
  for (const char of ["\r", "\n", "\x1b"]) assert(!message(`a${char}`).includes(char));
  assert(message("x".repeat(1_000_000)).length < 200);
  assert(message(["x".repeat(1_000_000), 80]).length < 200);
});

Deno.test("parseDest() throws TypeError or RangeError only, whatever it is given", () => {
  const r = seeded(6);
  const start = performance.now();
  const pieces = ["[", "]", ":", "::", ".", "%", "*", "a", "0x", "256", "1", "-", "ü", "。", " "];
  const good = ["127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:443", "a-b.example:1", "ü.de:2", "*:0"];
  const pick = (from: string[]): string => from[r(from.length)] ?? "";
  const noise = (): string => {
    const codes = Array.from({ length: r(100) }, () => r(2) === 0 ? r(128) : r(0x10000));
    return String.fromCharCode(...codes);
  };
  const text = () =>
    r(2) === 0 ? noise() : Array.from({ length: r(8) }, () => pick(pieces)).join("");
  const almost = (): string => {
    const from = pick(good), at = r(from.length + 1);
    return from.slice(0, at) + pick([...pieces, ""]) + from.slice(at + r(2));
  };
  const bytes = () => Uint8Array.from({ length: r(50) }, () => r(256));
  const value = (): unknown => [text, bytes, () => r(70_000), () => undefined][r(4)]?.();
  const forms = [
    almost,
    bytes,
    () => [value(), value()],
    () => ({ hostname: text(), port: r(70_000) }),
    () => `${text()}:${r(70_000)}`,
    () => String.fromCharCode(...bytes()),
  ];
  const form = (): unknown => forms[r(forms.length)]?.();
  const flag = () => r(2) === 0;
  let taken = 0;
  for (let i = 0; i < 10_000; i++) {
    try {
      const o = { wildcard: flag(), literal: flag(), zeroPort: flag() };
      const { hostname: host, port } = parseDest(form(), "dest", o);
      taken++;
      assertEquals(parseDest([host, port], "dest", o).hostname, host); // canonical
    } catch (error) {
      assert(error instanceof TypeError || error instanceof RangeError, String(error));
    }
  }
  assert(taken > 200, `only ${taken} taken`);
  for (const piece of [...pieces, ":1", "a.", "ü."]) {
    for (const dest of [piece.repeat(1_000_000), [piece.repeat(1_000_000), 80]]) {
      assertThrows(() => parseDest(dest, "dest"));
    }
  }
  assert(performance.now() - start < 5000);
});

Deno.test("parseDest() takes the path of a Unix socket, from an address of a pipe too", () => {
  const forms = [
    { path: "/tmp/a" },
    { transport: "tcp", hostname: "/tmp/a", port: 0, path: "/tmp/a" },
    { transport: "unix", path: "/tmp/a" },
  ];
  for (const dest of forms) {
    const at = { hostname: "/tmp/a", port: 0, ip: undefined, path: "/tmp/a" };
    assertEquals(parseDest(dest, "dest"), at);
    assertEquals(parseDest(dest, "dest", { literal: true, zeroPort: false }), at);
  }
  // Whatever else the text would be.
  for (const path of ["*", "127.0.0.1", "a:80", "a b", "%", "\0name", "ü/日本"]) {
    assertEquals(parseDest({ path }, "dest").path, path);
  }
  assertEquals(
    parseDest({ hostname: "a", port: 1, path: undefined }, "dest"),
    endpoint("a", 1),
  );
});

Deno.test("parseDest() refuses a path that no Unix socket can have", () => {
  for (const path of [1, null, {}, ["/a"], new URL("file:///a")]) {
    refused({ path }, TypeError, "path must be a string");
  }
  refused({ path: "" }, TypeError, "path is empty");
  refused({ path: "\0" }, TypeError, "NUL");
  refused({ path: "/a\0b" }, TypeError, "NUL");
  refused({ path: "\0a\0b" }, TypeError, "NUL");
  refused({ path: "/\ud800" }, TypeError, "well-formed");
  const most = Deno.build.os === "darwin" ? 103 : 107;
  assertEquals(parseDest({ path: "/".padEnd(most, "x") }, "dest").port, 0);
  refused({ path: "/".padEnd(most + 1, "x") }, RangeError, `longer than ${most} bytes`);
  refused({ path: "/".padEnd(most - 1, "x") + "ü" }, RangeError, `longer than ${most} bytes`);
  refused({ path: "x".repeat(1_000_000) }, RangeError, `longer than ${most} bytes`);
  // An abstract name has no final NUL, and begins with one.
  assertEquals(parseDest({ path: "\0".padEnd(most + 1, "x") }, "dest").port, 0);
  refused({ path: "\0".padEnd(most + 2, "x") }, RangeError, `longer than ${most + 1} bytes`);
});

Deno.test("formatAddr() shows a Unix socket by its path, and nothing that acts on a terminal", () => {
  const at = (path: string) => formatAddr({ hostname: path, port: 0, path });
  assertEquals(at("/tmp/a b:c"), "/tmp/a b:c");
  assertEquals(at("\0name"), "@name");
  assertEquals(at(""), "(unnamed)");
  assertEquals(formatAddr({ hostname: "", port: 0 }), "(unnamed)");
  assertEquals(at("/tmp/\x1b[2J\n"), '"/tmp/\\u001b[2J\\n"');
  assertEquals(at("/\u202e\u200b\x9b"), '"/\\u202e\\u200b\\u009b"');
});

Deno.test("formatAddr() names what is no address", () => {
  const wrong = ["x", undefined, null, 7, {}, [], ["::1", 80], { hostname: "a" }, { port: 80 }];
  for (const addr of [...wrong, { hostname: 1, port: 80 }, { hostname: "a", port: "80" }]) {
    const error = assertThrows(
      // @ts-expect-error no address
      () => formatAddr(addr),
      TypeError,
      "addr: { hostname, port } or { path } is needed, got ",
    );
    assert(error.message.length < 150, error.message);
  }
});

Deno.test("addrKey() and formatAddr() write host and port", () => {
  assertEquals(addrKey("::1", 80), "::1|80");
  assertEquals(formatAddr({ hostname: "1.2.3.4", port: 80 }), "1.2.3.4:80");
  assertEquals(formatAddr({ hostname: "::1", port: 80 }), "[::1]:80");
  assertEquals(formatAddr(parseDest("[fe80::1%eth0]:80", "dest")), "[fe80::1%eth0]:80");
  assertEquals(formatAddr(parseDest("*:80", "dest", { wildcard: true })), "*:80");
});
