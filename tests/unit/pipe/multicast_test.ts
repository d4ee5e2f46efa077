/** `conf.multicast`, over loopback. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { type NetConf, pipeOpen, PipeOpenError, UDP } from "@p2pd/pipes";
import { Socket } from "node:dgram";
import { mayReadInterfaces } from "../../../lib/netif/source.ts";
import { freePort, text, until } from "../../helpers/pipes.ts";
import { hasDenoUdp, hasIPv6 } from "../../helpers/probes.ts";

const loopback = "127.0.0.1";
/** Groups that no other process has, so that whoever has joined them is this one. */
const id = [Deno.pid >> 8 & 255, Deno.pid & 255] as const;
const hex = (...bytes: number[]) => bytes.map((b) => b.toString(16).padStart(2, "0")).join("");
const GROUP = `239.77.${id.join(".")}`;
const GROUP6 = `ff02::4d4d:4d${hex(id[0])}:4d${hex(id[1])}`;
/** As the kernel writes them. */
const KERNEL = hex(id[1], id[0], 77, 239).toUpperCase(); // on a little-endian machine
const KERNEL6 = `ff02${"0".repeat(16)}4d4d4d${hex(id[0])}4d${hex(id[1])}`;
const open = (hostname: string, conf: Partial<NetConf>, port = 0) =>
  pipeOpen(UDP, { route: [hostname, port], conf });

const onLinux = Deno.build.os === "linux";
const canRun = Deno.permissions.querySync({ name: "run", command: "cat" }).state === "granted";

/** The groups that this host has joined on a card, as the kernel writes them (proc(5)). */
async function joined(card: string): Promise<string[]> {
  const paths = ["/proc/net/igmp", "/proc/net/igmp6"];
  const { stdout } = await new Deno.Command("cat", { args: paths, stderr: "null" }).output();
  const groups: string[] = [];
  let current: string | undefined;
  for (const line of new TextDecoder().decode(stdout).split("\n")) {
    const words = line.trim().split(/\s+/);
    if (words[1] === card && words[2]?.length === 32) groups.push(words[2]);
    if (/^\d/.test(line)) current = words[1];
    else if (current === card && /^\s+[0-9A-F]{8}/.test(line)) groups.push(words[0] ?? "");
  }
  return groups;
}

const linux = (name: string, fn: () => Promise<void>) => Deno.test({ name, ignore: !onLinux, fn });

linux("multicast: two receivers on one port hear what is sent to their group", async () => {
  const conf = { multicast: { group: GROUP, interface: loopback }, reuseAddr: true };
  await using one = await open("0.0.0.0", conf);
  await using two = await open("0.0.0.0", conf, one.localAddr.port);
  await using sender = await pipeOpen(UDP, {
    dest: [GROUP, one.localAddr.port],
    route: [loopback, 0],
  });
  await sender.send("to the group");
  for (const receiver of [one, two]) {
    const [msg, from] = await receiver.recvFrom() ?? [];
    assertEquals([text(msg), from], ["to the group", sender.localAddr]);
    await receiver.send("yes", sender.localAddr);
  }
  // Those who answer are not the group.
  await until(() => sender.stats.strangers === 2, "both answers");
});

linux("multicast: a list of groups, and nothing of any other group", async () => {
  const groups = [1, 2].map((n) => `239.78.${id[1]}.${n}`);
  const multicast = groups.map((group) => ({ group, interface: loopback }));
  await using pipe = await open("0.0.0.0", { multicast });
  await using sender = await open(loopback, {});
  const { port } = pipe.localAddr;
  for (const group of [`239.78.${id[1]}.3`, ...groups]) await sender.send(group, [group, port]);
  for (const group of groups) assertEquals(text(await pipe.recv()), group);
  assertEquals(pipe.stats.messagesIn, 2);
});

Deno.test({
  name: "multicast: joins on that interface, and leaves on close",
  ignore: !onLinux || !canRun,
  async fn() {
    const multicast = { group: GROUP, interface: loopback };
    const pipe = await open("0.0.0.0", { multicast });
    assertEquals((await joined("lo")).filter((group) => group === KERNEL), [KERNEL]);
    await pipe.close();
    assert(!(await joined("lo")).includes(KERNEL), "close has left it");
    const aborted = await open("0.0.0.0", { multicast });
    aborted.abort();
    // The system's socket is closed when its last call has returned.
    while ((await joined("lo")).includes(KERNEL));
  },
});

const canName = mayReadInterfaces();

Deno.test({
  name: "multicast: the interface by its name or index, for either family",
  ignore: !onLinux || !canRun || !canName,
  async fn() {
    for (const card of ["lo", 1]) {
      await using _ = await open("0.0.0.0", { multicast: { group: GROUP, interface: card } });
      assert((await joined("lo")).includes(KERNEL), `IPv4 on ${card}`);
    }
    if (!hasIPv6) return;
    const ways = [
      { group: GROUP6, interface: "lo" },
      { group: GROUP6, interface: 1 },
      { group: `${GROUP6}%lo` },
      { group: `${GROUP6}%1` },
    ];
    for (const multicast of ways) {
      const pipe = await open("::", { multicast });
      assert((await joined("lo")).includes(KERNEL6), JSON.stringify(multicast));
      await pipe.close();
      assert(!(await joined("lo")).includes(KERNEL6), "it has left");
    }
  },
});

