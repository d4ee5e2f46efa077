// As lenient as the original, or a test that passes here would fail with the real package:
// "1.2.3." is IPv4 and "12zz::1" is IPv6 to both. Not for checking what a user typed.

/** Whether the text looks like an IPv4 address: four numbers from 0 to 255. */
export function isIPv4(addr: string): boolean {
  const parts = addr.split(".");
  return parts.length === 4 && parts.every((part) => Number(part) >= 0 && Number(part) <= 255);
}

/** Whether the text looks like an IPv6 address, shortened (`::1`) and dotted (`::1.2.3.4`) ones too. */
export function isIPv6(addr: string): boolean {
  if (addr.split("::").length > 2) return false;
  const groups = addr.split(":");
  if (addr.includes(".")) {
    if (groups.length === 1 || !isIPv4(groups.pop() ?? "")) return false;
    groups.push("");
  }
  const complete = groups.length === 8 || (groups.length < 8 && groups.includes(""));
  return complete && groups.every((group) => {
    const value = group === "" ? 0 : parseInt(group, 16);
    return value >= 0 && value <= 65535;
  });
}
