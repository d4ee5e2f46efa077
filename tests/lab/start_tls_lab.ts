/** STARTTLS with openssl and Python, which know nothing of us, in both roles. */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { PipeClosedError, pipeOpen, TCP } from "@p2pd/pipes";
import { portOf, python, recvBytes, within } from "./_helpers.ts";
import { decode, sClient, tlsTest } from "./_tls.ts";

/** One client that says STARTTLS; then it is echoed, in TLS; then the connection just ends. */
const PYTHON_SERVER = `
import os, socket, ssl, sys
os.chdir(sys.argv[1])
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain("cert.pem", "key.pem")
listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1])
plain, _ = listener.accept()
plain.sendall(b"220 ready\\r\\n")
assert plain.recv(100) == b"STARTTLS\\r\\n"
plain.sendall(b"220 go\\r\\n")
s = context.wrap_socket(plain, server_side=True)
s.sendall(s.recv(100))
s.recv(1)
os._exit(0) # which says nothing in TLS
`;

tlsTest("Python's ssl: our client starts TLS, and tells a cut connection from an end", async ({
  dir,
  caCerts,
}) => {
  await using server = python(PYTHON_SERVER, dir);
  const port = await portOf(server.stdout, /^port (\d+)/);
  await using client = await pipeOpen(TCP, { dest: ["localhost", port] });
  assertEquals(decode(await recvBytes(client, 11)), "220 ready\r\n");
  await client.send("STARTTLS\r\n");
  assertEquals(decode(await recvBytes(client, 8)), "220 go\r\n");
  const info = await client.startTls({ caCerts });
  assertEquals([info.protocol, info.serverName], ["TLSv1.3", "localhost"]);
  await client.send("hello");
  assertEquals(decode(await recvBytes(client, 5)), "hello");
  await client.send("!");
  await server.ended();
  await assertRejects(() => client.recv(), PipeClosedError);
});

tlsTest("openssl s_client -starttls smtp: our server starts TLS", async ({ dir, server: own }) => {
  await using server = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  const serving = (async () => {
    const pipe = await server.accept();
    if (pipe === null) throw new Error("closed");
    await pipe.send("220 lab ESMTP\r\n");
    assertMatch(decode(await recvBytes(pipe, 6)), /^EHLO/);
    await pipe.send("250-lab\r\n250 STARTTLS\r\n");
    assertMatch(decode(await recvBytes(pipe, 10)), /^STARTTLS\r\n$/);
    // Not awaited: what comes next is TLS already.
    const goAhead = pipe.send("220 go\r\n");
    const info = await pipe.startTls(own);
    await goAhead;
    pipe.addMsgCb((msg) => pipe.send(msg));
    return info.protocol;
  })();
  await using client = sClient(dir, server.localAddr.port, "-quiet", "-starttls", "smtp");
  assertEquals(await within(serving, "TLS"), "TLSv1.3");
  await client.write("to be echoed\n");
  await client.stdout.line(/^to be echoed$/);
});
