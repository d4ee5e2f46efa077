/** `conf.broadcast` between two hosts. */
import type { PipeOptions } from "@p2pd/pipes";
import { assertEquals, assertMatch } from "@std/assert";
import { DRIVERS, pythonIn, withHost } from "./_cable.ts";
import { labTest, portOf, Program } from "./_helpers.ts";

/** Prints what comes to its port. */
const LISTENER = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 0))
print("port", s.getsockname()[1])
while True:
    data, peer = s.recvfrom(2000)
    print("got", data.decode(), "from", peer[0])
`;

/** Asks everybody, and prints who answers. */
const ASKER = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.sendto(b"anybody?", (sys.argv[1], int(sys.argv[2])))
data, peer = s.recvfrom(2000)
print("got", data.decode(), "from", peer[0])
`;

function pipe(flags: readonly string[], options: PipeOptions): Program {
  const script = new URL("_datagram_peer.ts", import.meta.url).pathname;
  const permissions = ["--allow-net", "--allow-sys=networkInterfaces"];
  const args = ["run", "--quiet", "--no-prompt", ...permissions, ...flags, script];
  return new Program(Deno.execPath(), [...args, JSON.stringify(options)]);
}

for (const flags of DRIVERS) {
  const how = flags.length === 0 ? "node:dgram" : "Deno's UDP";

  labTest(`${how}: another host hears a broadcast, if conf.broadcast says so`, async () => {
    await withHost(1, async (namespace, { net }) => {
      await using host = pythonIn(namespace, LISTENER);
      const port = await portOf(host.stdout, /^port (\d+)/);
      // Bound to the cable's address, so that 255.255.255.255 goes there too.
      const route = `${net}.1:0`;
      for (const broadcast of [false, true]) {
        await using sender = pipe(flags, { route, conf: { broadcast } });
        await sender.stdout.line(/^bound/);
        for (const [text, dest] of [["subnet", `${net}.255`], ["all", "255.255.255.255"]]) {
          await sender.write(`${dest}:${port} ${text}\n`);
          const [, result] = await sender.stdout.line(new RegExp(`^sent ${text}: (.*)`));
          if (broadcast) assertEquals(Number(result), text?.length);
          else assertMatch(result ?? "", /PipeStateError: .* is a broadcast address; set conf/);
        }
        // What was refused has not gone out: this comes first.
        await sender.write(`${net}.2:${port} single\n`);
        for (const word of broadcast ? ["subnet", "all", "single"] : ["single"]) {
          const { input } = await host.stdout.line(/^got/);
          assertEquals(input, `got ${word} from ${net}.1`);
        }
      }
    });
  });

  labTest(`${how}: a server hears another host's broadcast, and answers it alone`, async () => {
    await withHost(1, async (namespace, { net }) => {
      await using server = pipe(flags, { route: "0.0.0.0:0" });
      const port = await portOf(server.stdout, /^bound to port (\d+)/);
      await using asker = pythonIn(namespace, ASKER, `${net}.255`, String(port));
      await server.stdout.line(new RegExp(`^heard anybody\\? from ${net}\\.2`));
      await asker.stdout.line(new RegExp(`^got re: anybody\\? from ${net}\\.1`));
    });
  });
}
