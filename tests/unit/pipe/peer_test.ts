import { assert } from "@std/assert";
import { isSame } from "../../../lib/pipe/peer.ts";

Deno.test("isSame() compares paths as they are, and takes no unnamed socket for another", () => {
  const ip = (hostname: string, port = 1) => ({ transport: "udp", hostname, port }) as const;
  const unix = (path: string) => ({ ...ip(path, 0), path });
  assert(isSame(unix("/a"), unix("/a")));
  assert(isSame(unix("/a"), ip("/a", 0)));
  assert(!isSame(unix("/a"), unix("/b")));
  assert(!isSame(unix(""), unix("")));
  assert(!isSame(ip("", 0), ip("", 0)));
  // "%eth0" ends a link-local address, and a file name like any other.
  assert(!isSame(unix("/a%eth0"), unix("/a")));
  assert(!isSame(unix("/a"), ip("/a%eth0", 0)));
  assert(isSame(ip("fe80::1%eth0"), ip("fe80::1")));
  assert(!isSame(ip("fe80::1%eth0"), ip("fe80::1%eth1")));
  assert(!isSame(ip("fe80::1"), ip("fe80::1", 2)));
});
