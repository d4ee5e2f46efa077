/** Pauses of what is received in memory. */
import { assert, assertEquals } from "@std/assert";
import { memoryDatagrams } from "../../../lib/transport/memory.ts";
import { Breath } from "../../../lib/transport/breath.ts";
import { NET_CONF } from "../../../lib/pipe/conf.ts";

/** The next pause, which comes after so many receptions. */
function pauseOf(breath: Breath): { readonly pause: Promise<void>; readonly after: number } {
  for (let after = 1;; after++) {
    const pause = breath.take();
    if (pause !== undefined) return { pause, after };
  }
}

Deno.test("breath: timers have their turn in a pause, now and then", async () => {
  const breath = new Breath();
  let fired = false;
  setTimeout(() => fired = true, 0);
  await pauseOf(breath).pause;
  assert(fired);
  const other = new Breath();
  assertEquals(pauseOf(other).after, 1000);
  other.stop();
});

Deno.test("breath: a transport that is closed pauses no more, and leaves no timer", async () => {
  const breath = new Breath();
  const { pause } = pauseOf(breath);
  breath.stop();
  await pause;
});

Deno.test("breath: a datagram socket in memory that is aborted in a pause leaves none either", async () => {
  const options = { conf: NET_CONF, signal: new AbortController().signal };
  const at = { transport: "udp", hostname: "10.0.0.1", port: 7 } as const;
  const socket = await memoryDatagrams().listen(at, options);
  assert("pull" in socket);
  const pulled = socket.pull(() => true);
  for (let i = 0; i < 1000; i++) {
    await socket.send(new Uint8Array(1), at);
    await undefined;
  }
  socket.abort();
  assertEquals(await pulled, "end");
});
