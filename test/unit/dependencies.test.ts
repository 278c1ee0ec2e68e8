import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';

const read = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

const page = await read('docs/dependencies.md');
const manifest = JSON.parse(await read('package.json')) as Record<string, Record<string, string>>;

/** The rows of one table of the page, as package and reason. */
function rowsBelow(heading: string): readonly (readonly [name: string, reason: string])[] {
  const section = page.split('\n## ').find((part) => part.startsWith(`${heading}\n`)) ?? '';
  return [...section.matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)].map((match) => [match[1]!, match[2]!] as const);
}

describe('the page of dependencies', () => {
  it.each([
    ['At run time', 'dependencies'],
    ['Optional', 'optionalDependencies'],
    ['For development', 'devDependencies'],
  ])('has under "%s" each of the %s, in their order, with a reason', (heading, section) => {
    const rows = rowsBelow(heading);
    expect(rows.map(([name]) => name)).toEqual(Object.keys(manifest[section]!));
    expect(rows.filter(([, reason]) => reason.trim().length < 4)).toEqual([]);
  });
});
