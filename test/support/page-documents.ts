import { readFile } from 'node:fs/promises';

/** The GraphQL documents of a page in `docs`, as they stand there. */
export async function graphqlDocumentsOf(page: string): Promise<readonly string[]> {
  const text = await readFile(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  return [...text.matchAll(/^```graphql\n([\s\S]*?)^```$/gm)].map((match) => match[1]!);
}
