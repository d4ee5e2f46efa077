import { assert } from "@std/assert/assert";
import { assertEquals } from "@std/assert/equals";
import { assertStrictEquals } from "@std/assert/strict-equals";
import type { NetAddr } from "../../pipe/types.ts";
import { connected, failure, listen, options, place, readBytes, tcp } from "./pair.ts";
import type { Obligation, StreamSubject } from "./subject.ts";
import { retaking } from "./retaking.ts";

/** What the address of an end has to look like. */
function assertPlain(
  addr: NetAddr | undefined,
  { names = "ip", host, transport = "tcp" }: StreamSubject,
  end: "listens" | "connects" = "connects",
): void {
  assert(addr !== undefined, "there is no address");
  assertStrictEquals(Object.getPrototypeOf(addr), Object.prototype);
  assert(Object.isFrozen(addr), "the address can be changed");
  const path = names === "path" ? ["path"] : [];
  assertEquals(Object.keys(addr).sort(), ["hostname", ...path, "port", "transport"]);
  assertEquals(addr.transport, transport);
  assertEquals(addr.port > 0, names === "ip", `port ${addr.port}`);
  if (names === "path") {
    assertEquals(addr.hostname, addr.path);
    assertEquals(addr.path !== "", end === "listens");
  } else assertEquals(addr.hostname, names === "ip" ? host : "");
}

/** Where nobody listens: somebody did a moment ago. */
async function deadPlace(subject: StreamSubject): Promise<NetAddr> {
  const acceptor = await listen(subject.driver, place(subject));
  await acceptor.close();
  return acceptor.localAddr;
}

/** Whether somebody listens there all the same: another program, which got that port meanwhile. */
function isTaken({ driver }: StreamSubject, at: NetAddr): Promise<boolean> {
  return driver.connect(at, undefined, options())
    .then((connection) => connection.close().then(() => true), () => false);
}

