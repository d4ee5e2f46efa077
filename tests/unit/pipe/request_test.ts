/** request: many at once, over what loses messages and over what does not, and nothing left behind. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { getEventListeners } from "node:events";
import {
  lines,
  type MsgCb,
  NET_CONF,
  type Pipe,
  PipeClosedError,
  pipeOpen,
  PipeStateError,
  PipeTimeoutError,
  type RequestOptions,
  RUDP,
  TCP,
  UDP,
} from "@p2pd/pipes";
import { memoryNetwork } from "@p2pd/pipes/testing";
import { type Asker, request } from "../../../lib/pipe/request.ts";
import { RequestBook } from "../../../lib/pipe/request_book.ts";
import { Pace, type Try } from "../../../lib/pipe/request_pace.ts";
import { transformPairs } from "../../compliance/stream_pairs.ts";
import { latch, text, until } from "../../helpers/pipes.ts";
import { Random } from "../../helpers/random.ts";
import { turns } from "../../helpers/turns.ts";

const route = "127.0.0.1:0";

/** Answers in another order than it was asked: what comes in a few milliseconds is shuffled. */
function shuffled(): MsgCb {
  const random = new Random(1);
  const heap: (readonly [number, () => Promise<number>])[] = [];
  const answer = () =>
    Promise.all(heap.splice(0).sort(([a], [b]) => a - b).map(([, send]) => send()));
  return (msg, from, pipe) => {
    heap.push([random.below(1000), () => pipe.send(`re ${text(msg)};`, from)]);
    if (heap.length === 1) setTimeout(answer, 3);
  };
}

/** What tells the reply to one question from all others. */
type MatchOf = (want: string) => NonNullable<RequestOptions["match"]>;
const byText: MatchOf = (want) => want;
const byRegExp: MatchOf = (want) => new RegExp(`^${want}$`);
const byFunction: MatchOf = (want) => (msg) => text(msg) === want;

async function askAll(client: Pipe, count: number, ...matches: readonly MatchOf[]): Promise<void> {
  const replies = await Promise.all(
    Array.from({ length: count }, (_, i) => {
      const match = matches[i % matches.length]?.(`re ${i};`);
      return client.request(`${i}`, { match, timeout: 20_000, retries: 4 });
    }),
  );
  assertEquals(replies.map(([msg]) => text(msg)), replies.map((_, i) => `re ${i};`));
}

Deno.test("request: 10,000 at once on one UDP socket, each with its own reply", async () => {
  const count = 10_000;
  await using server = await pipeOpen(UDP, { route, msgCb: shuffled() });
  await using client = await pipeOpen(UDP, { dest: server.localAddr });
  const { heapUsed } = Deno.memoryUsage();
  const asking = askAll(client, count, byText);
  const growth = (Deno.memoryUsage().heapUsed - heapUsed) / count;
  assert(growth < 10_000, `${growth} bytes for each`);
  await asking;
  // No flood in which most is lost and asked again.
  const { messagesOut } = client.stats;
  assert(messagesOut < count * 1.2, `${messagesOut} were sent`);
});

Deno.test("request: 10,000 at once on one framed TCP connection", async () => {
  const count = 10_000, conf = { framing: lines() };
  await using server = await pipeOpen(TCP, { route, conf, msgCb: shuffled() });
  await using client = await pipeOpen(TCP, { dest: server.localAddr, conf });
  await askAll(client, count, byText);
  assertEquals([client.stats.messagesOut, client.stats.queued], [count, 0]);
});

Deno.test("request: 1,000 at once, a third of all messages lost: sent again until they are answered", async () => {
  const net = memoryNetwork({ seed: 5, upstream: { loss: 0.3 }, downstream: { duplication: 0.1 } });
  await using _server = await net.pipeOpen(UDP, {
    route: "10.0.0.1:53",
    msgCb: (msg, from, pipe) => pipe.send(`re ${text(msg)};`, from),
  });
  await using client = await net.pipeOpen(UDP, { dest: "10.0.0.1:53" });
  const replies = await Promise.all(
    Array.from({ length: 1000 }, (_, i) => {
      const options = { match: `re ${i};`, timeout: 1500, retries: 9 };
      return client.request(`${i}`, options);
    }),
  );
  assertEquals(replies.map(([msg]) => text(msg)), replies.map((_, i) => `re ${i};`));
  const { lost } = net.counts.upstream;
  assert(lost > 300 && client.stats.messagesOut === 1000 + lost, `${lost} lost`);
});

