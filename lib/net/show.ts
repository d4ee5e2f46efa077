const MAX_SHOWN = 80;

/** JSON-like, without calling into the value; at most a few members of each level. */
function render(value: unknown, depth: number): string {
  if (typeof value === "string") {
    if (value.includes("PRIVATE KEY-----")) return "a private key"; // never show one (RFC 7468)
    return JSON.stringify(value.slice(0, MAX_SHOWN));
  }
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return String(value);
  if (ArrayBuffer.isView(value)) return `a view of ${value.byteLength} bytes`;
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    if (depth === 0) return "[…]";
    return `[${items.slice(0, 8).map((item) => render(item, depth - 1)).join(",")}]`;
  }
  if (depth === 0) return "{…}";
  const members = Object.entries(value).slice(0, 8);
  return `{${members.map(([key, item]) => `${key}:${render(item, depth - 1)}`).join(",")}}`;
}

/** Whether a terminal or a log may act on the character instead of showing it. */
function isHidden(code: number): boolean {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) || code === 0xfeff;
}

/**
 * A value as an error message shows it: JSON-like, control characters escaped, cut to about 80
 * characters.
 *
 * @param value Any value at all.
 * @returns The text. Never throws.
 */
export function show(value: unknown): string {
  let text;
  try {
    text = render(value, 2);
  } catch {
    return "a value that cannot be shown"; // a getter or a proxy threw
  }
  if (text.length > MAX_SHOWN) text = `${text.slice(0, MAX_SHOWN - 1)}…`;
  let shown = "";
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    shown += isHidden(code) ? `\\u${code.toString(16).padStart(4, "0")}` : text.charAt(i);
  }
  return shown;
}
