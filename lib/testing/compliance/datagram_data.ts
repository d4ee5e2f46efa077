import { assert } from "@std/assert/assert";
import { assertEquals } from "@std/assert/equals";
import { assertRejects } from "@std/assert/rejects";
import { assertStrictEquals } from "@std/assert/strict-equals";
import type { NetAddr } from "../../pipe/types.ts";
import type { Transport } from "../../transport/transport.ts";
import { digestOf } from "./hash.ts";
import { Dice } from "../dice.ts";
import { turns } from "./turns.ts";
import { bind, failure, options, receive, sockets, udp } from "./pair.ts";
import { assertRefusal, assertReports } from "./report.ts";
import type { DatagramSubject, Obligation } from "./subject.ts";

const never = () => {
  throw new Error("there was nothing to read");
};

function assertPlain(addr: NetAddr, hostname: string): void {
  assertStrictEquals(Object.getPrototypeOf(addr), Object.prototype);
  assert(Object.isFrozen(addr), "the address can be changed");
  assertEquals(addr, { transport: "udp", hostname, port: addr.port });
  assert(addr.port > 0, "the address has no port");
}

/** A port where nobody is bound: one that was free a moment ago. */
async function deadAddress({ driver, host }: DatagramSubject): Promise<NetAddr> {
  const socket = await bind(driver, udp(host));
  await socket.close();
  return socket.localAddr;
}

/** Sends where nobody is: it is lost, and where messages are acknowledged that is an error. */
async function sendToNobody(socket: Transport, to: NetAddr): Promise<void> {
  const sent = socket.send(new Uint8Array([1]), to);
  if (socket.reliability === undefined) await sent;
  else assertEquals((await failure(sent)).fault, "unanswered");
}

