/**
 * `deno task publish [--dry-run]`: publishes the package from a copy of the tree.
 *
 * Why a copy: `deno publish` refuses packages that `links` in deno.json finds inside the package's own
 * folder, and what is published must be checked against the real @std, not against the stand-ins.
 * So a publish runs without links. A dry run has to work where JSR is out of reach: there the
 * stand-ins lie beside the package, which `deno publish` accepts.
 *
 * @module
 */

const STAND_INS = ".ci/std/";
const root = `${import.meta.dirname}/..`;
const dryRun = Deno.args.includes("--dry-run");

async function git(...args: string[]): Promise<string> {
  const command = new Deno.Command("git", { args, cwd: root, stderr: "inherit" });
  const { success, stdout } = await command.output();
  if (!success) throw new Error(`Cannot publish: git ${args[0]} failed`);
  return new TextDecoder().decode(stdout);
}

/** Copies what git tracks and what it would add; a file deleted but not yet committed is left out. */
async function copyTree(to: string): Promise<void> {
  const list = await git("ls-files", "-z", "--cached", "--others", "--exclude-standard");
  for (const file of new Set(list.split("\0").filter(Boolean))) {
    const target = file.startsWith(STAND_INS)
      ? `${to}/std/${file.slice(STAND_INS.length)}`
      : `${to}/package/${file}`;
    await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), { recursive: true });
    try {
      await Deno.copyFile(`${root}/${file}`, target);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** Takes `links` out of the copied deno.json, or for a dry run points them beside the package. */
async function relink(path: string): Promise<void> {
  const { links, ...config }: { links: string[] } = JSON.parse(await Deno.readTextFile(path));
  const beside = links.map((link) => link.replace(`./${STAND_INS}`, "../std/"));
  await Deno.writeTextFile(path, JSON.stringify(dryRun ? { ...config, links: beside } : config));
}

// The copy is no git repository, where `deno publish` would look for this itself.
if (!dryRun && await git("status", "--porcelain") !== "") {
  console.error("Cannot publish: there are uncommitted changes");
  Deno.exit(1);
}

const temp = await Deno.makeTempDir({ prefix: "pipes_publish_" });
try {
  await copyTree(temp);
  await relink(`${temp}/package/deno.json`);
  const command = new Deno.Command(Deno.execPath(), {
    args: ["publish", ...Deno.args],
    cwd: `${temp}/package`,
  });
  Deno.exitCode = (await command.spawn().status).code;
} finally {
  await Deno.remove(temp, { recursive: true });
}
