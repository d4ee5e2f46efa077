/** An unreachable network: a namespace without any. */
import { assertMatch } from "@std/assert";
import { ip, labTest, Program } from "./_helpers.ts";

for (const flags of [[], ["--unstable-net"]]) {
  labTest(`a network that cannot be reached says so ${flags.join("")}`, async () => {
    const namespace = `pipes${Deno.pid}none`;
    await ip("netns", "add", namespace);
    try {
      const peer = new URL("./_unreachable_peer.ts", import.meta.url).pathname;
      await using program = new Program("ip", [
        ...["netns", "exec", namespace, Deno.execPath(), "run", "--quiet", "--allow-net"],
        ...flags,
        peer,
      ]);
      const said = await program.stdout.text();
      assertMatch(
        said,
        /^tcp connect .*127\.0\.0\.1.* Cannot connect to 127\.0\.0\.1:9: .*unreach/im,
      );
      assertMatch(said, /^udp true PipeError Cannot send to 127\.0\.0\.1:9: /m);
      assertMatch(said, /^udp again PipeError$/m);
    } finally {
      await ip("netns", "delete", namespace);
    }
  });
}
