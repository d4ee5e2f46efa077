import { assert, assertEquals, assertThrows } from "@std/assert";
import { PipeError } from "../../../lib/errors.ts";
import { Interface, listInterfaces } from "../../../lib/netif/interface.ts";
import { guessKind } from "../../../lib/netif/kind.ts";
import { info, linux, mac, offline, source, via, windows } from "./machines.ts";

const systems = { linux, mac, windows, offline };
const isAllowed =
  Deno.permissions.querySync({ name: "sys", kind: "networkInterfaces" }).state === "granted";

Deno.test("listInterfaces() gives each card once, in the system's order", () => {
  assertEquals(listInterfaces(source(linux)), ["lo", "docker0", "eth0", "eth1", "wg0"]);
  assertEquals(listInterfaces(() => mac), ["lo0", "anpi0", "en0", "awdl0", "utun3"]);
  assertEquals(listInterfaces(() => []), []);
});

Deno.test("a card has name, number, hardware address, kind and addresses with their prefixes", () => {
  const eth0 = Interface.get("eth0", { source: source(linux) });
  assertEquals([eth0.name, eth0.index, eth0.mac, eth0.kind], [
    ...["eth0", 2, "52:54:00:00:00:01", "ethernet"],
  ]);
  assertEquals(eth0.addresses.map(({ ip, prefix, network }) => [`${ip}`, prefix, `${network}`]), [
    ["10.0.0.5", 24, "10.0.0.0/24"],
    ["8.8.4.5", 24, "8.8.4.0/24"],
    ["8.8.4.6", 24, "8.8.4.0/24"],
    ["2600:1:2:3::5", 64, "2600:1:2:3::/64"],
    ["2600:1:2:3:aaaa::6", 64, "2600:1:2:3::/64"],
    ["fd12::5", 64, "fd12::/64"],
    ["fe80::5054:ff:fe00:1%eth0", 64, "fe80::%eth0/64"],
  ]);
  assertEquals(eth0.supported(), ["IPv4", "IPv6"]);
  const wg0 = Interface.get("wg0", { source: source(linux) });
  assertEquals([wg0.index, wg0.mac, wg0.kind, wg0.supported()], [
    ...[undefined, undefined, "tunnel", ["IPv4"]],
  ]);
  assertEquals(String(wg0.addresses[0]?.network), "10.99.0.2");
});

Deno.test("fault 34: the zone of a link-local address is its card's, a number where names do not do", () => {
  const zones = (infos: readonly Deno.NetworkInterfaceInfo[], by: "name" | "index") =>
    Interface.list({ source: { interfaces: () => infos, zones: by } })
      .flatMap(({ addresses }) => addresses.map(({ ip }) => ip.zone).filter((zone) => zone !== ""));
  assertEquals(zones(mac, "name"), ["lo0", "anpi0", "en0", "awdl0", "utun3"]);
  assertEquals(zones(windows, "index"), ["38", "14"]);
  assertEquals(zones(windows, "name"), ["38", "Wi-Fi"], "a space cannot be in a zone");
  const [zoned] = Interface.list({ source: () => [info("x", "fe80::1%en5/64", "", 5)] });
  assertEquals(zoned?.addresses.map(({ ip }) => ip.zone), ["en5"]);
});

Deno.test("get() finds a card by name and by address", () => {
  const o = { source: source(linux) };
  assertEquals(Interface.get("8.8.4.6", o).name, "eth0");
  assertEquals(Interface.get("fe80::5054:ff:fe00:2%eth1", o).name, "eth1");
  assertEquals(Interface.get("FD12:0::5", o).name, "eth0");
  assertEquals(Interface.get("Wi-Fi", { source: () => windows }).kind, "wifi");
});

Deno.test("an unknown card is an error that lists those there are", () => {
  const o = { source: source(linux) };
  assertThrows(
    () => Interface.get("eth9", o),
    RangeError,
    'name: no card "eth9", there are lo, docker0, eth0, eth1, wg0',
  );
  assertThrows(() => Interface.get("eth0", { source: () => [] }), RangeError, "there are none");
  assertThrows(() => Reflect.apply(Interface.get, null, [4]), TypeError, "name: a text");
});

Deno.test("an address that is on no card is an error that lists those there are", () => {
  const o = { source: source(linux) };
  assertThrows(
    () => Interface.get("10.0.0.6", o),
    RangeError,
    "no card has the address 10.0.0.6, there are lo (127.0.0.1, ::1), docker0 (172.17.0.1)",
  );
  for (const text of ["fe80::5054:ff:fe00:1", "fe80::5054:ff:fe00:1%eth0", "::ffff:127.0.0.1"]) {
    assertEquals(Interface.get(text, o).name, text.startsWith("fe80") ? "eth0" : "lo");
  }
  assertThrows(() => Interface.get("fe80::5054:ff:fe00:1%wg0", o), RangeError, "%eth0");
});

