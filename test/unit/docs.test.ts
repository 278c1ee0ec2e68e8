import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { ID_PREFIXES } from '../../src/lib/ids.js';

const root = new URL('../../', import.meta.url);

const namesIn = async (folder: string): Promise<string[]> => (await readdir(new URL(folder, root))).toSorted();

const pages = (await namesIn('docs/')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`);
const decisions = await namesIn('docs/adr/');
const texts = await Promise.all(
  [
    'README.md',
    'CONTRIBUTING.md',
    'examples/workers/README.md',
    ...pages,
    ...decisions.map((name) => `docs/adr/${name}`),
  ].map(async (path) => ({ path, text: await readFile(new URL(path, root), 'utf8') })),
);

/** Where the links of a text lead inside the project, without the heading that they name. */
const linksOf = (text: string): string[] =>
  [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1]!.replace(/#.*$/, ''))
    .filter((link) => link !== '' && !/^[a-z]+:/.test(link));

/** How a heading is named in a link. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number}\s_-]/gu, '')
    .replaceAll(' ', '-');

describe('the links of the pages', () => {
  it('lead to files that are there', () => {
    const dead = texts.flatMap(({ path, text }) =>
      linksOf(text)
        .filter((link) => !existsSync(new URL(link, new URL(path, root))))
        .map((link) => `${path}: ${link}`),
    );
    expect(texts.flatMap(({ text }) => linksOf(text)).length).toBeGreaterThan(100);
    expect(dead).toEqual([]);
  });

  it('name headings that are there', () => {
    const dead = texts.flatMap(({ path, text }) =>
      [...text.matchAll(/\]\(([^)\s:]*)#([^)\s]+)\)/g)]
        .filter(([, link, anchor]) => {
          const target = new URL(link === '' ? path : link!, link === '' ? root : new URL(path, root)).pathname;
          const page = texts.find((other) => new URL(other.path, root).pathname === target);
          return ![...(page?.text ?? '').matchAll(/^#+ (.+)$/gm)].some((match) => anchorOf(match[1]!) === anchor);
        })
        .map(([whole]) => `${path}: ${whole}`),
    );
    expect(dead).toEqual([]);
  });

  it('reach every page from the README', () => {
    const readme = texts.find(({ path }) => path === 'README.md')!;
    expect(pages.filter((page) => !linksOf(readme.text).includes(page))).toEqual([]);
  });
});

it('the glossary has a noun for every id', () => {
  const { text } = texts.find(({ path }) => path === 'docs/glossary.md')!;
  expect(Object.values(ID_PREFIXES).filter((prefix) => !text.includes(`\`${prefix}…\``))).toEqual([]);
});

describe('the decisions', () => {
  it('are numbered without a gap, in name and heading', () => {
    const numbers = decisions.map((_, i) => i + 1);
    expect(decisions.map((name) => name.slice(0, 5))).toEqual(numbers.map((n) => `${String(n).padStart(4, '0')}-`));
    const headings = decisions.map(
      (name) => texts.find(({ path }) => path === `docs/adr/${name}`)!.text.split('. ')[0],
    );
    expect(headings).toEqual(numbers.map((n) => `# ${n}`));
  });

  it.each(decisions)('%s has context, decision and consequences in 200 words', (name) => {
    const { text } = texts.find(({ path }) => path === `docs/adr/${name}`)!;
    const parts = [...text.matchAll(/^\*\*(Context|Decision|Consequences)\.\*\*/gm)].map((match) => match[1]);
    expect(parts).toEqual(['Context', 'Decision', 'Consequences']);
    expect(text.trim().split(/\s+/).length).toBeLessThanOrEqual(200);
  });

  it('are the ones that the sources name', async () => {
    const named: string[] = [];
    for (const file of await readdir(new URL('src/', root), { recursive: true })) {
      if (!file.endsWith('.ts')) continue;
      const text = await readFile(new URL(`src/${file}`, root), 'utf8');
      named.push(...[...text.matchAll(/docs\/adr\/(\d{4})/g)].map((match) => match[1]!));
    }
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((number) => !decisions.some((name) => name.startsWith(number)))).toEqual([]);
  });
});
