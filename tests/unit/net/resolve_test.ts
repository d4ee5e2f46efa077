import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { PipeOpenError, ResolveError } from "../../../lib/errors.ts";
import { parseDest } from "../../../lib/net/address.ts";
import { formatIp, isLoopback, parseIp } from "../../../lib/net/ip.ts";
import {
  type Lookup,
  resolveEndpoint,
  type ResolveOptions,
  systemLookup,
} from "../../../lib/net/resolve.ts";

const mayConnect = (await Deno.permissions.query({ name: "net" })).state === "granted";

const never: Lookup = () => {
  throw new Error("looked up");
};

/** A look-up that gives this. */
function gives(...addresses: string[]): Lookup {
  return () => Promise.resolve(addresses);
}

function resolve(dest: string, o: Partial<ResolveOptions> = {}): Promise<string[]> {
  const ep = parseDest(dest, "dest", { wildcard: true });
  const options = { timeout: 60_000, lookup: never, ...o };
  return resolveEndpoint(ep, options).then((ips) => ips.map(formatIp));
}

async function fails(o: Partial<ResolveOptions>, dest = "a.example:80"): Promise<ResolveError> {
  const error = await assertRejects(() => resolve(dest, o), ResolveError);
  assertEquals(error.phase, "resolve");
  assertEquals(error.addr, dest);
  assertStringIncludes(error.message, `Cannot resolve ${parseDest(dest, "dest").hostname}: `);
  return error;
}

Deno.test("resolveEndpoint() takes an IP address for itself, without a look-up", async () => {
  assertEquals(await resolve("127.0.0.1:80"), ["127.0.0.1"]);
  assertEquals(await resolve("[fe80::1%eth0]:80", { family: "IPv6" }), ["fe80::1%eth0"]);
  assertEquals(await resolve("[::ffff:1.2.3.4]:80", { family: "IPv4" }), ["1.2.3.4"]);
  assertEquals(await resolve("[::1]:80", { timeout: 0 }), ["::1"]);
});

Deno.test("resolveEndpoint() refuses an IP address of the other family", async () => {
  const six = await fails({ family: "IPv4" }, "[::1]:80");
  assertEquals(six.message, "Cannot resolve ::1: has no IPv4 address, it is an IPv6 address");
  const four = await fails({ family: "IPv6" }, "127.0.0.1:80");
  assertStringIncludes(four.message, "has no IPv6 address, it is an IPv4 address");
});

Deno.test("resolveEndpoint() keeps both families in the look-up's order", async () => {
  const lookup = gives("2001:db8::2", "192.0.2.9", "2001:db8::1", "192.0.2.1");
  const all = ["2001:db8::2", "192.0.2.9", "2001:db8::1", "192.0.2.1"];
  assertEquals(await resolve("a:80", { lookup }), all);
  assertEquals(await resolve("a:80", { lookup, family: "IPv4" }), ["192.0.2.9", "192.0.2.1"]);
  assertEquals(await resolve("a:80", { lookup, family: "IPv6" }), ["2001:db8::2", "2001:db8::1"]);
});

Deno.test("resolveEndpoint() drops duplicates and answers that are no address", async () => {
  const lookup = gives("192.0.2.1", "::1", "junk", "::ffff:192.0.2.1", "0::1", "", "fe80::1%1");
  assertEquals(await resolve("a:80", { lookup }), ["192.0.2.1", "::1", "fe80::1%1"]);
});

Deno.test("resolveEndpoint() asks for the host in canonical text, once", async () => {
  const asked: string[] = [];
  const lookup: Lookup = (host) => {
    asked.push(host);
    return Promise.resolve(["::1"]);
  };
  await resolve("BÜCHER.example:80", { lookup, timeout: Infinity });
  assertEquals(asked, ["xn--bcher-kva.example"]);
});

Deno.test("resolveEndpoint() says which family a host has when it lacks the other", async () => {
  const few = await fails({ family: "IPv6", lookup: gives("192.0.2.1", "192.0.2.2") });
  const message = "Cannot resolve a.example: has no IPv6 address, only 192.0.2.1, 192.0.2.2";
  assertEquals(few.message, message);
  const many = await fails({ family: "IPv4", lookup: gives("::1", "::2", "::3", "::4", "::5") });
  assertStringIncludes(many.message, "only ::1, ::2, ::3, …");
});

Deno.test("resolveEndpoint() refuses an empty answer", async () => {
  assertStringIncludes((await fails({ lookup: gives() })).message, "no address");
  const { message } = await fails({ lookup: gives("junk", "1.2.3") });
  assertEquals(
    message,
    'Cannot resolve a.example: the look-up gave no address, but ["junk","1.2.3"]',
  );
});

Deno.test("resolveEndpoint() keeps the system's error as the cause", async () => {
  const notFound = Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" });
  const missing = await fails({ lookup: () => Promise.reject(notFound) });
  assertEquals(missing.message, "Cannot resolve a.example: host not found");
  assertStrictEquals(missing.cause, notFound);
  const other = new Error("server failure");
  const failed = await fails({ lookup: () => Promise.reject(other) });
  assertEquals(failed.message, "Cannot resolve a.example: server failure");
  assertStrictEquals(failed.cause, other);
  const odd = await fails({ lookup: () => Promise.reject("odd") });
  assertStrictEquals(odd.cause, "odd");
  assertStringIncludes((await fails({ lookup: never })).message, "looked up"); // thrown, not rejected
});

