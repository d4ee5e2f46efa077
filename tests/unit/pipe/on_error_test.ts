import { assertEquals } from "@std/assert";
import { pipeOpen, TCP } from "@p2pd/pipes";
import { text } from "../../helpers/pipes.ts";

const route = "127.0.0.1:0";

for (const how of ["throws", "rejects", "gives a broken thenable"]) {
  Deno.test(`onError: one that ${how} is told to console.error, and messages go on`, async () => {
    const told: unknown[] = [];
    const { error } = console;
    console.error = (...args: unknown[]) => void told.push(...args);
    try {
      const failure = new Error("the log is full");
      const onError = (): unknown => {
        if (how === "throws") throw failure;
        if (how === "rejects") return Promise.reject(failure);
        return {
          get then() {
            throw failure;
          },
        };
      };
      await using server = await pipeOpen(TCP, {
        route,
        conf: { onError },
        msgCb: async (msg, _from, pipe) => {
          await pipe.send(msg);
          throw new Error("the handler's own");
        },
      });
      await using client = await pipeOpen(TCP, { dest: server.localAddr });
      for (const word of ["one", "two"]) assertEquals(text((await client.request(word))[0]), word);
      await server.close();
      assertEquals(told, [failure, failure]);
    } finally {
      console.error = error;
    }
  });
}
