import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type Driver,
  memoryNetwork,
  type Transport,
  transportCompliance,
} from "@p2pd/pipes/testing";

const host = "127.0.0.1";
const { streams, datagrams } = memoryNetwork();

/** A driver whose transports are changed. */
function changed(driver: Driver, change: (transport: Transport) => void): Driver {
  const over = (transport: Transport) => {
    change(transport);
    return transport;
  };
  return {
    name: "changed",
    connect: async (to, from, options) => over(await driver.connect(to, from, options)),
    async listen(at, options) {
      const listening = await driver.listen(at, options);
      if (!("accept" in listening)) return over(listening);
      const accept = listening.accept.bind(listening);
      listening.accept = async () => {
        const accepted = await accept();
        return accepted && over(accepted);
      };
      return listening;
    },
  };
}

Deno.test("compliance: each case has a name of its own, and what does not apply is left out", () => {
  const names = (subject: Parameters<typeof transportCompliance>[0]) =>
    transportCompliance(subject).map(({ name }) => name);
  const least = names({ kind: "stream", driver: streams, host });
  const most = names({ kind: "stream", driver: streams, host, resets: true, dual: true });
  assertEquals(most.length - least.length, 4);
  assertEquals(new Set(most).size, most.length);
  assert(least.every((name) => most.includes(name)));
  const alone = names({ kind: "datagram", driver: datagrams, host });
  assertEquals(
    names({ kind: "datagram", driver: datagrams, host, dual: true }).length - alone.length,
    1,
  );
});

Deno.test("compliance: a transport that breaks a promise fails the case of that promise", async () => {
  const broken: readonly (readonly [promise: string, driver: Driver])[] = [
    [
      "what was sent can be changed once send has resolved",
      changed(streams, (transport) => {
        const send = transport.send.bind(transport);
        transport.send = (data) => {
          void Promise.resolve().then(() => send(data)).catch(() => {});
          return Promise.resolve(data.length);
        };
      }),
    ],
    [
      "send resolves with the size, and its report is told first",
      changed(streams, (transport) => {
        const send = transport.send.bind(transport);
        transport.send = (data, to) => send(data, to);
      }),
    ],
    [
      "a send that fails rejects with what its report makes of it",
      changed(streams, (transport) => {
        const send = transport.send.bind(transport);
        transport.send = async (data, to, report) => {
          const sent = await send(data, to);
          report?.sent(sent);
          return sent;
        };
      }),
    ],
    [
      "half-close: a side that ended its output still receives, and each end is the end",
      changed(streams, (transport) => {
        transport.closeWrite = () => transport.close();
      }),
    ],
    [
      "close and abort are idempotent, in any mix",
      changed(streams, (transport) => {
        const close = transport.close.bind(transport);
        let closed = false;
        transport.close = () => {
          if (closed) return Promise.reject(new Error("closed twice"));
          closed = true;
          return close();
        };
      }),
    ],
  ];
  for (const [promise, driver] of broken) {
    const cases = transportCompliance({ kind: "stream", driver, host });
    const run = cases.find(({ name }) => name === promise)?.run;
    assert(run !== undefined, promise);
    await assertRejects(run, Error, undefined, promise);
  }
});
