import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = resolve(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
/** Holds the fingerprint of the sources that the output in `dist` was made from. */
const STAMP = join(DIST, '.stamp');
/** Holds the pid of the process that is building. */
const LOCK = join(DIST, '.lock');
const SOURCE_FOLDERS = ['src', 'migrations'];
/** Besides the sources, what the output depends on: compiler settings and the compiler's version. */
const SETTINGS = ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];
const LOCK_POLL_MS = 50;
/** A lock without a pid was left by a process that died between making and writing it. */
const EMPTY_LOCK_AGE_MS_MAX = 5_000;

/** The sources don't compile. The message is the compiler's output, one line a fault. */
export class BuildError extends Error {
  /** @override */
  name = 'BuildError';
}

/** Whether this installation has the compiler; one made with `npm ci --omit=dev` has not. */
export function canBuild() {
  return existsSync(join(ROOT, 'node_modules/typescript/package.json'));
}

/**
 * Compiles `src` and `migrations` into `dist` unless `dist` is up to date. Any number of processes may call it
 * at once: one compiles, the others wait for it and find the work done. What no longer has a source is removed
 * from `dist` afterwards, so that a process that runs from it never sees it half empty.
 *
 * @returns {Promise<'built' | 'up-to-date'>}
 * @throws {BuildError} when there are type errors. The JavaScript is written nevertheless, but the next call
 *   compiles again.
 */
export async function build() {
  if (await isUpToDate()) return 'up-to-date';
  await mkdir(DIST, { recursive: true });
  await takeLock();
  try {
    // Taken before compiling: a file saved meanwhile makes the next call compile again.
    const { fingerprint, outputs } = await readSources();
    if (await isUpToDate()) return 'up-to-date';
    await rm(STAMP, { force: true });
    const present = await listOutputs();
    // The compiler's memory of what it wrote is wrong when somebody has deleted part of it.
    if (!outputs.isSubsetOf(present)) await rm(join(DIST, 'tsconfig.build.tsbuildinfo'), { force: true });
    const fault = await compile();
    await removeStale(outputs);
    if (fault !== undefined) throw new BuildError(fault);
    await writeFile(STAMP, fingerprint);
    return 'built';
  } finally {
    await rm(LOCK, { force: true });
  }
}

async function isUpToDate() {
  const [stamp, { fingerprint, outputs }, present] = await Promise.all([
    readFile(STAMP, 'utf8').catch(() => undefined),
    readSources(),
    listOutputs(),
  ]);
  return stamp === fingerprint && outputs.isSubsetOf(present);
}

/** Paths, sizes and times stand for the contents: reading those would take longer than the rest of a start. */
async function readSources() {
  const folders = await Promise.all(SOURCE_FOLDERS.map((folder) => listFiles(folder)));
  const sources = folders.flat().filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'));
  const inputs = [...sources, ...SETTINGS].toSorted();
  const facts = await Promise.all(
    inputs.map(async (path) => {
      const { size, mtimeMs } = await stat(join(ROOT, path));
      return `${path} ${size} ${mtimeMs}`;
    }),
  );
  return {
    fingerprint: createHash('sha256').update(facts.join('\n')).digest('hex'),
    outputs: new Set(sources.map((path) => path.replace(/\.ts$/, '.js'))),
  };
}

/** The JavaScript files in `dist`, named as if they lay beside their sources. */
async function listOutputs() {
  const folders = await Promise.all(SOURCE_FOLDERS.map((folder) => listFiles(join('dist', folder))));
  return new Set(
    folders
      .flat()
      .filter((path) => path.endsWith('.js'))
      .map((path) => path.slice('dist/'.length)),
  );
}

/**
 * @param {string} folder relative to the root; may be missing
 * @returns {Promise<string[]>} relative to the root
 */
async function listFiles(folder) {
  const entries = await readdir(join(ROOT, folder), { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1));
}

/** @param {Set<string>} outputs what belongs in `dist` */
async function removeStale(outputs) {
  const stale = (await listOutputs()).difference(outputs);
  await Promise.all(
    [...stale].flatMap((path) => [path, `${path}.map`]).map((path) => rm(join(DIST, path), { force: true })),
  );
}

/** @returns {Promise<string | undefined>} the compiler's complaints */
async function compile() {
  const packageFile = createRequire(import.meta.url).resolve('typescript/package.json');
  const child = spawn(process.execPath, [join(packageFile, '../bin/tsc'), '-p', join(ROOT, 'tsconfig.build.json')], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => (output += chunk));
  /** @type {number | null} */
  const code = await new Promise((settle, reject) => child.once('error', reject).once('close', settle));
  return code === 0 ? undefined : output.trim() || `tsc ended with ${code}`;
}

async function takeLock() {
  for (;;) {
    try {
      const file = await open(LOCK, 'wx');
      await file.writeFile(String(process.pid));
      await file.close();
      return;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    }
    if (await isLockAbandoned()) await rm(LOCK, { force: true });
    else await sleep(LOCK_POLL_MS);
  }
}

async function isLockAbandoned() {
  const [holder, facts] = await Promise.all([
    readFile(LOCK, 'utf8').catch(() => ''),
    stat(LOCK).catch(() => undefined),
  ]);
  if (facts === undefined) return false;
  if (holder === '') return Date.now() - facts.mtimeMs > EMPTY_LOCK_AGE_MS_MAX;
  try {
    process.kill(Number(holder), 0);
    return false;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'ESRCH';
  }
}

if (import.meta.main) {
  try {
    await build();
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
