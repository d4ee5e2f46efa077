/** Framing on top of a transport keeps every promise of the seam. */
import { FramedTransport } from "../../lib/framing/framed_transport.ts";
import type { Framing } from "../../lib/framing/framing.ts";
import { lengthPrefixed } from "../../lib/framing/length_prefixed.ts";
import { denoTcp } from "../../lib/transport/deno_tcp.ts";
import { memoryStreams } from "../../lib/transport/memory.ts";
import { nodeTcp } from "../../lib/transport/node_tcp.ts";
import type { Acceptor, Driver } from "../../lib/transport/transport.ts";
import { complianceSuite } from "./suite.ts";

/** The suite is about bytes, which no message has if it is empty. */
function withoutEmpty(framing: Framing): Framing {
  return {
    ...framing,
    decode(bytes, seen) {
      const frame = framing.decode(bytes, seen);
      return frame?.message?.length === 0 ? { message: null, size: frame.size } : frame;
    },
  };
}

const framing = withoutEmpty(lengthPrefixed("varint", { max: 64 * 1024 * 1024 }));

function framedAcceptor(under: Acceptor): Acceptor {
  return {
    localAddr: under.localAddr,
    raw: under.raw,
    async accept() {
      const transport = await under.accept();
      return transport && new FramedTransport(transport, framing);
    },
    close: () => under.close(),
  };
}

function framedDriver(driver: Driver): Driver {
  return {
    name: `framed ${driver.name}`,
    async connect(...args) {
      return new FramedTransport(await driver.connect(...args), framing);
    },
    async listen(...args) {
      const acceptor = await driver.listen(...args);
      return "accept" in acceptor ? framedAcceptor(acceptor) : acceptor;
    },
  };
}

for (
  const [driver, resets] of [[denoTcp, false], [nodeTcp, true], [memoryStreams(), true]] as const
) {
  const subject = { kind: "stream", host: "127.0.0.1", dual: false, resets } as const;
  complianceSuite(`framed ${driver.name}`, { ...subject, driver: framedDriver(driver) });
}
