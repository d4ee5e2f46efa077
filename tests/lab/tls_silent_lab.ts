/** Clients that connect to a TLS server and never begin a handshake. */
import { assert, assertEquals } from "@std/assert";
import {
  assertServes,
  drain,
  echo,
  plain,
  serveTls,
  standstill,
  tlsErrors,
} from "../helpers/tls.ts";

Deno.test("tls: 2,000 connections that never say anything", async () => {
  const before = Deno.memoryUsage().rss;
  await using server = await serveTls({
    msgCb: echo,
    conf: { sslHandshake: 6000, backlog: 4000 },
  });
  const start = performance.now();
  const silent: Deno.TcpConn[] = [];
  const gone: Promise<unknown>[] = [];
  for (let i = 0; i < 2000; i++) {
    const conn = await plain(server);
    silent.push(conn);
    gone.push(drain(conn));
  }
  const there = performance.now() - start;
  await assertServes(server); // all before it in the queue have been taken then
  for (let i = 0; i < 5; i++) {
    const began = performance.now();
    await assertServes(server);
    const took = performance.now() - began;
    assert(took < 2000, `a client waited ${took} ms`);
  }
  const growth = (Deno.memoryUsage().rss - before) / 1e6;
  assert(growth < 300, `memory grew by ${growth} MB`);
  if (there < 5000) assertEquals(server.stats.tlsFailed, 0);
  await Promise.all(gone);
  const took = performance.now() - start;
  assert(took < 30_000, `the last was gone after ${took} ms`);
  for (const conn of silent) conn.close();
  assertEquals(await standstill(() => server.stats.tlsFailed), 2000);
  assertEquals([server.clients.size, tlsErrors(server.errors).length], [0, 2000]);
  await assertServes(server);
});
