/**
 * Makes a search for some bytes (Knuth-Morris-Pratt): linear in the data whatever the bytes are, so
 * nobody can send a slow message.
 *
 * @param needle What to look for; not changed from now on.
 * @returns Where it begins in `data`, at `from` or later; -1 if it is not there.
 */
export function finder(needle: Uint8Array): (data: Uint8Array, from?: number) => number {
  const [first] = needle;
  if (first === undefined) return (_data, from = 0) => from;
  if (needle.length === 1) return (data, from = 0) => data.indexOf(first, from);
  const border = new Uint32Array(needle.length);
  for (let i = 1, k = 0; i < needle.length; i++) {
    while (k > 0 && needle[i] !== needle[k]) k = border[k - 1] ?? 0;
    if (needle[i] === needle[k]) k++;
    border[i] = k;
  }
  return (data, from = 0) => {
    for (let i = from, k = 0; i < data.length; i++) {
      while (k > 0 && data[i] !== needle[k]) k = border[k - 1] ?? 0;
      if (data[i] === needle[k]) k++;
      else {
        // The platform's own search is much faster over what cannot be the beginning.
        i = data.indexOf(first, i + 1) - 1;
        if (i < 0) return -1;
      }
      if (k === needle.length) return i - k + 1;
    }
    return -1;
  };
}
