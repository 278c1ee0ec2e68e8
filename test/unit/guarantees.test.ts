import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { expect, it } from '@jest/globals';

const page = new URL('../../docs/guarantees.md', import.meta.url);
const text = await readFile(page, 'utf8');

it('every promise has a proof', () => {
  const promises = text
    .split(/^\| promise \| proof \|\n\|---\|---\|\n/m)
    .slice(1)
    .flatMap((table) => table.slice(0, table.search(/^(?!\|)/m)).split('\n'))
    .filter((line) => line !== '');
  expect(promises.length).toBeGreaterThan(50);
  expect(promises.filter((line) => !/\| (\[[^\]]+\]\([^)]+\.test\.ts\)(, )?)+ \|$/.test(line))).toEqual([]);
});

it('every promise names tests that are there', () => {
  const proofs = [...text.matchAll(/\]\(([^)]+)\)/g)].map((match) => match[1]!);
  expect(proofs.length).toBeGreaterThan(20);
  expect(proofs.filter((path) => !existsSync(new URL(path, page)))).toEqual([]);
});