Deno.test("multicast: without the permission to read interfaces, what needs it says so", {
  permissions: { net: "inherit", sys: false },
}, async () => {
  const ways: [host: string, multicast: NetConf["multicast"]][] = [
    ["0.0.0.0", { group: GROUP, interface: "lo" }],
    ["0.0.0.0", { group: GROUP, interface: 1 }],
  ];
  if (hasIPv6) ways.push(["::", { group: `${GROUP6}%lo` }]);
  if (hasIPv6 && !hasDenoUdp) ways.push(["::", { group: GROUP6, interface: 1 }]);
  for (const [host, multicast] of ways) {
    const error = await assertRejects(() => open(host, { multicast }), PipeOpenError);
    assertEquals(error.phase, "bind");
    assert(error.message.includes("--allow-sys=networkInterfaces"), error.message);
  }
});

const BAD: readonly [what: string, host: string, conf: Partial<NetConf>, says: RegExp][] = [
  [
    "an address that no card has",
    "0.0.0.0",
    { multicast: { group: GROUP, interface: "192.0.2.254" } },
    new RegExp(`Cannot join ${GROUP} on 192.0.2.254: `),
  ],
  [
    "a second group that fails",
    "0.0.0.0",
    {
      multicast: [{ group: GROUP, interface: loopback }, {
        group: "224.0.0.0",
        interface: "9.9.9.9",
      }],
    },
    /Cannot join 224\.0\.0\.0 on 9\.9\.9\.9: /,
  ],
  [
    "an IPv6 group on an IPv4 socket",
    "127.0.0.1",
    { multicast: { group: GROUP6 } },
    /bound to 127\.0\.0\.1; use a route such as "\[::\]:0"/,
  ],
  [
    "an IPv4 group on an IPv6 socket",
    "::1",
    { multicast: { group: GROUP } },
    /bound to ::1; use a route such as "0\.0\.0\.0:0"/,
  ],
];

for (const [what, host, conf, says] of BAD) {
  Deno.test(`multicast: ${what} fails the open, and its socket is closed`, {
    ignore: host === "::1" && !hasIPv6,
  }, async () => {
    const port = freePort();
    for (let round = 0; round < 2; round++) {
      const error = await assertRejects(() => open(host, conf, port), PipeOpenError);
      assertEquals([error.phase, error.sock], ["bind", undefined]);
      assert(says.test(error.message), error.message);
      assertInstanceOf(error.cause, Error);
    }
    await using _ = await open(host, {}, port); // nobody else has it
  });
}

Deno.test("multicast: a client's failure is of phase bind as well", async () => {
  const multicast = { group: GROUP, interface: "192.0.2.254" };
  for (const route of [undefined, "127.0.0.1:0"]) {
    const opening = () => pipeOpen(UDP, { dest: "127.0.0.1:9", route, conf: { multicast } });
    const error = await assertRejects(opening, PipeOpenError, "Cannot join");
    assertEquals(error.phase, "bind");
  }
});

Deno.test("multicast: with doClose false the open socket is handed over", async () => {
  const multicast = { group: GROUP, interface: "192.0.2.254" };
  const error = await assertRejects(
    () => open(loopback, { multicast, doClose: false }),
    PipeOpenError,
  );
  const { sock } = error;
  if (sock instanceof Socket) {
    for (const event of ["message", "error"]) assertEquals(sock.listenerCount(event), 0, event);
    await new Promise<void>((resolve) => sock.close(resolve));
  } else {
    assert(typeof sock === "object" && sock !== null && "close" in sock, `${sock}`);
    assert(typeof sock.close === "function");
    sock.close();
  }
});

Deno.test({
  name: 'multicast: an IPv4 group on a "*" socket, where the driver can',
  ignore: !onLinux || !hasIPv6,
  async fn() {
    const opening = pipeOpen(UDP, {
      route: "*:0",
      conf: { multicast: { group: GROUP, interface: loopback } },
    });
    if (!hasDenoUdp) {
      const error = await assertRejects(() => opening, PipeOpenError, "--unstable-net");
      assertEquals(error.phase, "bind");
      return;
    }
    await using pipe = await opening;
    await using sender = await open(loopback, {});
    await sender.send("both families", [GROUP, pipe.localAddr.port]);
    assertEquals(text(await pipe.recv()), "both families");
  },
});

Deno.test({
  name: "multicast: an adopted socket joins as well",
  ignore: !onLinux || !hasDenoUdp,
  async fn() {
    const listen = () => Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
    const multicast = { group: GROUP, interface: loopback };
    await using pipe = await pipeOpen(UDP, { sock: listen(), conf: { multicast } });
    await using sender = await open(loopback, {});
    await sender.send("adopted", [GROUP, pipe.localAddr.port]);
    assertEquals(text(await pipe.recv()), "adopted");

    const bad = { group: GROUP, interface: "192.0.2.254" };
    const closed = listen(), kept = listen();
    const adopt = (sock: Deno.DatagramConn, doClose: boolean) =>
      assertRejects(
        () => pipeOpen(UDP, { sock, conf: { multicast: bad, doClose } }),
        PipeOpenError,
        "Cannot join",
      );
    assertEquals((await adopt(closed, true)).sock, undefined);
    await assertRejects(() => closed.receive(), Deno.errors.BadResource);
    assertEquals((await adopt(kept, false)).sock, kept);
    kept.close();
  },
});

linux(
  "multicast: conf keeps what was checked, whatever becomes of the caller's objects",
  async () => {
    const entry = { group: `::ffff:${GROUP}`, interface: loopback };
    const list = [entry];
    await using pipe = await open("0.0.0.0", { multicast: list });
    entry.group = "nonsense";
    list.length = 0;
    const { multicast } = pipe.conf;
    assertEquals(multicast, [{ group: GROUP, interface: loopback }]);
    assert(Object.isFrozen(multicast));
    await using again = await open("0.0.0.0", pipe.conf);
    assertEquals(again.conf, pipe.conf);
  },
);
