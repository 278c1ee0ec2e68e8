import { readFile, writeFile } from 'node:fs/promises';
import { codegen } from '@graphql-codegen/core';
import * as typedDocumentNode from '@graphql-codegen/typed-document-node';
import * as typescriptOperations from '@graphql-codegen/typescript-operations';
import { buildSchema, parse } from 'graphql';

/**
 * Writes a typed client for the operations of docs/api.md, which tests use as a dashboard would; with `--check` says
 * whether the committed one is up to date.
 */
const TARGET = 'test/support/generated/operations.ts';
const PAGE = 'docs/api.md';

/** @param {string} path from the root of the repository */
const fileAt = (path) => new URL(`../${path}`, import.meta.url);

const page = await readFile(fileAt(PAGE), 'utf8');
const schemaAst = buildSchema(await readFile(fileAt('schema.graphql'), 'utf8'));
const documents = [...page.matchAll(/^```graphql\n([\s\S]*?)^```$/gm)].map((match) => ({
  location: PAGE,
  document: parse(match[1] ?? ''),
}));

const generated = await codegen({
  filename: TARGET,
  // What a caller that gives `schemaAst` has to say, too, without being read.
  schema: parse('type Query { unused: Int }'),
  schemaAst,
  documents,
  config: {
    useTypeImports: true,
    immutableTypes: true,
    disableDescriptions: true,
    enumType: 'string-literal',
    scalars: {
      BigInt: 'number | string',
      DateTime: 'string',
      Decimal: 'string',
      Duration: 'string',
      ID: 'string',
      JSON: 'unknown',
    },
  },
  pluginMap: { typescriptOperations, typedDocumentNode },
  plugins: [{ typescriptOperations: {} }, { typedDocumentNode: {} }],
});
const text = `// Made of ${PAGE} by \`npm run codegen\`.\n${generated.trimEnd()}\n`;

if (!process.argv.includes('--check')) await writeFile(fileAt(TARGET), text);
else if ((await readFile(fileAt(TARGET), 'utf8').catch(() => '')) !== text) {
  console.error(`${TARGET} is not what ${PAGE} makes; run \`npm run codegen\`.`);
  process.exitCode = 1;
}