/** Addresses, connecting, listening, accepting. */
export const streamOpening: readonly Obligation<StreamSubject>[] = [
  {
    name: "addresses are plain frozen objects, and both ends agree on them",
    async check(subject) {
      await using pair = await connected(subject);
      const { own, peer, acceptor } = pair;
      for (const end of [own, peer]) {
        assertEquals(end.kind, "stream");
        assertPlain(end.localAddr, subject, end === own ? "listens" : "connects");
        assertPlain(end.remoteAddr, subject, end === own ? "connects" : "listens");
      }
      if (subject.names !== "none") {
        assertPlain(acceptor.localAddr, subject, "listens");
        assertEquals(own.localAddr, acceptor.localAddr);
      }
      assertEquals(own.remoteAddr, peer.localAddr);
      assertEquals(own.localAddr, peer.remoteAddr);
      await peer.send(new Uint8Array(1));
      let sender: NetAddr | undefined;
      await own.pull((_, from) => {
        sender = from;
        return false;
      });
      assertEquals(sender, peer.localAddr);
    },
  },
  {
    name: 'a "::" listener shows its IPv4 peers as IPv4',
    applies: ({ dual = false }) => dual,
    async check(subject) {
      await using pair = await connected(subject, tcp("::"), "127.0.0.1");
      const shown = { ...subject, host: "127.0.0.1" };
      assertPlain(pair.own.remoteAddr, shown);
      assertPlain(pair.own.localAddr, shown);
      assertEquals(pair.acceptor.localAddr.hostname, "::");
    },
  },
  {
    name: "the address can be bound again once close returned, an accept in progress or not",
    check: retaking(async (subject: StreamSubject) => {
      const { driver } = subject;
      let at = place(subject);
      const accepting: Promise<unknown>[] = [];
      for (let round = 0; round < 4; round++) {
        const acceptor = await listen(driver, at);
        at = acceptor.localAddr;
        if (round % 2 === 0) accepting.push(acceptor.accept());
        await acceptor.close();
      }
      assertEquals(await Promise.all(accepting), [null, null]);
    }),
  },
  {
    name: "the address can be bound again while connections of the last listener are open",
    check: retaking(async (subject: StreamSubject) => {
      await using pair = await connected(subject);
      await pair.acceptor.close();
      const again = await listen(subject.driver, pair.acceptor.localAddr);
      await again.close();
      await pair.peer.send(new Uint8Array(3));
      assertEquals(await readBytes(pair.own, 3), new Uint8Array(3));
    }),
  },
  {
    name: "accept gives null when closed meanwhile and ever after, and close is idempotent",
    async check(subject) {
      const { driver } = subject;
      const acceptor = await listen(driver, place(subject));
      const accepting = acceptor.accept();
      await Promise.all([acceptor.close(), acceptor.close()]);
      assertEquals(await accepting, null);
      assertEquals(await acceptor.accept(), null);
      await acceptor.close();
      assertEquals(await acceptor.accept(), null);
    },
  },
  {
    name: "a second accept beside one in progress is refused and does no harm",
    async check(subject) {
      const { driver, peer = driver } = subject;
      const acceptor = await listen(driver, place(subject));
      const accepting = acceptor.accept();
      assertEquals((await failure(acceptor.accept())).fault, "failed");
      const connection = await peer.connect(acceptor.localAddr, undefined, options());
      const accepted = await accepting;
      assert(accepted !== null);
      await Promise.all([acceptor.close(), accepted.close(), connection.close()]);
    },
  },
  {
    name: "connections that nobody accepted do not outlive the listener",
    async check(subject) {
      const { driver, peer = driver } = subject;
      const acceptor = await listen(driver, place(subject));
      const connection = await peer.connect(acceptor.localAddr, undefined, options());
      await acceptor.close();
      // Ended or reset: platforms differ.
      await connection.pull(() => true).catch(() => {});
      await connection.close();
    },
  },
  {
    name: "an address where nobody listens: a TransportError with the system's error as cause",
    async check(subject) {
      let to = await deadPlace(subject);
      for (let others = 0; others < 4 && await isTaken(subject, to); others++) {
        to = await deadPlace(subject);
      }
      const { fault, cause } = await failure(subject.driver.connect(to, undefined, options()));
      assertEquals(fault, "failed");
      assert(cause instanceof Error, `cause: ${cause}`);
      // A path goes away with who listened there.
      const why = subject.names === "path" && !to.hostname.startsWith("\0")
        ? /no such file/i
        : /refused/i;
      assert(why.test(`${cause.name} ${cause.message}`), `cause: ${cause}`);
    },
  },
  {
    name: "an address in use: a TransportError with the system's error as cause",
    async check(subject) {
      const { driver } = subject;
      const acceptor = await listen(driver, place(subject));
      const { fault, cause } = await failure(listen(driver, acceptor.localAddr));
      await acceptor.close();
      assertEquals(fault, "failed");
      assert(cause instanceof Error, `cause: ${cause}`);
      assert(/in ?use/i.test(`${cause.name} ${cause.message}`), `cause: ${cause}`);
    },
  },
  {
    name: "an aborted signal refuses to connect and to listen, with its reason",
    async check(subject) {
      const { driver } = subject;
      const reason = new Error("no more");
      const aborted = options({}, AbortSignal.abort(reason));
      const at = place(subject);
      const of = (call: Promise<unknown>) => call.then(() => "succeeded", (error) => error);
      assertStrictEquals(await of(driver.listen(at, aborted)), reason);
      const acceptor = await listen(driver, at);
      assertStrictEquals(
        await of(driver.connect(acceptor.localAddr, undefined, aborted)),
        reason,
      );
      await acceptor.close();
    },
  },
  {
    name: "a signal aborted during connect rejects with its reason and leaves nothing open",
    async check(subject) {
      const { driver } = subject;
      const acceptor = await listen(driver, place(subject));
      const abort = new AbortController();
      const reason = new Error("no more");
      const connecting = driver.connect(
        acceptor.localAddr,
        undefined,
        options({}, abort.signal),
      );
      abort.abort(reason);
      const outcome = await connecting.then(() => "connected", (error) => error);
      assertStrictEquals(outcome, reason);
      await acceptor.close();
    },
  },
  {
    name: "a signal aborted after connect does nothing",
    async check(subject) {
      const { driver } = subject;
      const acceptor = await listen(driver, place(subject));
      const abort = new AbortController();
      const [connection, own] = await Promise.all([
        driver.connect(acceptor.localAddr, undefined, options({}, abort.signal)),
        acceptor.accept(),
      ]);
      assert(own !== null);
      abort.abort();
      await connection.send(new Uint8Array(3));
      assertEquals(await readBytes(own, 3), new Uint8Array(3));
      await Promise.all([own.close(), connection.close(), acceptor.close()]);
    },
  },
];
