import { assertEquals } from "@std/assert";
import { parseProcIpv6Route, parseProcRoute } from "../../../lib/netif/default_route.ts";
import { Random } from "../../helpers/random.ts";

const HEAD =
  "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT  \n";
const isLittleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** An IPv4 address as the kernel of this machine prints it. */
function word(text: string): string {
  const bytes = text.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  return (isLittleEndian ? bytes.reverse() : bytes).join("").toUpperCase();
}

function row(
  name: string,
  to: string,
  gateway: string,
  flags: string,
  metric: number,
  mask: string,
) {
  return [name, word(to), word(gateway), flags, 0, 0, metric, word(mask), 0, 0, 0].join("\t") +
    "  \n";
}

Deno.test("parseProcRoute() finds the default routes, the cheapest first", () => {
  const text = HEAD +
    row("wlan0", "0.0.0.0", "192.168.1.1", "0003", 600, "0.0.0.0") +
    row("eth0", "0.0.0.0", "10.0.0.138", "0003", 100, "0.0.0.0") +
    row("eth0", "10.0.0.0", "0.0.0.0", "0001", 100, "255.255.255.0") +
    row("ppp0", "0.0.0.0", "0.0.0.0", "0001", 700, "0.0.0.0") +
    row("down0", "0.0.0.0", "10.9.0.1", "0002", 0, "0.0.0.0") +
    row("*", "0.0.0.0", "0.0.0.0", "0201", 0, "0.0.0.0");
  assertEquals(parseProcRoute(text), [
    { family: "IPv4", name: "eth0", gateway: "10.0.0.138", metric: 100 },
    { family: "IPv4", name: "wlan0", gateway: "192.168.1.1", metric: 600 },
    { family: "IPv4", name: "ppp0", gateway: undefined, metric: 700 },
  ]);
});

Deno.test("parseProcRoute() lets a VPN's two half routes win, as the kernel does", () => {
  const text = HEAD +
    row("eth0", "0.0.0.0", "10.0.0.1", "0003", 0, "0.0.0.0") +
    row("tun0", "0.0.0.0", "10.8.0.1", "0003", 50, "128.0.0.0") +
    row("tun0", "128.0.0.0", "10.8.0.1", "0003", 50, "128.0.0.0");
  assertEquals(parseProcRoute(text).map(({ name }) => name), ["tun0", "eth0"]);
});

const ZERO = "0".repeat(32);

function row6(
  to: string,
  prefix: string,
  gateway: string,
  metric: string,
  flags: string,
  name: string,
) {
  return `${to} ${prefix} ${ZERO} 00 ${gateway} ${metric} 00000001 00000000 ${flags} ${
    name.padStart(8)
  }\n`;
}

Deno.test("parseProcIpv6Route() finds the default routes, and none that rejects", () => {
  const router = "fe80" + "0".repeat(27) + "1";
  const text = row6("fd" + "0".repeat(30), "40", ZERO, "00000100", "00000001", "eth0") +
    row6(ZERO, "00", router, "00000400", "00450003", "eth0") +
    row6(ZERO, "00", router, "00000200", "00450003", "wlan0") +
    row6(ZERO.slice(1) + "1", "80", ZERO, "00000000", "80200001", "lo") +
    row6(ZERO, "00", ZERO, "ffffffff", "00200200", "lo");
  assertEquals(parseProcIpv6Route(text), [
    { family: "IPv6", name: "wlan0", gateway: "fe80::1", metric: 0x200 },
    { family: "IPv6", name: "eth0", gateway: "fe80::1", metric: 0x400 },
  ]);
  const vpn = row6("2" + "0".repeat(31), "03", ZERO, "00000400", "00000001", "wg0");
  assertEquals(parseProcIpv6Route(text + vpn)[0]?.name, "wg0");
  const lan = row6(ZERO, "40", ZERO, "00000001", "00000001", "eth9");
  assertEquals(parseProcIpv6Route(lan), []);
});

Deno.test("what is no list of routes has none in it", () => {
  const r = new Random(5);
  const good = row("eth0", "0.0.0.0", "10.0.0.1", "0003", 1, "0.0.0.0");
  for (
    const text of ["", "\n\n", HEAD, "eth0", "x ".repeat(50), good.slice(0, 20), "\0".repeat(99)]
  ) {
    assertEquals(parseProcRoute(text), [], text);
    assertEquals(parseProcIpv6Route(text), [], text);
  }
  for (let i = 0; i < 2000; i++) {
    const at = r.below(good.length), piece = String.fromCharCode(r.below(128));
    const text = good.slice(0, at) + piece + good.slice(at + 1);
    for (const route of parseProcRoute(text)) {
      assertEquals(Number.isSafeInteger(route.metric), true);
    }
    parseProcIpv6Route(text);
  }
});
