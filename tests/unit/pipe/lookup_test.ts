/** conf.lookup: names that somebody else looks up. */
import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { type Lookup, PipeClosedError, pipeOpen, ResolveError, RUDP, TCP, UDP } from "@p2pd/pipes";
import { text } from "../../helpers/pipes.ts";
import { hasIPv6 } from "../../helpers/probes.ts";

const route = "127.0.0.1:0";

/** A look-up that notes what it is asked. */
function recorder(...addresses: string[]): { lookup: Lookup; asked: string[] } {
  const asked: string[] = [];
  const lookup: Lookup = (host) => {
    asked.push(host);
    return Promise.resolve(addresses);
  };
  return { lookup, asked };
}

Deno.test("lookup: answers in the system's place, for TCP, UDP and every send by name", async () => {
  for (const proto of [TCP, UDP]) {
    await using server = await pipeOpen(proto, { route });
    const { port } = server.localAddr;
    const { lookup, asked } = recorder("127.0.0.1");
    await using client = await pipeOpen(proto, {
      dest: ["No.Such.Host.invalid", port],
      conf: { lookup },
    });
    assertEquals(asked, ["no.such.host.invalid"]);
    assertEquals(client.remoteAddr, server.localAddr);
    await client.send("by name", ["no.such.host.invalid", port]);
    assertEquals(text(await server.recv()), "by name");
    if (proto === UDP) {
      await client.send("by another", ["other.invalid", port]);
      assertEquals(text(await server.recv()), "by another");
      assertEquals(asked.at(-1), "other.invalid");
    }
  }
});

Deno.test("lookup: a table will do, which answers without a promise", async () => {
  const table: Record<string, string[]> = { "db.internal": ["127.0.0.1"] };
  const lookup: Lookup = (host) => table[host] ?? [];
  await using server = await pipeOpen(TCP, { route });
  const { port } = server.localAddr;
  await using client = await pipeOpen(TCP, { dest: ["db.internal", port], conf: { lookup } });
  assertEquals(client.remoteAddr, server.localAddr);
  await assertRejects(
    () => pipeOpen(TCP, { dest: ["no.internal", port], conf: { lookup } }),
    ResolveError,
    "no.internal",
  );
});

Deno.test("lookup: all its addresses are tried, and those of no use are not", async () => {
  await using server = await pipeOpen(TCP, { route });
  const addresses = ["junk", "127.0.0.9", ...hasIPv6 ? ["::1"] : [], "127.0.0.1"];
  const { lookup } = recorder(...addresses);
  const dest = ["a.invalid", server.localAddr.port] as const;
  await using client = await pipeOpen(TCP, { dest, conf: { lookup } });
  assertEquals(client.remoteAddr, server.localAddr);
});

Deno.test({
  name: "lookup: a send by name takes an address of the family that the pipe is bound to",
  ignore: !hasIPv6,
  fn: async () => {
    const { lookup } = recorder("127.0.0.1", "::1");
    for (const host of ["127.0.0.1", "::1"]) {
      await using server = await pipeOpen(UDP, { route: [host, 0] });
      await using sender = await pipeOpen(UDP, { route: [host, 0], conf: { lookup } });
      await sender.send("by name", ["a.invalid", server.localAddr.port]);
      assertEquals((await server.recvFrom())?.[1], sender.localAddr);
    }
    const four = recorder("127.0.0.1");
    await using six = await pipeOpen(UDP, { route: "[::1]:0", conf: { lookup: four.lookup } });
    const error = await assertRejects(() => six.send("x", "a.invalid:9"), ResolveError);
    assertStringIncludes(error.message, "has no IPv6 address");
  },
});

Deno.test("lookup: the end of the pipe ends those for its sends, and leaves nothing behind", async () => {
  const lookup: Lookup = () => new Promise(() => {});
  for (const end of ["close", "abort"] as const) {
    for (const proto of [UDP, RUDP]) {
      const pipe = await pipeOpen(proto, { route, conf: { lookup, dnsTimeout: 60_000 } });
      const ended = [
        assertRejects(() => pipe.send("x", "a.invalid:9"), PipeClosedError, "Cannot send"),
        assertRejects(() => pipe.request("x", { dest: "a.invalid:9" }), PipeClosedError),
      ];
      await pipe[end]();
      await Promise.all(ended);
      await assertRejects(() => pipe.send("x", "a.invalid:9"), PipeClosedError, "Cannot send");
    }
  }
});

Deno.test("lookup: an address needs none", async () => {
  await using server = await pipeOpen(TCP, { route });
  const { lookup, asked } = recorder();
  await using _client = await pipeOpen(TCP, { dest: server.localAddr, conf: { lookup } });
  assertEquals(asked, []);
});

Deno.test("lookup: one that fails, gives nonsense or hangs is a ResolveError that says so", async () => {
  const cause = new Error("the server is on fire");
  const wrong: [what: string, lookup: () => unknown, says: string][] = [
    ["rejects", () => Promise.reject(cause), "the server is on fire"],
    ["throws", () => {
      throw cause;
    }, "the server is on fire"],
    ["gives nothing", () => undefined, "gave no list of addresses, but undefined"],
    ["gives a text", () => Promise.resolve("127.0.0.1"), 'but "127.0.0.1"'],
    ["gives what is none", () => [1, {}, "junk"], "gave no address"],
    ["gives an empty list", () => [], "gave no address"],
    ["hangs", () => new Promise(() => {}), "timed out after 20 ms"],
  ];
  for (const [what, given, says] of wrong) {
    // as a caller without types would
    const lookup = given as Lookup;
    const conf = { lookup, dnsTimeout: 20 };
    for (const proto of [TCP, UDP]) {
      const open = () => pipeOpen(proto, { dest: "a.invalid:1", conf });
      const error = await assertRejects(open, ResolveError);
      assertStringIncludes(error.message, `Cannot resolve a.invalid: `, what);
      assertStringIncludes(error.message, says, what);
      if (what === "rejects" || what === "throws") assertStrictEquals(error.cause, cause);
    }
  }
  const abort = new AbortController();
  const hanging = pipeOpen(TCP, {
    dest: "a.invalid:1",
    signal: abort.signal,
    conf: { lookup: () => new Promise(() => {}), dnsTimeout: Infinity },
  });
  abort.abort(new RangeError("enough"));
  assertInstanceOf(await assertRejects(() => hanging), RangeError);
});
