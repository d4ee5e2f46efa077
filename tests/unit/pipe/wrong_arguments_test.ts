/** What a call was given by mistake is named by what it is, and never by what is in it. */
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { pipeOpen, PipeOpenError, PipeStateError, TCP, UDP } from "@p2pd/pipes";

const route = "127.0.0.1:0";

/** The message of the TypeError that a call without types ends in. */
async function refused(call: () => unknown): Promise<string> {
  // deno-lint-ignore require-await
  return (await assertRejects(async () => call(), TypeError)).message;
}

Deno.test("wrong arguments: send says what it got instead of bytes", async () => {
  await using server = await pipeOpen(TCP, { route });
  await using tcp = await pipeOpen(TCP, { dest: server.localAddr });
  await using udp = await pipeOpen(UDP, { route });
  const bytes = new Uint8Array([1, 2, 3, 4]);
  const wrap = "; wrap it in a Uint8Array";
  const view = "; take a Uint8Array of its buffer";
  const wrong: [data: unknown, got: string][] = [
    [bytes.buffer, `an ArrayBuffer${wrap}`],
    [new SharedArrayBuffer(4), `a SharedArrayBuffer${wrap}`],
    [new DataView(bytes.buffer), `a DataView${view}`],
    [new Uint16Array(bytes.buffer), `a Uint16Array${view}`],
    [null, "null"],
    [undefined, "undefined"],
    [1234, "a number"],
    [["secret"], "an array"],
    [{ secret: 1 }, "an object"],
    [new Blob(["secret"]), "a Blob"],
    [() => "secret", "a function"],
  ];
  for (const [data, got] of wrong) {
    for (const pipe of [tcp, udp, server]) {
      const { localAddr: dest } = pipe === tcp ? server : tcp;
      // @ts-expect-error no bytes
      const message = await refused(() => pipe.send(data, dest));
      assertEquals(message, `data: a Uint8Array or a string is needed, got ${got}`);
    }
  }
});

Deno.test("wrong arguments: a signal, a filter and a dest of another class", async () => {
  await using server = await pipeOpen(TCP, { route });
  await using tcp = await pipeOpen(TCP, { dest: server.localAddr });
  await using udp = await pipeOpen(UDP, { route });
  const signal = new AbortController();
  assertStringIncludes(
    // @ts-expect-error no signal
    await refused(() => udp.recv({}, { signal })),
    "signal: an AbortSignal is needed, got an AbortController; use its signal",
  );
  assertEquals(
    // @ts-expect-error no filter
    assertThrows(() => udp.subscribe(/x/), TypeError).message,
    "sub: { match?, from? } is needed, got a RegExp; write { match: … }",
  );
  for (const [pipe, name] of [[udp, "a Pipe"], [server, "a Pipe"], [tcp, "a Pipe"]] as const) {
    const got = `got ${name}; use its localAddr or remoteAddr`;
    // @ts-expect-error no address
    const sent = await refused(() => udp.send("x", pipe));
    assertEquals([sent.startsWith("dest: must be"), sent.endsWith(got)], [true, true], sent);
    // @ts-expect-error no address
    const opened = await refused(() => pipeOpen(TCP, { dest: pipe }));
    assertStringIncludes(opened, got);
  }
  // @ts-expect-error not awaited
  const promised = await refused(() => udp.send("x", Promise.resolve(udp)));
  assertStringIncludes(promised, "got a Promise");
});

Deno.test("wrong arguments: what conf.lookup gave is named", async () => {
  const lookup = () => Promise.resolve(["zz"]);
  const error = await assertRejects(
    () => pipeOpen(TCP, { dest: "a.example:9", conf: { lookup } }),
    PipeOpenError,
  );
  assertStringIncludes(error.message, 'the look-up gave no address, but ["zz"]');
});

Deno.test("wrong arguments: the path of a dest is named as one", async () => {
  await using server = await pipeOpen(TCP, { route });
  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  await assertRejects(
    () => client.send("x", { path: "/run/app.sock" }),
    PipeStateError,
    "Cannot send to /run/app.sock: this pipe is connected to 127.0.0.1:",
  );
});
