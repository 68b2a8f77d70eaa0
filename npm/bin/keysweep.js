#!/usr/bin/env node
// Starts the program of the package for this system, and ends as it ends.
"use strict";

const { spawn } = require("node:child_process");
const { constants } = require("node:os");

const system = `${process.platform}-${process.arch}`;
const file = process.platform === "win32" ? "keysweep.exe" : "keysweep";

// 2 is keysweep's own code for "could not do its work": a hook must not take it for "clean".
function fail(message) {
  process.stderr.write(`keysweep: ${message}\n`);
  process.exitCode = 2;
}

function program() {
  const wanted = `@keysweep/${system}`;
  const systems = Object.keys(require("../package.json").optionalDependencies ?? {});
  if (!systems.includes(wanted)) {
    fail(`there is no program for ${system} on npm; build it with \`cargo install --locked keysweep\``);
    return null;
  }
  try {
    return require.resolve(`${wanted}/${file}`);
  } catch {
    fail(`the package ${wanted} is missing: install again without --omit=optional and on this system`);
    return null;
  }
}

function start(path) {
  const child = spawn(path, process.argv.slice(2), { stdio: "inherit", windowsHide: true });
  // A terminal sends Ctrl-C to both: the program answers it, with what it has found until then.
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"]) {
    process.on(signal, () => child.kill(signal));
  }
  child.on("error", (error) => fail(`cannot start ${path}: ${error.message}`));
  child.on("exit", (code, signal) => {
    process.exitCode = signal ? 128 + (constants.signals[signal] ?? 0) : code;
  });
}

const path = program();
if (path) {
  start(path);
}
