import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { denoAddr, netAddr, withZone, zoneOf } from "../../lib/transport/addr.ts";

Deno.test("the zone of an address is what follows the percent sign", () => {
  assertEquals(zoneOf("fe80::1%eth0"), "eth0");
  assertEquals(zoneOf("fe80::1"), "");
  assertEquals(zoneOf("127.0.0.1"), "");
  assertEquals(zoneOf(undefined), "");
});

Deno.test("a zone is put back on addresses of link scope, and on no others", () => {
  for (
    const host of ["fe80::1", "fe80::fc:ff:fe00:1", "febf::1", "ff02::1", "ff12::1", "ff01::1"]
  ) {
    assertEquals(withZone(host, "eth0"), `${host}%eth0`);
    assertEquals(withZone(host, ""), host);
    assertEquals(withZone(`${host}%2`, "eth0"), `${host}%2`);
  }
  const others = [
    "127.0.0.1",
    "169.254.1.1",
    "::1",
    "::",
    "2001:db8::1",
    "fd00::1",
    "fec0::1",
    "ff05::1",
    "ff0e::1",
  ];
  for (const host of others) assertEquals(withZone(host, "eth0"), host);
});

Deno.test("addresses are unfolded, plain and frozen", () => {
  const addr = netAddr("udp", "::ffff:10.0.0.1", 9, "eth0");
  assertEquals(addr, { transport: "udp", hostname: "10.0.0.1", port: 9 });
  assertStrictEquals(Object.getPrototypeOf(addr), Object.prototype);
  assertThrows(() => addr.port = 1, TypeError);
});

Deno.test("Deno's addresses get the zone of their socket", () => {
  assertEquals(
    denoAddr({ transport: "tcp", hostname: "fe80::1", port: 9 }, "eth0"),
    { transport: "tcp", hostname: "fe80::1%eth0", port: 9 },
  );
  assertEquals(
    denoAddr({ transport: "tcp", hostname: "fd00::1", port: 9 }, "eth0").hostname,
    "fd00::1",
  );
});

Deno.test("a Unix socket has its path for a host, and the protocol of its pipe", () => {
  const stream = denoAddr({ transport: "unix", path: "/tmp/x%1" }, "eth0");
  assertEquals(stream, { transport: "tcp", hostname: "/tmp/x%1", port: 0, path: "/tmp/x%1" });
  assertStrictEquals(Object.getPrototypeOf(stream), Object.prototype);
  assertThrows(() => stream.path = "/tmp/y", TypeError);
  // The types do not tell that there may be no path.
  const unnamed: Deno.UnixAddr = JSON.parse('{ "transport": "unixpacket", "path": null }');
  assertEquals(denoAddr(unnamed), { transport: "udp", hostname: "", port: 0, path: "" });
});

Deno.test("a socket of another kind is refused by name", () => {
  assertThrows(
    () => denoAddr({ transport: "vsock", cid: 2, port: 1 }),
    TypeError,
    'sock: must be a TCP, UDP or Unix socket, got one of "vsock"',
  );
});
