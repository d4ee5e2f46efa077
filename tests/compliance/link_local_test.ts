import { assert, assertEquals } from "@std/assert";
import { NET_CONF } from "../../lib/pipe/conf.ts";
import { denoTcp } from "../../lib/transport/deno_tcp.ts";
import { selectDriver } from "../../lib/transport/select.ts";
import { linkLocalAddress } from "../helpers/probes.ts";
import { bind, failure, listen, options, receive, tcp, udp } from "./pair.ts";

/** Needs an interface with one, and --allow-sys=networkInterfaces to know of it. */
const host = linkLocalAddress() ?? "";
const ignore = host === "";
const bare = host.replace(/%.*/, "");

Deno.test({
  name: "link-local TCP: all addresses have the zone, with and without a local address",
  ignore,
  async fn() {
    const acceptor = await listen(denoTcp, tcp(host));
    assertEquals(acceptor.localAddr.hostname, host);
    for (const from of [undefined, tcp(host)]) {
      const driver = await selectDriver("tcp", { role: "client", from, conf: NET_CONF });
      const [own, peer] = await Promise.all([
        acceptor.accept(),
        driver.connect(acceptor.localAddr, from, options()),
      ]);
      assert(own !== null);
      for (const end of [own, peer]) {
        assertEquals(end.localAddr.hostname, host);
        assertEquals(end.remoteAddr?.hostname, host);
      }
      assertEquals(own.remoteAddr, peer.localAddr);
      await Promise.all([own.close(), peer.close()]);
    }
    await acceptor.close();
  },
});

Deno.test({
  name: "link-local TCP: a local address that the system does not choose is refused",
  ignore,
  async fn() {
    const acceptor = await listen(denoTcp, tcp(host));
    const other = tcp(host.replace(/%/, "1%"));
    const { cause } = await failure(denoTcp.connect(acceptor.localAddr, other, options()));
    assert(cause instanceof Error && /Cannot bind to/.test(cause.message), `cause: ${cause}`);
    await acceptor.close();
  },
});

Deno.test({
  name: "link-local UDP: senders and peers have the zone, receivers need none",
  ignore,
  async fn() {
    const driver = await selectDriver("udp", { role: "server", from: undefined, conf: NET_CONF });
    const server = await bind(driver, udp(host));
    assertEquals(server.localAddr.hostname, host);
    const client = await driver.connect(server.localAddr, undefined, options());
    assertEquals(client.remoteAddr, server.localAddr);
    await client.send(new Uint8Array([1]));
    const [, from] = await receive(server);
    assertEquals(from, udp(host, client.localAddr.port));
    await server.send(new Uint8Array([2]), from);
    assertEquals(await receive(client), [new Uint8Array([2]), server.localAddr]);
    await client.send(new Uint8Array([3]), udp(bare, server.localAddr.port));
    assertEquals((await receive(server))[0], new Uint8Array([3]));
    await Promise.all([client.close(), server.close()]);
  },
});
