/** Cards that the system does not tell of for a while, as where every file handle is in use. */
import { assertEquals } from "@std/assert";
import { type CloseInfo, type NetAddr, pipeOpen, Route, UDP } from "@p2pd/pipes";
import { mayReadInterfaces } from "../../../lib/netif/source.ts";
import { watchCard } from "../../../lib/pipe/card_watch.ts";
import { latch, text } from "../../helpers/pipes.ts";

const ignore = !mayReadInterfaces();
const HOST = "192.0.2.1";
const CARD: Deno.NetworkInterfaceInfo = {
  family: "IPv4",
  name: "eth9",
  address: HOST,
  netmask: "255.255.255.0",
  cidr: `${HOST}/24`,
  scopeid: null,
  mac: "00:00:5e:00:53:01",
};

/** Puts something in the place of the system's list of addresses. */
function instead(list: () => Deno.NetworkInterfaceInfo[]): Disposable {
  const original = Deno.networkInterfaces;
  Deno.networkInterfaces = list;
  return { [Symbol.dispose]: () => void (Deno.networkInterfaces = original) };
}

function tooMany(): never {
  throw new Error("Too many open files (os error 24)");
}

Deno.test({
  name: "unreadable cards: datagrams are sent and answered all the same",
  ignore,
  fn: async () => {
    using _ = instead(tooMany);
    await using server = await pipeOpen(UDP, {
      route: "127.0.0.1:0",
      msgCb: (msg, from, pipe) => pipe.send(msg, from),
    });
    const lookup = () => Promise.resolve(["127.0.0.1"]);
    await using asker = await pipeOpen(UDP, { route: "127.0.0.1:0", conf: { lookup } });
    const { port } = server.localAddr;
    for (const host of ["127.0.0.1", "by.name"]) {
      const [reply] = await asker.request("hello", { dest: [host, port], timeout: 1000 });
      assertEquals(text(reply), "hello");
    }
  },
});

Deno.test({
  name: "unreadable cards: a pipe ends when its card is known to be gone, and not before",
  ignore,
  fn: async () => {
    for (const first of [() => [CARD], tooMany]) {
      const route = new Route({ family: "IPv4", nicIps: [HOST] });
      const localAddr: NetAddr = { transport: "udp", hostname: HOST, port: 1 };
      const closed = Promise.withResolvers<CloseInfo>(), lost = latch<Error>();
      const looks: (() => Deno.NetworkInterfaceInfo[])[] = [first, tooMany, () => [CARD], () => []];
      let look = 0;
      using _ = instead(() => looks[look++]?.() ?? []);
      watchCard({ localAddr, closed: closed.promise, lose: lost.open }, route);
      await lost.done;
      assertEquals(look, looks.length);
      closed.resolve({ by: "local" });
    }
  },
});
