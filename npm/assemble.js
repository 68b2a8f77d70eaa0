#!/usr/bin/env node
// Makes the npm packages from built programs: node npm/assemble.js FOLDER SYSTEM=PROGRAM…
//
// FOLDER gets `keysweep`, which starts the program, and a package for each SYSTEM that holds one. The version and the
// repository are those of Cargo.toml. A release names all systems; --some makes do with fewer.
"use strict";

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

const SYSTEMS = ["darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64", "win32-arm64", "win32-x64"];
const LICENCES = ["LICENSE-APACHE", "LICENSE-MIT"];
const here = __dirname;
const root = path.dirname(here);

function fail(message) {
  process.stderr.write(`npm/assemble.js: ${message}\n`);
  process.exit(2);
}

function crate() {
  const text = execFileSync("cargo", ["metadata", "--no-deps", "--locked", "--format-version", "1"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  return JSON.parse(text).packages.find((one) => one.name === "keysweep");
}

function write(folder, manifest, readme, files) {
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  fs.writeFileSync(path.join(folder, "README.md"), readme);
  for (const [name, source, mode] of files) {
    const target = path.join(folder, name);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.copyFileSync(source, target);
    fs.chmodSync(target, mode);
  }
}

function main(words) {
  const some = words.includes("--some");
  const [out, ...pairs] = words.filter((word) => word !== "--some");
  if (!out || pairs.length === 0) {
    fail("call it as: node npm/assemble.js FOLDER SYSTEM=PROGRAM…");
  }
  const programs = new Map(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
  for (const [system, program] of programs) {
    if (!SYSTEMS.includes(system)) {
      fail(`no system \`${system}\`; there are ${SYSTEMS.join(", ")}`);
    }
    if (!fs.statSync(program, { throwIfNoEntry: false })?.isFile()) {
      fail(`${program}: no such program`);
    }
  }
  const missing = SYSTEMS.filter((system) => !programs.has(system));
  if (missing.length > 0 && !some) {
    fail(`no program for ${missing.join(", ")}; --some makes do without`);
  }

  const { version, repository } = crate();
  const base = JSON.parse(fs.readFileSync(path.join(here, "package.json"), "utf8"));
  const common = { version, license: base.license };
  if (repository) {
    common.repository = { type: "git", url: `git+${repository}.git` };
  }
  const licences = LICENCES.map((name) => [name, path.join(root, name), 0o644]);
  for (const [system, program] of programs) {
    const [os, cpu] = system.split("-");
    const name = `@keysweep/${system}`;
    const file = os === "win32" ? "keysweep.exe" : "keysweep";
    write(
      path.join(out, system),
      { name, description: `The program keysweep for ${system}`, ...common, os: [os], cpu: [cpu], files: [file], preferUnplugged: true },
      `# ${name}\n\nThe program for ${system}; install \`keysweep\`, which picks it.\n`,
      [[file, program, 0o755], ...licences],
    );
  }
  write(
    path.join(out, "keysweep"),
    { ...base, ...common, optionalDependencies: Object.fromEntries(SYSTEMS.map((system) => [`@keysweep/${system}`, version])) },
    fs.readFileSync(path.join(here, "README.md")),
    [["bin/keysweep.js", path.join(here, "bin", "keysweep.js"), 0o755], ...licences],
  );
}

main(process.argv.slice(2));
