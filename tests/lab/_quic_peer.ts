/** Takes what comes on each stream of QUIC, and answers with its size and hash at the end. */
import { pipeOpen, QUIC } from "@p2pd/pipes";
import { createHash } from "node:crypto";

const [route = "", cert = "", key = ""] = Deno.args;
const server = await pipeOpen(QUIC, { route, conf: { useSsl: { cert, key } } });
console.log(`port ${server.localAddr.port}`);
for await (const pipe of server.connections()) {
  void (async () => {
    const hash = createHash("sha256");
    let size = 0;
    for await (const [data] of pipe) {
      hash.update(data);
      size += data.length;
    }
    await pipe.send(`${size} ${hash.digest("hex")}`);
    await pipe.close();
  })();
}
