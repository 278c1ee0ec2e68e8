import { readFile, writeFile } from 'node:fs/promises';
import { printPermissions } from '../graphql/print-permissions.js';
import { printSchemaSdl } from '../graphql/print-schema.js';

/** What is generated from the resolvers and committed, by its path from the root of the repository. */
const GENERATED = [
  { path: 'schema.graphql', print: printSchemaSdl },
  { path: 'docs/permissions.md', print: printPermissions },
];

/** Writes what is generated, or with `check` says whether it is what the code makes. */
export async function schemaCommand(options: { readonly check: boolean }): Promise<number> {
  let stale = 0;
  for (const { path, print } of GENERATED) {
    const file = new URL(`../../../${path}`, import.meta.url);
    const printed = print();
    if (!options.check) await writeFile(file, printed);
    else if ((await readFile(file, 'utf8').catch(() => '')) !== printed) {
      console.error(`${path} is not what the code makes; run \`npm run schema\` and look at what changed.`);
      stale += 1;
    }
  }
  return stale === 0 ? 0 : 1;
}