Deno.test("a card without the wanted family says which one it has", () => {
  const eth = Interface.get("wg0", { source: source(linux) });
  for (const ask of [() => eth.route("IPv6"), () => eth.routes("IPv6")]) {
    assertThrows(ask, RangeError, "family: wg0 has no IPv6 address, only IPv4");
  }
  assertThrows(() => Reflect.apply(eth.route, eth, ["inet"]), TypeError, '"inet"');
  assertThrows(
    () => Interface.default({ family: "IPv6", source: () => [info("eth0", "10.0.0.1/8")] }),
    PipeError,
    "none has an IPv6 address, there are eth0",
  );
});

Deno.test({
  name: "without the permission the error names the flag, and nothing prompts",
  permissions: "none",
  fn() {
    const asks = [
      () => listInterfaces(),
      () => Interface.default(),
      () => Interface.get("eth0"),
      () => Interface.list(),
      () => Interface.watch(),
    ];
    for (const ask of asks) {
      const error = assertThrows(ask, PipeError, "run with --allow-sys=networkInterfaces");
      assertEquals(error.phase, "permission");
    }
    assertEquals(Interface.get("eth0", { source: source(linux) }).name, "eth0");
  },
});

Deno.test({
  name: "the machine's own cards can be read",
  ignore: !isAllowed,
  fn() {
    const names = listInterfaces();
    assertEquals(names, [...new Set(Deno.networkInterfaces().map(({ name }) => name))]);
    const nic = Interface.default();
    assert(names.includes(nic.name) && nic.reason);
    for (const card of Interface.list()) assertEquals(Interface.fromJSON(card.toJSON()), card);
    for (const family of nic.supported()) {
      for (const route of nic.routes(family)) {
        assertEquals(Interface.get(route.nic()).name, nic.name);
      }
    }
  },
});

Deno.test("the default card is the one of the system's default route, and says so", () => {
  const o = {
    source: source(linux, via("eth1", "192.168.7.1", 100), via("eth0", "fe80::1", 1024)),
  };
  const nic = Interface.default(o);
  assertEquals(nic.name, "eth1");
  assertEquals(nic.reason, "the system's default route of IPv4 via 192.168.7.1, metric 100");
  const six = Interface.default({ ...o, family: "IPv6" });
  assertEquals(six.name, "eth0");
  assertEquals(six.reason, "the system's default route of IPv6 via fe80::1%eth0, metric 1024");
  assertEquals(Interface.get("eth0", o).reason, undefined);
});

Deno.test("the first default route of the source wins, on whichever card", () => {
  const routes = [via("wg0", undefined, 50), via("eth0", "10.0.0.1", 0)];
  const nic = Interface.default({ source: source(linux, ...routes) });
  assertEquals(nic.name, "wg0");
  assertEquals(nic.reason, "the system's default route of IPv4, metric 50");
  const other = Interface.default({ source: source(linux, ...routes.toReversed()) });
  assertEquals(other.name, "eth0");
  const six = linux.filter(({ name, family }) => name !== "eth1" || family === "IPv6");
  const useless = source(six, via("eth1", "192.168.7.1"), via("eth0", "10.0.0.1"));
  assertEquals(Interface.default({ source: useless }).name, "eth0", "eth1 has no IPv4 now");
  const gone = Interface.default({ source: source(linux, via("eth7", "10.7.0.1")) });
  assertEquals(gone.name, "eth0", "a route by a card without an address is none");
});

Deno.test("without a default route the first global, then private address decides", () => {
  const reasons = (infos: readonly Deno.NetworkInterfaceInfo[]) => {
    const { name, reason } = Interface.default({ source: () => infos });
    return [name, reason];
  };
  const none = "no default route is known; the first";
  assertEquals(reasons(linux), ["eth0", `${none} global address, 8.8.4.5`]);
  assertEquals(reasons(mac), ["en0", `${none} private address, 192.168.1.23`]);
  assertEquals(reasons(windows), ["Wi-Fi", `${none} private address, 192.168.178.30`]);
  assertEquals(reasons(mac.filter(({ family }) => family === "IPv6")), [
    ...["en0", `${none} link-local address, fe80::1c2b:1%en0`],
  ]);
  const cgn = [info("eth0", "100.64.0.9/24"), info("eth1", "8.8.4.5/24")];
  assertEquals(reasons(cgn)[0], "eth1");
  const docker = linux.filter(({ name }) => name === "docker0");
  assertEquals(reasons(docker)[0], "docker0", "software, if there is nothing else");
});

