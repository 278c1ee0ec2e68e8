import { readFile } from 'node:fs/promises';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import spectral from '@stoplight/spectral-core';
import rulesets from '@stoplight/spectral-rulesets';

/**
 * Lints openapi.json by two linters that know different faults. Both work offline. A warning is a fault; a rule that
 * is off has its reason here.
 */
const FILE = new URL('../openapi.json', import.meta.url);
const source = await readFile(FILE, 'utf8');

/** @returns {Promise<string[]>} */
async function lintByRedocly() {
  const config = await createConfig({
    extends: ['recommended-strict'],
    rules: {
      'no-invalid-media-type-examples': { severity: 'error', allowAdditionalProperties: false },
      'no-invalid-schema-examples': 'error',
      'no-invalid-parameter-examples': 'error',
      'operation-parameters-unique': 'error',
    },
  });
  const problems = await lintFromString({ source, absoluteRef: FILE.pathname, config });
  return problems.map(
    ({ ruleId, message, location }) => `redocly ${ruleId} at ${location[0]?.pointer ?? ''}: ${message}`,
  );
}

/** Its own type is narrower than what it takes. */
const OAS = /** @type {import('@stoplight/spectral-core').RulesetDefinition} */ (/** @type {unknown} */ (rulesets.oas));

/** @returns {Promise<string[]>} */
async function lintBySpectral() {
  const linter = new spectral.Spectral();
  linter.setRuleset({
    extends: [[OAS, 'all']],
    rules: {
      'info-contact': 'off', // who runs a gateway is not known here
      'contact-properties': 'off',
    },
  });
  const problems = await linter.run(source);
  return problems.map(({ code, message, path }) => `spectral ${code} at ${path.join('/')}: ${message}`);
}

const faults = (await Promise.all([lintByRedocly(), lintBySpectral()])).flat();
for (const fault of faults) console.error(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