Deno.test("request: only once where nothing is lost on the way", async () => {
  const seen: unknown[] = [];
  const silent: MsgCb = (msg) => void seen.push(text(msg));
  await using tcp = await pipeOpen(TCP, { route, conf: { framing: lines() }, msgCb: silent });
  await using rudp = await pipeOpen(RUDP, { route, msgCb: silent });
  for (const server of [tcp, rudp]) {
    const { proto, localAddr: dest } = server;
    await using client = await pipeOpen(proto, {
      dest,
      conf: { framing: tcp === server ? lines() : null },
    });
    await assertRejects(
      () => client.request(proto, { timeout: 60, retries: 5 }),
      PipeTimeoutError,
      "No reply within 60 ms (sent once)",
    );
  }
  assertEquals(seen, ["tcp", "rudp"]);
});

Deno.test("request: leaves nothing behind, however it ends", async () => {
  await using server = await pipeOpen(UDP, {
    route,
    msgCb: (msg, from, pipe) => text(msg) === "answer" ? pipe.send("yes", from) : undefined,
  });
  const client = await pipeOpen(UDP, { dest: server.localAddr });
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = () => getEventListeners(signal, "abort").length;
  const ask = (what: string, options = {}) => client.request(what, { signal, ...options });
  assertEquals(text((await ask("answer", { timeout: Infinity }))[0]), "yes");
  assertEquals(listeners(), 0);
  await assertRejects(() => ask("nothing", { timeout: 30 }), PipeTimeoutError);
  assertEquals(listeners(), 0);
  await assertRejects(() => ask("x".repeat(65_508)), RangeError);
  await assertRejects(() => ask("x", { dest: "255.255.255.255:9" }), PipeStateError);
  await assertRejects(() => ask("x", { dest: ["127.0.0.1", 0] }), RangeError);
  assertEquals(listeners(), 0);
  const asked = ask("nothing", { timeout: Infinity });
  assertEquals(listeners(), 1);
  controller.abort("enough");
  assertEquals(await asked.catch((reason) => reason), "enough");
  assertEquals(listeners(), 0);
  assertEquals(await ask("x").catch((reason) => reason), "enough");
  const last = assertRejects(() => client.request("x", { timeout: 1e6 }), PipeClosedError);
  await client.close();
  await last; // and no timer: the sanitizer would tell
  await assertRejects(() => client.request("x"), PipeClosedError);
});

Deno.test("request: a reply that comes too late is a message like any other", async () => {
  const asked = latch<() => Promise<number>>();
  await using server = await pipeOpen(UDP, {
    route,
    msgCb: (_msg, from, pipe) => asked.open(() => pipe.send("late", from)),
  });
  await using client = await pipeOpen(UDP, { dest: server.localAddr });
  const match = () => true;
  await assertRejects(
    () => client.request("?", { match, timeout: 20, retries: 0 }),
    PipeTimeoutError,
  );
  await (await asked.done)();
  assertEquals(text(await client.recv()), "late");
});

Deno.test("request: one who waits for another's answer does not get it", async () => {
  const seen: string[] = [];
  const answer = (name: string): MsgCb => (msg, from, pipe) => {
    seen.push(`${name} ${text(msg)}`);
    return name === "b" ? pipe.send("from b", from) : undefined;
  };
  await using a = await pipeOpen(UDP, { route, msgCb: answer("a") });
  await using b = await pipeOpen(UDP, { route, msgCb: answer("b") });
  await using client = await pipeOpen(UDP, { route });
  const first = client.request("1", { dest: a.localAddr, timeout: 100, retries: 0 });
  const refused = assertRejects(() => first, PipeTimeoutError);
  const [msg, from] = await client.request("2", { dest: b.localAddr });
  assertEquals([text(msg), from], ["from b", b.localAddr]);
  await refused;
  assertEquals(seen, ["a 1", "b 2"]);
});

Deno.test("request: over streams whose ends have no name", async () => {
  const [one, other] = transformPairs();
  const conf = { framing: lines() };
  await using a = await pipeOpen(TCP, { sock: one, conf });
  await using b = await pipeOpen(TCP, {
    sock: other,
    conf,
    msgCb: shuffled(),
  });
  await askAll(a, 300, byFunction, byText, byRegExp);
  await b.close();
});

Deno.test("request: ends with the pipe while the name of its dest is looked up", async () => {
  const asked = latch();
  const lookup = () => {
    asked.open();
    return new Promise<string[]>(() => {});
  };
  const pipe = await pipeOpen(UDP, { route, conf: { lookup, dnsTimeout: 60_000 } });
  const asking = assertRejects(
    () => pipe.request("x", { dest: "example.com:9", timeout: 60_000 }),
    PipeClosedError,
  );
  await asked.done;
  pipe.abort();
  await asking;
  const found = latch<string[]>();
  await using late = await pipeOpen(UDP, { route, conf: { lookup: () => found.done } });
  await assertRejects(
    () => late.request("x", { dest: "example.com:9", timeout: 20 }),
    PipeTimeoutError,
    "(not sent)",
  );
  found.open(["127.0.0.1"]);
  await turns(3);
  assertEquals(late.stats.messagesOut, 0);
});

