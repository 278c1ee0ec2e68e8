import { readFile, writeFile } from 'node:fs/promises';
import { readConfig } from '../config.js';
import { openApiDocument } from '../http/openapi/document.js';

/** The published description of the REST API, at the root of the repository. */
const OPENAPI_FILE = new URL('../../../openapi.json', import.meta.url);

/** Writes `openapi.json` with the default settings, or with `check` says whether it is what the code makes. */
export async function openapiCommand(options: { readonly check: boolean }): Promise<number> {
  const printed = `${JSON.stringify(openApiDocument(readConfig({})), null, 2)}\n`;
  const committed = await readFile(OPENAPI_FILE, 'utf8').catch(() => '');
  if (options.check && committed !== printed) {
    console.error('openapi.json is not what the code makes; run `npm run openapi` and look at what changed.');
    return 1;
  }
  if (!options.check) await writeFile(OPENAPI_FILE, printed);
  return 0;
}
