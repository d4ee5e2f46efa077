import { pipeOpen, TCP } from "@p2pd/pipes";

await using _server = await pipeOpen(TCP, { route: "127.0.0.1:0" });
