import { readFile } from 'node:fs/promises';

/** The text of a page of the project. @param path from the project's root (`docs/results.md`). */
export async function readPage(path: string): Promise<string> {
  return await readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
}

/** A fenced block of a page, as it stands there. */
export interface PageBlock {
  /** What stands behind the fence: `sh`, `json answer`. */
  readonly kind: string;
  /** With the line break at its end. */
  readonly text: string;
}

/** All blocks of a page's text, in its order. */
export function blocksOf(page: string): readonly PageBlock[] {
  return [...page.matchAll(/^```(\S[^\n]*)\n([\s\S]*?)^```$/gm)].map(([, kind, text]) => ({
    kind: kind!,
    text: text!,
  }));
}

/** The texts of the blocks of one kind. */
export function textsOf(page: string, kind: string): readonly string[] {
  return blocksOf(page)
    .filter((block) => block.kind === kind)
    .map(({ text }) => text);
}

/** The GraphQL documents of a page. */
export async function graphqlOf(path: string): Promise<readonly string[]> {
  return textsOf(await readPage(path), 'graphql');
}
