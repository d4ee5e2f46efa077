// Run by plain_process_test.ts with "tcp" or "udp". Loads one driver and nothing of @std or npm: each of
// those brings in more of node's machinery.
import { NET_CONF } from "../../lib/pipe/conf.ts";

const options = { conf: NET_CONF, signal: new AbortController().signal };
const data = new Uint8Array([1, 2, 3]);

async function tcp(): Promise<void> {
  const { nodeTcp } = await import("../../lib/transport/node_tcp.ts");
  const at = { transport: "tcp", hostname: "127.0.0.1", port: 0 } as const;
  const acceptor = await nodeTcp.listen(at, options);
  const client = await nodeTcp.connect(acceptor.localAddr, undefined, options);
  if ("accept" in acceptor) {
    const own = await acceptor.accept();
    await client.send(data);
    await own?.pull(() => false);
    await own?.close();
  }
  await client.close();
  await acceptor.close();
}

async function udp(): Promise<void> {
  const { nodeUdp } = await import("../../lib/transport/node_udp.ts");
  const at = { transport: "udp", hostname: "127.0.0.1", port: 0 } as const;
  const server = await nodeUdp.listen(at, options);
  const client = await nodeUdp.connect(server.localAddr, undefined, options);
  await client.send(data);
  if ("pull" in server) await server.pull(() => false);
  await client.close();
  await server.close();
}

await (Deno.args[0] === "udp" ? udp() : tcp());
// And nothing may keep the process alive after this.
console.log("closed");
