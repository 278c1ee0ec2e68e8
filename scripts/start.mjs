import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BuildError, build, canBuild } from './build.mjs';

const MAIN = resolve(import.meta.dirname, '../dist/src/main.js');

/** @returns {Promise<string | undefined>} why there is nothing to start */
async function prepare() {
  if (!canBuild()) {
    return existsSync(MAIN) ? undefined : 'dist is missing and the compiler is not installed: run npm ci.';
  }
  try {
    await build();
    return undefined;
  } catch (error) {
    if (error instanceof BuildError) return error.message;
    throw error;
  }
}

const fault = await prepare();
if (fault === undefined) {
  // In this same process, so that a signal reaches the gateway and its exit code reaches the shell.
  process.argv.splice(1, 1, MAIN, 'start');
  await import(pathToFileURL(MAIN).href);
} else {
  console.error(fault);
  process.exitCode = 1;
}
