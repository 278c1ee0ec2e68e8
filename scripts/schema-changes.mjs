import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { buildSchema, findBreakingChanges, findDangerousChanges } from 'graphql';

/**
 * What changed in schema.graphql since the last release that clients notice. A breaking change needs a version that
 * announces it: a new major one, before 1.0 a new minor one.
 *
 * @typedef {{ readonly lines: readonly string[], readonly ok: boolean }} Report
 */

/**
 * @param {string} root of a working copy
 * @returns {Promise<Report>}
 */
export async function reportSchemaChanges(root) {
  const tag = git(root, 'describe', '--tags', '--abbrev=0', '--match', 'v[0-9]*')?.trim();
  if (tag === undefined) return { lines: ['There is no release tag to compare schema.graphql with.'], ok: true };
  const released = git(root, 'show', `${tag}:schema.graphql`);
  if (released === undefined) return { lines: [`${tag} has no schema.graphql.`], ok: true };

  const [before, after] = [released, await readFile(resolve(root, 'schema.graphql'), 'utf8')].map((text) =>
    buildSchema(text),
  );
  if (before === undefined || after === undefined) throw new Error('there are two schemas');
  const breaking = findBreakingChanges(before, after);
  const dangerous = findDangerousChanges(before, after);
  const manifest = await readFile(resolve(root, 'package.json'), 'utf8');
  const { version } = /** @type {{ version: string }} */ (JSON.parse(manifest));
  const announced = isAnnounced(tag.slice(1), version);
  return {
    lines: [
      `Since ${tag}: ${breaking.length} breaking and ${dangerous.length} dangerous changes of schema.graphql.`,
      ...breaking.map(({ type, description }) => `breaking ${type}: ${description}`),
      ...dangerous.map(({ type, description }) => `dangerous ${type}: ${description}`),
      ...(breaking.length > 0 && !announced ? [`The version ${version} announces no breaking change.`] : []),
    ],
    ok: breaking.length === 0 || announced,
  };
}

/**
 * Whether a version tells that something broke since another one (https://semver.org).
 *
 * @param {string} before
 * @param {string} now
 */
function isAnnounced(before, now) {
  const [majorBefore, minorBefore] = before.split('.').map(Number);
  const [major, minor] = now.split('.').map(Number);
  return major !== majorBefore || (major === 0 && minor !== minorBefore);
}

/**
 * @param {string} root
 * @param {string[]} args
 * @returns {string | undefined} what it printed; nothing when it failed, as without git or outside a repository
 */
function git(root, ...args) {
  const { status, stdout } = spawnSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  return status === 0 ? stdout : undefined;
}

if (import.meta.main) {
  const { lines, ok } = await reportSchemaChanges(resolve(import.meta.dirname, '..'));
  for (const line of lines) console.log(line);
  process.exitCode = ok ? 0 : 1;
}
