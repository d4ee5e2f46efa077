/**
 * A UDP pipe in a process of its own, so that the flags choose its driver. Takes the options of `pipeOpen`
 * as JSON; prints its address, what it receives and from whom, and answers it. Each line of its input is
 * `DEST TEXT` to send, and it prints what came of that.
 *
 * @module
 */
import { pipeOpen, type PipeOptions, UDP } from "@p2pd/pipes";

const options: PipeOptions = JSON.parse(Deno.args[0] ?? "{}");

await using pipe = await pipeOpen(UDP, {
  ...options,
  msgCb: async (msg, from) => {
    const text = new TextDecoder().decode(msg);
    console.log(`heard ${text} from ${from.hostname}`);
    if (!text.startsWith("re:")) await pipe.send(`re: ${text}`, from);
  },
});
console.log(`bound to port ${pipe.localAddr.port}`);

const input = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
for await (const chunk of input) {
  for (const line of chunk.trim().split("\n")) {
    const [dest = "", text = ""] = line.split(" ");
    const result = await pipe.send(text, dest).catch((error: unknown) => error);
    console.log(`sent ${text}: ${result}`);
  }
}