/** Addresses, opening, and what goes through a datagram socket. */
export const datagramData: readonly Obligation<DatagramSubject>[] = [
  {
    name: "addresses are plain frozen objects, and both ends agree on them",
    async check(subject) {
      await using pair = await sockets(subject);
      const { a, b } = pair;
      for (const socket of [a, b]) {
        assertEquals(socket.kind, "datagram");
        assertPlain(socket.localAddr, subject.host);
        assertEquals(socket.remoteAddr, undefined);
      }
      for (let round = 0; round < 2; round++) {
        await a.send(new Uint8Array(1), b.localAddr);
        const [, from] = await receive(b);
        assertPlain(from, subject.host);
        assertEquals(from, a.localAddr);
      }
    },
  },
  {
    name: "what was sent can be changed once send has resolved",
    async check(subject) {
      await using pair = await sockets(subject);
      const data = new Uint8Array(1000);
      for (let i = 1; i <= 3; i++) {
        await pair.a.send(data.fill(i), pair.b.localAddr);
        data.fill(0xee);
      }
      for (let i = 1; i <= 3; i++) {
        assertEquals((await receive(pair.b))[0], new Uint8Array(1000).fill(i));
      }
    },
  },
  {
    name: "senders are told apart, in turn and repeated",
    async check(subject) {
      await using pair = await sockets(subject);
      const c = await bind(subject.driver, udp(subject.host));
      for (const sender of [pair.a, c, c, pair.a, c]) {
        await sender.send(new Uint8Array(1), pair.b.localAddr);
        assertEquals((await receive(pair.b))[1], sender.localAddr);
      }
      await c.close();
    },
  },
  {
    name: 'a "::" socket shows IPv4 peers as IPv4, and reaches them',
    applies: ({ dual = false }) => dual,
    async check(subject) {
      await using pair = await sockets(subject, "::", "127.0.0.1");
      const { a, b } = pair;
      await b.send(new Uint8Array([1]), udp("127.0.0.1", a.localAddr.port));
      const [, from] = await receive(a);
      assertPlain(from, "127.0.0.1");
      assertEquals(from, b.localAddr);
      await a.send(new Uint8Array([2]), from);
      const [data, back] = await receive(b);
      assertEquals(data, new Uint8Array([2]));
      assertEquals(back, udp("127.0.0.1", a.localAddr.port));
    },
  },
  {
    name: "a datagram is one packet, the empty one included, whole at every size",
    async check(subject) {
      await using pair = await sockets(subject);
      const random = new Dice(7);
      const most = pair.a.maxMessage ?? 65_507;
      for (const size of [0, 1, 0, 1400, 16_383, 16_384, most, 0, 2]) {
        const data = random.bytes(size);
        await pair.a.send(data, pair.b.localAddr);
        const [got] = await receive(pair.b);
        assertEquals(digestOf(got), digestOf(data));
      }
    },
  },
  {
    name: "data handed up belongs to the receiver",
    async check(subject) {
      await using pair = await sockets(subject);
      const received: { data: Uint8Array; copy: Uint8Array }[] = [];
      for (const [i, size] of [3, 1400, 3, 40_000, 1400, 0, 40_000, 5].entries()) {
        await pair.a.send(new Uint8Array(size).fill(i + 1), pair.b.localAddr);
        const [data] = await receive(pair.b);
        assertStrictEquals(Object.getPrototypeOf(data), Uint8Array.prototype);
        assertEquals(data.length, size);
        // Its to change, too.
        if (i % 2 === 1) data.fill(0xff);
        received.push({ data, copy: data.slice() });
      }
      for (const { data, copy } of received) assertEquals(digestOf(data), digestOf(copy));
    },
  },
  {
    name: "what is sent may be changed once send resolved",
    async check(subject) {
      await using pair = await sockets(subject);
      const data = new Uint8Array([1, 2, 3]);
      await pair.a.send(data, pair.b.localAddr);
      data.fill(9);
      assertEquals((await receive(pair.b))[0], new Uint8Array([1, 2, 3]));
    },
  },
  {
    name: "send resolves with the size, and its report is told first",
    async check(subject) {
      await using pair = await sockets(subject);
      await assertReports(pair.a, [5, 0, 700, 3, 1], pair.b.localAddr);
    },
  },
  {
    name: "a send that fails rejects with what its report makes of it",
    async check(subject) {
      await using pair = await sockets(subject);
      await pair.a.close();
      await assertRefusal(pair.a, pair.b.localAddr);
    },
  },
  {
    name: "overlapping sends leave in the order of the calls",
    async check(subject) {
      await using pair = await sockets(subject);
      const order: number[] = [], settled: number[] = [];
      const sent = Promise.all(
        Array.from(
          { length: 50 },
          (_, i) =>
            pair.a.send(new Uint8Array(i).fill(i), pair.b.localAddr).then(() => settled.push(i)),
        ),
      );
      await pair.b.pull((data) => order.push(data.length) < 50);
      await sent;
      const expected = Array.from({ length: 50 }, (_, i) => i);
      assertEquals(order, expected);
      assertEquals(settled, expected);
    },
  },
  {
    name: "false from the sink stops it until the next pull, without loss",
    async check(subject) {
      await using pair = await sockets(subject);
      for (let i = 0; i < 10; i++) await pair.a.send(new Uint8Array([i]), pair.b.localAddr);
      const got: number[] = [];
      while (got.length < 10) {
        const how = await pair.b.pull((data) => {
          got.push(data[0] ?? -1);
          return false;
        });
        assertEquals(how, "paused");
        const before = got.length;
        await turns(1);
        assertEquals(got.length, before, "the sink was called after it said stop");
      }
      assertEquals(got, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    },
  },
  {
    name: "one reader at a time: a second pull is refused and does no harm",
    async check(subject) {
      await using pair = await sockets(subject);
      const first = receive(pair.b);
      assertEquals((await failure(pair.b.pull(never))).fault, "failed");
      await pair.a.send(new Uint8Array([1]), pair.b.localAddr);
      assertEquals((await first)[0], new Uint8Array([1]));
    },
  },
  {
    name: "an error of the sink comes out of pull, and the next pull goes on",
    async check(subject) {
      await using pair = await sockets(subject);
      await pair.a.send(new Uint8Array([1]), pair.b.localAddr);
      const pulled = pair.b.pull(() => {
        throw new RangeError("mine");
      });
      await assertRejects(() => pulled, RangeError, "mine");
      await pair.a.send(new Uint8Array([2]), pair.b.localAddr);
      assertEquals((await receive(pair.b))[0], new Uint8Array([2]));
    },
  },
  {
    name: "a client sends to its peer, hears everybody, and needs no local address",
    async check(subject) {
      const { driver, host } = subject;
      await using pair = await sockets(subject);
      const { a, b } = pair;
      for (const from of [undefined, udp(host)]) {
        const client = await driver.connect(a.localAddr, from, options());
        assertEquals(client.remoteAddr, a.localAddr);
        assert(Object.isFrozen(client.remoteAddr), "the address can be changed");
        await client.send(new Uint8Array([1]));
        const [data, seen] = await receive(a);
        assertEquals(data, new Uint8Array([1]));
        assertEquals(seen, udp(host, client.localAddr.port));
        await client.send(new Uint8Array([2]), b.localAddr);
        assertEquals((await receive(b))[0], new Uint8Array([2]));
        await b.send(new Uint8Array([3]), seen);
        assertEquals(await receive(client), [new Uint8Array([3]), b.localAddr]);
        await client.close();
      }
    },
  },
  {
    name: "a send without a receiver is refused, where there is no peer",
    async check(subject) {
      await using pair = await sockets(subject);
      const { cause } = await failure(pair.a.send(new Uint8Array(1)));
      assert(cause instanceof Error && /no receiver/.test(cause.message), `cause: ${cause}`);
      await pair.a.send(new Uint8Array(1), pair.b.localAddr);
      await receive(pair.b);
    },
  },
  {
    name: "a send that fails fails alone",
    async check(subject) {
      await using pair = await sockets(subject);
      const { a, b } = pair;
      const before = a.send(new Uint8Array([1]), b.localAddr);
      const failed = failure(a.send(new Uint8Array(70_000), b.localAddr));
      const after = a.send(new Uint8Array([2]), b.localAddr);
      assert((await failed).cause instanceof Error);
      await Promise.all([before, after]);
      assertEquals((await receive(b))[0], new Uint8Array([1]));
      assertEquals((await receive(b))[0], new Uint8Array([2]));
    },
  },
  {
    name: "a dead port does not end the socket",
    async check(subject) {
      await using pair = await sockets(subject);
      const { a, b } = pair;
      const dead = await deadAddress(subject);
      const pulling = receive(a);
      const sent: Promise<void>[] = [];
      for (let i = 0; i < 5; i++) {
        sent.push(sendToNobody(a, dead));
        await turns(1);
      }
      await Promise.all(sent);
      await b.send(new Uint8Array([7]), a.localAddr);
      assertEquals((await pulling)[0], new Uint8Array([7]));
      await a.send(new Uint8Array([8]), b.localAddr);
      assertEquals((await receive(b))[0], new Uint8Array([8]));
    },
  },
  {
    name: "a client of a dead port goes on, and hears from it once it lives",
    async check(subject) {
      const { driver } = subject;
      const dead = await deadAddress(subject);
      const client = await driver.connect(dead, undefined, options());
      const pulling = receive(client);
      const sent: Promise<void>[] = [];
      for (let i = 0; i < 3; i++) {
        sent.push(sendToNobody(client, dead));
        await turns(1);
      }
      await Promise.all(sent);
      const server = await bind(driver, dead);
      await client.send(new Uint8Array([9]));
      const [data, from] = await receive(server);
      assertEquals(data, new Uint8Array([9]));
      await server.send(data, from);
      assertEquals(await pulling, [new Uint8Array([9]), dead]);
      await Promise.all([client.close(), server.close()]);
    },
  },
  {
    name: "an address in use: a TransportError with the system's error as cause",
    async check({ driver, host }) {
      const socket = await bind(driver, udp(host));
      const { fault, cause } = await failure(bind(driver, socket.localAddr));
      await socket.close();
      assertEquals(fault, "failed");
      assert(cause instanceof Error, `cause: ${cause}`);
      assert(/in ?use/i.test(`${cause.name} ${cause.message}`), `cause: ${cause}`);
    },
  },
  {
    name: "an aborted signal refuses to open, with its reason",
    async check({ driver, host }) {
      const reason = new Error("no more");
      const aborted = options({}, AbortSignal.abort(reason));
      const of = (call: Promise<unknown>) => call.then(() => "succeeded", (error) => error);
      assertStrictEquals(await of(driver.listen(udp(host), aborted)), reason);
      assertStrictEquals(
        await of(driver.connect(udp(host, 9), undefined, aborted)),
        reason,
      );
    },
  },
];
