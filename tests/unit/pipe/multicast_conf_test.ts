/** `conf.multicast`: what is refused before there is a socket. */
import { assertRejects } from "@std/assert";
import { pipeOpen, TCP, UDP } from "@p2pd/pipes";

const GROUP = "239.77.68.67", GROUP6 = "ff02::4d44:4344";

const WRONG: readonly [
  value: unknown,
  error: typeof TypeError | typeof RangeError,
  says: string,
][] = [
  [GROUP, TypeError, "conf.multicast: { group, interface? }"],
  [false, TypeError, "false"],
  [{}, TypeError, "conf.multicast: {"],
  [
    { group: "127.0.0.1" },
    TypeError,
    'conf.multicast.group: a multicast address is needed, got "127',
  ],
  [{ group: "all.example" }, TypeError, "all.example"],
  [{ group: 224 }, TypeError, "224"],
  [{ group: GROUP, ttl: 1 }, TypeError, '"ttl"'],
  [{ group: GROUP, interface: "" }, TypeError, "conf.multicast.interface"],
  [{ group: GROUP, interface: null }, TypeError, "conf.multicast.interface"],
  [{ group: GROUP, interface: 0 }, RangeError, "conf.multicast.interface"],
  [{ group: GROUP, interface: 1.5 }, RangeError, "1.5"],
  [{ group: GROUP, interface: "::1" }, TypeError, '"::1"'],
  [{ group: GROUP6, interface: "127.0.0.1" }, TypeError, "for an IPv6 group"],
  [{ group: GROUP6, interface: "fe80::1" }, TypeError, '"fe80::1"'],
  [{ group: `${GROUP6}%lo`, interface: 1 }, TypeError, "zone"],
  [[{ group: GROUP }, { group: "1.2.3.4" }], TypeError, "conf.multicast[1].group"],
  [[{ group: GROUP }, { group: GROUP }], TypeError, "conf.multicast[1].group"],
  [[null], TypeError, "conf.multicast[0]"],
];

for (const [value, error, says] of WRONG) {
  Deno.test(`multicast: refused before there is a socket: ${Deno.inspect(value)}`, async () => {
    // deno-lint-ignore no-explicit-any -- what the types would not let through
    const conf: any = { multicast: value };
    await assertRejects(() => pipeOpen(UDP, { conf }), error, says);
  });
}

Deno.test("multicast: a TCP pipe has no groups", async () => {
  const conf = { multicast: { group: GROUP } };
  await assertRejects(() => pipeOpen(TCP, { conf }), TypeError, "conf.multicast");
});
