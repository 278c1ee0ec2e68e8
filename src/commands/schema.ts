import { readFile, writeFile } from 'node:fs/promises';
import { printSchemaSdl } from '../graphql/print-schema.js';

/** The published schema, at the root of the repository. */
const SCHEMA_FILE = new URL('../../../schema.graphql', import.meta.url);

/** Writes `schema.graphql`, or with `check` says whether it is what the code makes. */
export async function schemaCommand(options: { readonly check: boolean }): Promise<number> {
  const printed = printSchemaSdl();
  const committed = await readFile(SCHEMA_FILE, 'utf8').catch(() => '');
  if (options.check && committed !== printed) {
    console.error('schema.graphql is not what the code makes; run `npm run schema` and look at what changed.');
    return 1;
  }
  if (!options.check) await writeFile(SCHEMA_FILE, printed);
  return 0;
}
