import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

/**
 * An address in the lockfile would send every install to the registry of whoever wrote it; a range in
 * package.json would let an update of the lockfile change what runs.
 */
const root = resolve(import.meta.dirname, '..');
/** @param {string} name */
const readText = (name) => readFile(resolve(root, name), 'utf8');

const lock = /** @type {{ packages: Record<string, { resolved?: string, link?: boolean }> }} */ (
  JSON.parse(await readText('package-lock.json'))
);
const manifest = /** @type {Record<string, Record<string, string> | undefined>} */ (
  JSON.parse(await readText('package.json'))
);

const addressed = Object.entries(lock.packages)
  .filter(([, entry]) => entry.resolved !== undefined && entry.link !== true)
  .map(([path]) => `package-lock.json: ${path} has a registry address`);

const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;
const ranged = ['dependencies', 'devDependencies', 'optionalDependencies']
  .flatMap((section) => Object.entries(manifest[section] ?? {}))
  .filter(([, version]) => !EXACT.test(version))
  .map(([name, version]) => `package.json: ${name} is not pinned exactly (${version})`);

const faults = [...addressed, ...ranged];
for (const fault of faults) console.error(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