Deno.test("fault 31: an interface loads without the Internet, and without any network", () => {
  const nic = Interface.default({ source: source(offline) });
  assertEquals(nic.name, "lo");
  assertEquals(nic.reason, "no default route is known; the first loopback address, 127.0.0.1");
  assertEquals(nic.route("IPv4").ext(), "127.0.0.1");
  const home = Interface.default({ source: source(mac) });
  const route = home.route("IPv4");
  assertEquals([route.nic(), route.ext()], ["192.168.1.23", undefined], "known later, by STUN");
  assertThrows(() => Interface.default({ source: () => [] }), PipeError, "there are none");
});

Deno.test("JSON gives the same card again", () => {
  for (const [system, infos] of Object.entries(systems)) {
    const o = { source: source(infos, via("eth0", "10.0.0.1", 5), via("eth0", "fe80::1")) };
    for (const card of [...Interface.list(o), Interface.default(o)]) {
      const copy = Interface.fromJSON(JSON.parse(JSON.stringify(card)));
      assertEquals(copy, card, system);
      assertEquals(JSON.stringify(copy), JSON.stringify(card));
      assertEquals(Deno.inspect(copy), Deno.inspect(card));
    }
  }
  const json = Interface.get("eth1", { source: source(linux) }).toJSON();
  assertEquals(json.addresses, ["192.168.7.2/24", "fe80::5054:ff:fe00:2%eth1/64"]);
});

Deno.test("fromJSON() says what is wrong, and where", () => {
  const good = Interface.get("eth0", { source: source(linux, via("eth0", "10.0.0.1")) }).toJSON();
  const wrong = [
    [null, TypeError, "json: an object"],
    [[], TypeError, "json: an object"],
    [{ ...good, name: 4 }, TypeError, "json.name"],
    [{ ...good, index: "2" }, TypeError, "json.index"],
    [{ ...good, kind: "modem" }, TypeError, "modem"],
    [{ ...good, addresses: {} }, TypeError, "json.addresses"],
    [{ ...good, addresses: ["10.0.0.1/8", "10.0.0.1"] }, TypeError, "json.addresses[1]"],
    [{ ...good, addresses: ["10.0.0.1/33"] }, RangeError, "json.addresses[0]: the prefix of IPv4"],
    [{ ...good, gateways: [{ family: "x" }] }, TypeError, "json.gateways[0].family"],
    [{ ...good, gateways: [{ family: "IPv4", metric: -1 }] }, TypeError, "gateways[0].metric"],
  ] as const;
  for (const [json, kind, part] of wrong) {
    assertThrows(() => Reflect.apply(Interface.fromJSON, null, [json]), kind, part);
  }
});

Deno.test("a source of another shape is refused", () => {
  assertThrows(() => Reflect.apply(listInterfaces, null, [4]), TypeError, "source");
  assertThrows(() => Reflect.apply(listInterfaces, null, [{}]), TypeError, "source");
  assertThrows(() => Reflect.apply(listInterfaces, null, [() => 4]), TypeError, "source");
  const broken = { ...info("eth0", "10.0.0.1/8"), netmask: "255.0.255.0" };
  assertThrows(() => listInterfaces(() => [broken]), RangeError, "255.0.255.0");
  const nameless = { ...info("eth0", "10.0.0.1/8"), address: "x" };
  assertThrows(() => listInterfaces(() => [nameless]), TypeError, '"eth0" x: not an IP address');
  const misspelt = { sources: () => [] };
  assertThrows(() => Reflect.apply(Interface.list, null, [misspelt]), TypeError, '"sources"');
});

Deno.test("the kind is guessed from names of Linux, macOS and Windows", () => {
  const kinds = {
    loopback: ["lo", "lo0", "Loopback Pseudo-Interface 1"],
    ethernet: ["eth0", "enp3s0", "eno1", "en0", "em1", "bond0", "Ethernet", "Ethernet 2"],
    wifi: ["wlan0", "wlp2s0", "Wi-Fi", "WiFi 3", "awdl0", "Wireless Network Connection"],
    cellular: ["wwan0", "wwp0s20", "rmnet_data0", "Cellular"],
    bluetooth: ["bnep0", "Bluetooth Network Connection"],
    tunnel: ["tun0", "tap1", "wg0", "utun3", "ppp0", "tailscale0", "NordVPN TAP VPN"],
    virtual: ["docker0", "veth12ab", "br-1f2e", "virbr0", "vEthernet (WSL)", "bridge0", "ifb1"],
    unknown: ["foo", "x0"],
  };
  for (const [kind, names] of Object.entries(kinds)) {
    for (const name of names) assertEquals(guessKind(name), kind, name);
  }
});
