/** Run where there is no network at all: says how opening and sending fail there. */
import { PipeError, pipeOpen, PipeOpenError, TCP, UDP } from "@p2pd/pipes";

const dest = "127.0.0.1:9"; // not even loopback is up

const opened = await pipeOpen(TCP, { dest }).catch((error) => error);
if (opened instanceof PipeOpenError) {
  console.log("tcp", opened.phase, JSON.stringify(opened.addr), opened.message);
}
await using udp = await pipeOpen(UDP, { dest });
const sent = await udp.send("x").catch((error) => error);
console.log("udp", sent instanceof PipeError, sent.name, sent.message);
const again = await udp.send("y").catch((error) => error);
console.log("udp again", again.name); // the pipe has not ended