Deno.test("resolveEndpoint() refuses a look-up that gives no list, and takes addresses only", async () => {
  const wrong = [undefined, null, "192.0.2.1", 7, {}, { addresses: ["::1"] }, new Set(["::1"])];
  for (const answer of wrong) {
    // as a caller without types would
    const lookup = (): Promise<never> => Promise.resolve(answer as never);
    const error = await fails({ lookup });
    assertStringIncludes(error.message, "the look-up gave no list of addresses, but ");
    assertInstanceOf(error.cause, TypeError);
  }
  const mixed: unknown[] = [null, 4, { address: "192.0.2.9" }, ["192.0.2.8"], "192.0.2.1"];
  const lookup = (): Promise<never> => Promise.resolve(mixed as never);
  assertEquals(await resolve("a:80", { lookup }), ["192.0.2.1"]);
  const trap = new Proxy([], {
    get() {
      throw new Error("a trap");
    },
  });
  const trapped = await fails({ lookup: (): never => trap as never });
  assertStringIncludes(trapped.message, "a trap");
});

Deno.test("resolveEndpoint() takes a look-up's own TimeoutError for a failure, not for ours", async () => {
  const cause = new DOMException("slow server", "TimeoutError");
  const error = await fails({ lookup: () => Promise.reject(cause) });
  assertEquals(error.message, "Cannot resolve a.example: slow server");
});

Deno.test("resolveEndpoint() gives up in time, and ignores what comes later", async () => {
  const late = Promise.withResolvers<string[]>();
  for (const timeout of [0, 1]) {
    const error = await fails({ timeout, lookup: () => late.promise });
    assertEquals(error.message, `Cannot resolve a.example: timed out after ${timeout} ms`);
    assertInstanceOf(error.cause, DOMException);
  }
  late.reject(new Error("late")); // unhandled, it would fail the run
  await assertRejects(() => late.promise);
});

Deno.test("resolveEndpoint() waits as long as it takes without a timeout", async () => {
  for (const timeout of [Infinity, 2 ** 31, Number.MAX_SAFE_INTEGER]) {
    const answer = Promise.withResolvers<string[]>();
    const result = resolve("a:80", { timeout, lookup: () => answer.promise });
    // timers fire in order, and one of 2^31 ms would be one of 1 ms
    await new Promise((done) => setTimeout(done, 2));
    answer.resolve(["::1"]);
    assertEquals(await result, ["::1"]);
  }
});

Deno.test("resolveEndpoint() leaves no timer behind when the answer is in time", async () => {
  assertEquals(await resolve("a:80", { timeout: 3_600_000, lookup: gives("::1") }), ["::1"]);
});

Deno.test("resolveEndpoint() rejects with the reason of an aborted signal, and asks nobody", async () => {
  const reason = { why: "not needed" };
  const signal = AbortSignal.abort(reason);
  for (const dest of ["a:80", "127.0.0.1:80"]) {
    const error = await resolve(dest, { signal }).then(() => undefined, (error) => error);
    assertStrictEquals(error, reason);
  }
});

Deno.test("resolveEndpoint() rejects with the reason when aborted during the look-up", async () => {
  for (const timeout of [Infinity, 60_000]) {
    const controller = new AbortController();
    const late = Promise.withResolvers<string[]>();
    const { signal } = controller;
    const result = resolve("a:80", { timeout, signal, lookup: () => late.promise });
    const reason = new Error("changed my mind");
    controller.abort(reason);
    assertStrictEquals(await assertRejects(() => result), reason);
    late.reject(new Error("late"));
    await assertRejects(() => late.promise);
  }
});

Deno.test("resolveEndpoint() is not hurt by an abort after the answer", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  assertEquals(await resolve("a:80", { signal, lookup: gives("::1") }), ["::1"]);
  controller.abort();
});

Deno.test("resolveEndpoint() does not look * up", async () => {
  const error = await assertRejects(() => resolve("*:80"), ResolveError);
  assertStringIncludes(error.message, "address to listen on");
});

Deno.test("resolveEndpoint() names the flag when the permission is missing", async () => {
  const cause = new Deno.errors.NotCapable("net");
  const lookup: Lookup = () => Promise.reject(cause);
  const error = await assertRejects(() => resolve("a:80", { lookup }), PipeOpenError);
  assertEquals(error.phase, "permission");
  assertEquals(error.addr, "a:80");
  assertStrictEquals(error.cause, cause);
  assertStringIncludes(error.message, "run with --allow-net=a (no port)");
});

Deno.test({
  name: "systemLookup() without permission names the flag",
  permissions: { net: false },
  async fn() {
    const lookup = systemLookup;
    const error = await assertRejects(() => resolve("localhost:80", { lookup }), PipeOpenError);
    assertEquals(error.phase, "permission");
    assertStringIncludes(error.message, "run with --allow-net=localhost (no port)");
    assertInstanceOf(error.cause, Error);
  },
});

Deno.test({
  name: "systemLookup() finds localhost, and is the default",
  ignore: !mayConnect,
  async fn() {
    const found = await systemLookup("localhost");
    assert(found.length > 0);
    for (const text of found) {
      const ip = parseIp(text);
      assert(ip && isLoopback(ip), text);
    }
    const ep = parseDest("localhost:80", "dest");
    const ips = await resolveEndpoint(ep, { timeout: 60_000 });
    assertEquals(new Set(ips.map(formatIp)), new Set(found));
  },
});
