/** The command lines of this folder: `--name NUMBER`, each with a default. */

/**
 * Reads them.
 *
 * @param args The arguments.
 * @param defaults All names there are, with their defaults.
 */
export function numbers<Name extends string>(
  args: readonly string[],
  defaults: Readonly<Record<Name, number>>,
): Record<Name, number> {
  const values: Record<Name, number> = { ...defaults };
  const isName = (name: string): name is Name => Object.hasOwn(defaults, name);
  for (let i = 0; i < args.length; i += 2) {
    const name = args[i]?.replace(/^--/, "") ?? "";
    const value = Number(args[i + 1]);
    if (!isName(name) || !(value > 0)) {
      const known = Object.entries(defaults).map(([key, value]) => `[--${key} ${value}]`);
      console.error(`Cannot understand "${args.slice(i, i + 2).join(" ")}"; ${known.join(" ")}`);
      Deno.exit(2);
    }
    values[name] = value;
  }
  return values;
}
