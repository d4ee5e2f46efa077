import { pipeOpen, UDP } from "@p2pd/pipes";

await using _server = await pipeOpen(UDP, { route: "127.0.0.1:0" });
