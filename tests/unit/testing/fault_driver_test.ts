import { assert, assertEquals, assertRejects } from "@std/assert";
import { faultyNetwork } from "@p2pd/pipes/testing";
import { FaultControl } from "../../../lib/testing/faults/control.ts";
import { faultyDriver } from "../../../lib/testing/faults/driver.ts";
import { memoryStreams } from "../../../lib/transport/memory.ts";
import { turns } from "../../helpers/turns.ts";
import { failure, listen, options, readBytes, tcp } from "../../compliance/pair.ts";

Deno.test("driver: a network forgets who has opened, or given up", async () => {
  const control = new FaultControl({ upstream: { latency: 5 } });
  const driver = faultyDriver(memoryStreams(), control, "both");
  const acceptor = await listen(driver, tcp("127.0.0.1"));
  const client = await driver.connect(acceptor.localAddr, undefined, options());
  const giveUp = new AbortController();
  const reason = new Error("no more");
  const connecting = driver.connect(acceptor.localAddr, undefined, options({}, giveUp.signal));
  assertEquals(control.waiting.size, 1);
  giveUp.abort(reason);
  await assertRejects(() => connecting, Error, "no more");
  assertEquals(control.waiting.size, 0);
  await client.close();
  await acceptor.close();
});

Deno.test("driver: what a listener is told of comes through", async () => {
  const under = memoryStreams();
  const told: unknown[] = [];
  const acceptor = await listen(under, tcp("127.0.0.1"));
  const wrapped = faultyNetwork().over({ ...under, listen: () => Promise.resolve(acceptor) });
  const faulty = await listen(wrapped, tcp("127.0.0.1"));
  acceptor.onShortage?.("nobody asked yet");
  faulty.onShortage = (error) => told.push(error);
  faulty.onRefused = () => told.push("refused");
  faulty.onHandshakeFailed = (error, from) => told.push(error, from);
  acceptor.onShortage?.("shortage");
  acceptor.onRefused?.();
  acceptor.onHandshakeFailed?.("handshake", undefined);
  assertEquals(told, ["shortage", "refused", "handshake", undefined]);
  await faulty.close();
});

Deno.test("driver: TLS and handshakes of the transport under it are still there", async () => {
  const under = memoryStreams();
  let shaken = 0;
  const tls = Object.freeze({
    protocol: "TLSv1.3",
    alpnProtocol: null,
    serverName: undefined,
    authorized: true,
    peerCertificate: undefined,
  });
  const driver = faultyNetwork({ upstream: { latency: 1 } }).over({
    ...under,
    async connect(to, from, o) {
      const transport = await under.connect(to, from, o);
      return Object.assign(transport, { tls, handshake: () => Promise.resolve(void shaken++) });
    },
  });
  const acceptor = await listen(driver, tcp("127.0.0.1"));
  const [client, peer] = await Promise.all([
    driver.connect(acceptor.localAddr, undefined, options()),
    acceptor.accept(),
  ]);
  await client.handshake?.();
  assertEquals(shaken, 1);
  assertEquals(client.tls, tls);
  assertEquals([peer?.tls, peer?.handshake], [undefined, undefined]);
  await client.send(new Uint8Array([7]));
  if (peer !== null) assertEquals(await readBytes(peer, 1), new Uint8Array([7]));
  await Promise.all([client.close(), peer?.close(), acceptor.close()]);
});

Deno.test("driver: a reset comes after what was sent before it, as late as that", async () => {
  const under = memoryStreams();
  const driver = faultyNetwork({ downstream: { latency: 20 } }).over(under);
  const acceptor = await listen(under, tcp("127.0.0.1"));
  const [client, peer] = await Promise.all([
    driver.connect(acceptor.localAddr, undefined, options()),
    acceptor.accept(),
  ]);
  const got: number[] = [];
  const start = performance.now();
  const pulled = failure(client.pull((data) => got.push(...data) > 0));
  await peer?.send(new Uint8Array([7]));
  await turns(2);
  peer?.abort();
  assertEquals((await pulled).fault, "reset");
  assert(performance.now() - start >= 20);
  assertEquals(got, [7]);
  assertEquals((await failure(client.pull(() => true))).fault, "reset");
  await Promise.all([client.close(), acceptor.close()]);
});
