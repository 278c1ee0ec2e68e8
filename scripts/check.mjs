import { spawnSync } from 'node:child_process';

/** Everything that must hold before a change goes in. All of it runs, so that one look shows every fault. */
const STEPS = [
  { script: 'types', why: 'the types of sources, tests, examples and scripts' },
  { script: 'lint', why: 'the rules of .oxlintrc.json, floating promises among them' },
  { script: 'format', why: 'npm run format:fix puts it right' },
  { script: 'imports', why: 'which way imports go: .dependency-cruiser.mjs' },
  { script: 'unused', why: 'files, exports and packages that nothing uses' },
  { script: 'schema', args: ['--check'], why: 'schema.graphql is what the resolvers say: npm run schema' },
  { script: 'schema-lint', why: 'schema.graphql, by a linter with the rules of Relay' },
  { script: 'schema-changes', why: 'schema.graphql breaks clients of the last release: only a new version may' },
  {
    script: 'codegen',
    args: ['--check'],
    why: "the tests' client is what docs/api.md and the schema make: npm run codegen",
  },
  { script: 'openapi', args: ['--check'], why: 'openapi.json is what the code says: npm run openapi' },
  { script: 'openapi-lint', why: 'openapi.json, by two linters' },
  { script: 'lockfile', why: 'exact versions, no registry addresses' },
];

const failed = STEPS.filter(({ script, args = [], why }) => {
  const startedAt = performance.now();
  const { status } = spawnSync('npm', ['run', '--silent', script, '--', ...args], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${script} (${seconds} s)${status === 0 ? '' : `: ${why}`}`);
  return status !== 0;
});

if (failed.length > 0) {
  console.log(`\nThe check failed: ${failed.map(({ script }) => script).join(', ')}.`);
  process.exitCode = 1;
}
