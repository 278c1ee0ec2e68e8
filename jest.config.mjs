/**
 * Tests run as ES modules: start Jest through `npm test`, which gives Node the option for it.
 *
 * Unit tests know no database, so they run without one; the others share one PostgreSQL for the whole run.
 */

/** @type {import('@swc/core').Options} */
const swcOptions = {
  swcrc: false,
  sourceMaps: 'inline',
  module: { type: 'es6' },
  jsc: {
    target: 'es2024',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, useDefineForClassFields: true },
  },
};

/** @satisfies {import('jest').Config} */
const shared = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts', '.mts'],
  // `.js` first: a package's own file wins over what the mapping below could find beside it.
  moduleFileExtensions: ['js', 'ts', 'mjs', 'mts', 'cjs', 'json', 'node'],
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^workhook/worker$': '<rootDir>/src/workers/code/define-worker.ts',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  transform: { '^.+\\.m?ts$': ['@swc/jest', swcOptions] },
};

/** @type {import('jest').Config} */
const config = {
  maxWorkers: 2,
  testTimeout: 30_000,
  projects: [
    { ...shared, displayName: 'unit', testMatch: ['<rootDir>/test/unit/**/*.test.ts'] },
    {
      ...shared,
      displayName: 'database',
      testMatch: ['<rootDir>/test/{integration,e2e,chaos}/**/*.test.ts'],
      testEnvironment: '<rootDir>/test/support/database-environment.mjs',
      globalSetup: '<rootDir>/test/support/global-setup.mjs',
      globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
    },
  ],
};

export default config;
