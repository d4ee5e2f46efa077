import { assertEquals } from "@std/assert/equals";
import { turns } from "./turns.ts";
import { bind, failure, sockets, udp } from "./pair.ts";
import type { DatagramSubject, Obligation } from "./subject.ts";
import { retaking } from "./retaking.ts";

const never = () => {
  throw new Error("there was nothing to read");
};

/** How a datagram socket ends. */
export const datagramClosing: readonly Obligation<DatagramSubject>[] = [
  {
    name: "close and abort during a pull end it without an error",
    async check({ driver, host }) {
      for (const how of ["close", "abort"] as const) {
        const socket = await bind(driver, udp(host));
        const pulling = socket.pull(never);
        await turns(1);
        await socket[how]();
        assertEquals(await pulling, "end");
        assertEquals(await socket.pull(never), "end");
        const late = await failure(socket.send(new Uint8Array(1), socket.localAddr));
        assertEquals(late.fault, "closed");
        await socket.close();
      }
    },
  },
  {
    name: "close flushes what was sent",
    async check(subject) {
      await using pair = await sockets(subject);
      const sends = Array.from(
        { length: 20 },
        (_, i) => pair.a.send(new Uint8Array([i]), pair.b.localAddr),
      );
      const closing = pair.a.close();
      const got: number[] = [];
      await pair.b.pull((data) => got.push(data[0] ?? -1) < 20);
      await Promise.all([...sends, closing]);
      assertEquals(got, sends.map((_, i) => i));
    },
  },
  {
    name: "abort settles sends in progress, and close after it resolves",
    async check(subject) {
      await using pair = await sockets(subject);
      const sends = Array.from(
        { length: 20 },
        () => pair.a.send(new Uint8Array(1000), pair.b.localAddr),
      );
      pair.a.abort();
      for (const result of await Promise.allSettled(sends)) {
        if (result.status === "rejected") assertEquals(result.reason.fault, "closed");
      }
      await pair.a.close();
    },
  },
  {
    name: "close and abort are idempotent, in any mix, and the address can be bound again",
    check: retaking(async ({ driver, host }: DatagramSubject) => {
      let at = udp(host);
      const mixes = [["close", "close"], ["abort", "abort", "close"], ["close", "abort"], [
        "abort",
        "close",
      ]] as const;
      const pulls: Promise<unknown>[] = [];
      for (const mix of mixes) {
        const socket = await bind(driver, at);
        at = socket.localAddr;
        pulls.push(socket.pull(never));
        await Promise.all(mix.map((how) => socket[how]()));
        await socket.close();
      }
      for (const pull of pulls) assertEquals(await pull, "end");
    }),
  },
];
