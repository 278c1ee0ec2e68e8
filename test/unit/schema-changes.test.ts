import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { reportSchemaChanges } from '../../scripts/schema-changes.mjs';

const BEFORE = 'enum Mode { A B }\ntype Query { version: String! mode(of: ID): Mode }\n';

let root: string;

const git = (...args: string[]): void => {
  const author = ['-c', 'user.name=Test', '-c', 'user.email=test@example.com', '-c', 'commit.gpgsign=false'];
  execFileSync('git', [...author, ...args], { cwd: root, stdio: 'ignore' });
};

async function write(schema: string, version = '0.3.0'): Promise<void> {
  await writeFile(join(root, 'schema.graphql'), schema);
  await writeFile(join(root, 'package.json'), JSON.stringify({ version }));
}

async function release(tag: string): Promise<void> {
  git('init');
  git('add', '.');
  git('commit', '-m', 'first');
  git('tag', tag);
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'workhook-schema-'));
  await write(BEFORE);
});

afterEach(() => rm(root, { recursive: true }));

describe('the changes of the schema since the last release', () => {
  it('are none without a release, and without git', async () => {
    const none = { lines: ['There is no release tag to compare schema.graphql with.'], ok: true };
    expect(await reportSchemaChanges(root)).toEqual(none);
    await release('before-anything'); // a tag, but no release's
    expect(await reportSchemaChanges(root)).toEqual(none);
  });

  it('may add', async () => {
    await release('v0.3.0');
    await write(BEFORE.replace('version', 'viewer: String version'));
    expect(await reportSchemaChanges(root)).toEqual({
      lines: ['Since v0.3.0: 0 breaking and 0 dangerous changes of schema.graphql.'],
      ok: true,
    });
  });

  it.each([
    ['a field that went', BEFORE.replace('version: String! ', ''), 'FIELD_REMOVED: Query.version was removed.'],
    ['an argument that is needed', BEFORE.replace('ID)', 'ID!)'), /^ARG_CHANGED_KIND/],
    ['an enum value that went', BEFORE.replace('A B', 'A'), 'VALUE_REMOVED_FROM_ENUM: B was removed'],
    ['a field that can be null', BEFORE.replace('String!', 'String'), /^FIELD_CHANGED_KIND/],
  ])('break with %s', async (_, after, change) => {
    await release('v0.3.0');
    await write(after);
    const { lines, ok } = await reportSchemaChanges(root);
    expect(ok).toBe(false);
    expect(lines).toHaveLength(3);
    expect(lines[1]!.replace('breaking ', '')).toMatch(change);
    expect(lines[2]).toBe('The version 0.3.0 announces no breaking change.');
  });

  it('tell what may surprise', async () => {
    await release('v0.3.0');
    await write(BEFORE.replace('A B', 'A B C'));
    const { lines, ok } = await reportSchemaChanges(root);
    expect(ok).toBe(true);
    expect(lines[1]).toMatch(/^dangerous VALUE_ADDED_TO_ENUM: C was added/);
  });

  it.each([
    ['v0.3.0', '0.3.1', false],
    ['v0.3.0', '0.4.0', true],
    ['v1.3.0', '1.4.0', false],
    ['v1.3.0', '2.0.0', true],
  ])('may break from %s to %s: %s', async (tag, version, ok) => {
    await release(tag);
    await write(BEFORE.replace('version: String! ', ''), version);
    expect((await reportSchemaChanges(root)).ok).toBe(ok);
  });
});
