/** A bad line, or somebody on it: what arrives is right, or there is an error. */
import { assert, assertEquals } from "@std/assert";
import { type Pipe, PipeError, pipeOpen, PipeOpenError, TCP } from "@p2pd/pipes";
import { until } from "../../helpers/pipes.ts";
import { Random } from "../../helpers/random.ts";
import { ca, clientCert, connectTls, echo, serveTls } from "../../helpers/tls.ts";

/** More than a handshake and a message each way take; beyond it the line stays good. */
const REACH = 2000;
const MESSAGE = "word ".repeat(100);

type Harm = "changes" | "ends" | "resets";

/** Passes on what one side says, until a byte at which it does harm. */
async function pass(from: Pipe, to: Pipe, at: number, harm: Harm): Promise<void> {
  try {
    let seen = 0;
    for await (const [msg] of from) {
      const hit = at - seen;
      seen += msg.length;
      if (hit >= 0 && hit < msg.length) {
        if (harm === "changes") msg[hit] = (msg[hit] ?? 0) ^ 0x10;
        else await to.send(msg.subarray(0, hit));
        if (harm === "ends") return void await to.closeWrite();
        if (harm === "resets") return to.abort();
      }
      await to.send(msg);
    }
    await to.closeWrite();
  } catch {
    to.abort();
  }
}

/** What a client gets back for its message over such a line. */
async function overTheLine(server: Pipe, random: Random, harm: Harm): Promise<string | PipeError> {
  const conf = { linger: 1000 }; // so that they can be reset
  await using line = await pipeOpen(TCP, { route: "127.0.0.1:0", conf });
  const at = random.below(REACH), toServer = random.below(2) === 0;
  const passing = (async () => {
    const near = await line.accept();
    if (near === null) return;
    const far = await pipeOpen(TCP, { dest: server.localAddr, route: "127.0.0.1:0", conf });
    await Promise.all([
      pass(near, far, toServer ? at : Infinity, harm),
      pass(far, near, toServer ? Infinity : at, harm),
    ]);
    near.abort();
    far.abort();
  })();
  try {
    // Half of them over Deno's sockets, half over Node's.
    const linger = random.below(4) === 0 ? null : 1000;
    await using client = await connectTls(line.localAddr, {
      tls: clientCert,
      conf: { linger, sslHandshake: 300, recvTimeout: 300 },
    });
    try {
      await client.send(MESSAGE);
      let got = "";
      while (got.length < MESSAGE.length) {
        const msg = await client.recv();
        if (msg === null) throw new Error(`an end in good order after "${got}"`);
        got += new TextDecoder().decode(msg);
      }
      return got;
    } finally {
      client.abort();
    }
  } catch (error) {
    assert(error instanceof PipeError, `${error}`);
    if (error instanceof PipeOpenError) assertEquals(error.phase, "tls");
    return error;
  } finally {
    line.abort();
    await passing;
  }
}

for (const harm of ["changes", "ends", "resets"] as const) {
  Deno.test(`tls: a line that ${harm} at any byte gives an error, and no wrong word`, async () => {
    const random = new Random(1);
    const tls = { clientAuth: "request", caCerts: [ca.cert] } as const;
    await using server = await serveTls({ tls, msgCb: echo, conf: { sslHandshake: 300 } });
    const outcomes: (string | PipeError)[] = [];
    for (let round = 0; round < 30; round++) {
      outcomes.push(
        ...await Promise.all(
          Array.from({ length: 10 }, () => overTheLine(server, random, harm)),
        ),
      );
    }
    const words = outcomes.filter((outcome) => typeof outcome === "string");
    for (const word of words) assertEquals(word, MESSAGE);
    const harmed = outcomes.length - words.length;
    assert(harmed > 50 && words.length > 5, `${harmed} of ${outcomes.length} were harmed`);
    await until(() => server.clients.size === 0, "the end of all");
  });
}