Deno.test("request: a misspelt option is refused", async () => {
  await using pipe = await pipeOpen(UDP, { route, conf: { anyPeer: true } });
  // @ts-expect-error no option
  await assertRejects(() => pipe.request("x", { retry: 1 }), TypeError, 'there is no "retry"');
});

/** A pipe that notes what it was given to send. */
function noting(send: (nth: number) => Promise<number> = () => Promise.resolve(1)) {
  const peer = { transport: "udp", hostname: "192.0.2.1", port: 9 } as const;
  const sent: unknown[] = [];
  const requests = new RequestBook();
  const pipe: Asker = {
    kind: "datagram",
    lossy: true,
    conf: NET_CONF,
    requests,
    remoteAddr: peer,
    refusal: () => undefined,
    destination: () => peer,
    send: (data) => send(sent.push(data)),
  };
  const answer = (what: string) => requests.answer(new TextEncoder().encode(what), peer, () => {});
  return { pipe, sent, requests, answer };
}

Deno.test("request: an answer lets the next one go, and the last leaves the book empty", async () => {
  const { pipe, sent, requests, answer } = noting();
  const asking = Array.from(
    { length: 100 },
    (_, i) => request(pipe, `${i}`, { match: `<${i}>`, timeout: 1e6 }),
  );
  assertEquals([sent.length, requests.size], [64, 100]);
  assertEquals(answer("<99>"), false); // it was not asked yet
  for (let i = 0; i < 100; i++) {
    assertEquals(answer(`<${i}>`), true);
    assertEquals(answer(`<${i}>`), false);
    assertEquals([sent.length, requests.size], [Math.min(100, 65 + i), 99 - i]);
  }
  assertEquals((await Promise.all(asking)).map(([msg]) => text(msg)).at(-1), "<99>");
});

Deno.test("request: the silence after a try begins when it was sent", async () => {
  const stuck = latch<number>();
  const { pipe, sent, requests, answer } = noting((nth) =>
    nth === 1 ? stuck.done : Promise.resolve(1)
  );
  // Waits of 20, 40, 80 and so on up to a minute.
  const asking = request(pipe, "?", { timeout: 20 * (2 ** 12 - 1), retries: 11 });
  await new Promise((resolve) => setTimeout(resolve, 150));
  assertEquals(sent.length, 1);
  stuck.open(1);
  await until(() => sent.length === 2, "the second try");
  assertEquals(answer("!"), true);
  assertEquals([text((await asking)[0]), requests.size], ["!", 0]);
});

/** Tries that are counted in the order in which they are sent. */
function tries(pace: Pace) {
  const sent: number[] = [];
  const all = Array.from({ length: 300 }, (_, i) => {
    const one = { open: true, sentAt: 0, first: true, post: () => void sent.push(i) };
    return one satisfies Try;
  });
  return { sent, all, started: all.map((one) => pace.go(one)) };
}

Deno.test("request: a peer has 64 tries on the way, and one more for each that ends", () => {
  const pace = new Pace(true);
  const { sent, all, started } = tries(pace);
  assertEquals(sent, Array.from({ length: 64 }, (_, i) => i));
  assertEquals(started.filter(Boolean).length, 64);
  const over = (i: number) => {
    const one = all[i];
    if (one === undefined) return;
    pace.answered(one);
    one.open = false;
    pace.leave(one);
  };
  over(3);
  assertEquals([sent.length, sent.at(-1)], [65, 64]);
  over(70); // one that still waited for its turn is never sent
  for (let i = 4; i < 20; i++) over(i);
  assertEquals([sent.length, sent.includes(70)], [81, false]);
  for (let i = 0; i < 300; i++) over(i);
  assertEquals(sent.length, new Set(sent).size);
  assertEquals(pace.busy, false); // and no timer
});

Deno.test("request: a peer that never answers is asked on all the same", async () => {
  const pace = new Pace(true);
  const { sent, all } = tries(pace);
  await until(() => sent.length === 300, "all of them");
  assertEquals(sent, Array.from({ length: 300 }, (_, i) => i));
  for (const one of all) {
    one.open = false;
    pace.leave(one);
  }
  assertEquals(pace.busy, false);
});
