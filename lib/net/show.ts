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
  const name = classOf(value);
  if (name !== undefined) return withArticle(name);
  if (depth === 0) return "{…}";
  const members = Object.entries(value).slice(0, 8);
  return `{${members.map(([key, item]) => `${key}:${render(item, depth - 1)}`).join(",")}}`;
}

/** The class of what is no plain object; undefined if it has no name. */
function classOf(value: object): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (typeof prototype !== "object" || prototype === null || prototype === Object.prototype) {
    return undefined;
  }
  const tag = Symbol.toStringTag in value ? value[Symbol.toStringTag] : undefined;
  if (typeof tag === "string" && tag !== "") return tag;
  const { constructor } = prototype;
  const name: unknown = typeof constructor === "function" ? constructor.name : "";
  // That of another realm is plain, too.
  return typeof name === "string" && name !== "" && name !== "Object" ? name : undefined;
}

function withArticle(name: string): string {
  return `${/^[AEIO]/i.test(name) ? "an" : "a"} ${name.slice(0, MAX_SHOWN)}`;
}

/** Whether a terminal or a log may act on the character instead of showing it. */
function isHidden(code: number): boolean {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) || code === 0xfeff;
}

/**
 * A value as an error message shows it: JSON-like, what is no plain object by its class, control
 * characters escaped, cut to about 80 characters.
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
  return escaped(text);
}

/**
 * What kind of value it is, for an error message that must not show what is in it.
 *
 * @param value Any value at all.
 * @returns The text, such as "a number", "an array", "a DataView". Never throws.
 */
export function showKind(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return withArticle(typeof value);
  try {
    return Array.isArray(value) ? "an array" : escaped(withArticle(classOf(value) ?? "object"));
  } catch {
    return "a value that cannot be shown";
  }
}

/** Without control characters, cut to its length. */
function escaped(full: string): string {
  let text = full;
  if (text.length > MAX_SHOWN) text = `${text.slice(0, MAX_SHOWN - 1)}…`;
  let shown = "";
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    shown += isHidden(code) ? `\\u${code.toString(16).padStart(4, "0")}` : text.charAt(i);
  }
  return shown;
}
