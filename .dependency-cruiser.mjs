/**
 * Which way imports go: main -> app -> http | graphql | queue runner -> features -> db | queue | events | lib.
 *
 * The table says, for each room of the house, which others it may use; itself, errors.ts and lib always. What the
 * table does not name is forbidden, so a new folder in src needs a line here.
 */

const COMPOSITION = ['main', 'commands', 'app'];

const GROUND = ['db', 'events'];

/** @type {Record<string, readonly string[]>} */
const FEATURES = {
  outbound: [],
  templates: [],
  access: [...GROUND],
  models: [...GROUND, 'access', 'secrets', 'outbound', 'calls', 'rate-limits'],
  secrets: [...GROUND, 'access'],
  'rate-limits': [...GROUND, 'access'],
  connections: [...GROUND, 'access', 'secrets', 'outbound', 'templates'],
  workers: [...GROUND, 'access', 'secrets', 'models', 'outbound', 'templates', 'connections'],
  calls: [...GROUND, 'queue', 'access'],
  executions: [...GROUND, 'queue', 'access', 'calls', 'workers'],
  callbacks: [...GROUND, 'queue', 'access', 'calls', 'executions', 'secrets', 'outbound'],
  flow: [...GROUND, 'queue', 'calls', 'executions'],
  webhooks: [
    ...GROUND,
    'flow',
    'access',
    'calls',
    'secrets',
    'rate-limits',
    'executions',
    'callbacks',
    'workers',
    'templates',
  ],
  alerts: [...GROUND, 'access', 'calls'],
  bulk: [...GROUND, 'queue', 'access', 'calls', 'executions', 'callbacks', 'webhooks'],
};

/** @type {Record<string, readonly string[]>} */
const ROOMS = {
  lib: [],
  db: [],
  queue: ['db'],
  events: ['db'],
  entities: Object.keys(FEATURES),
  ...FEATURES,
  http: [...GROUND, ...Object.keys(FEATURES)],
  graphql: [...GROUND, ...Object.keys(FEATURES)],
};

/** @param {string} room a folder of src, or a file in it */
const pathOf = (room) => `^src/${room}([.]ts$|/)`;

/** @type {import('dependency-cruiser').IForbiddenRuleType[]} */
const roomRules = Object.entries(ROOMS).map(([room, allowed]) => ({
  name: `from-${room}`,
  comment: `${room} may use ${['lib', ...allowed].join(', ')} and itself.`,
  severity: 'error',
  from: { path: pathOf(room) },
  to: {
    path: '^(src|test|scripts|examples|migrations)/',
    pathNot: [
      ...(room === 'lib' ? [] : [pathOf('errors')]),
      ...['lib', room, ...allowed].map(pathOf),
      ...(room === 'db' ? ['^migrations/'] : []),
    ],
  },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...roomRules,
    {
      name: 'no-unknown-room',
      comment: 'A new folder or file in src needs its line in the table of rooms.',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: [...Object.keys(ROOMS), ...COMPOSITION, 'config', 'errors'].map(pathOf),
      },
      to: {},
    },
    {
      name: 'errors-is-a-leaf',
      severity: 'error',
      from: { path: pathOf('errors') },
      to: { path: '^src/' },
    },
    {
      name: 'config-is-nearly-a-leaf',
      severity: 'error',
      from: { path: pathOf('config') },
      to: { path: '^src/', pathNot: ['config', 'errors', 'lib'].map(pathOf) },
    },
    {
      name: 'only-main-and-app-know-the-settings',
      comment: 'Everything else takes small option objects.',
      severity: 'error',
      from: { path: '^src/', pathNot: [...COMPOSITION, 'config'].map(pathOf) },
      to: { path: pathOf('config') },
    },
    {
      name: 'app-is-composed-by-main',
      severity: 'error',
      from: { path: pathOf('app') },
      to: { path: [pathOf('main'), pathOf('commands')] },
    },
    {
      name: 'nobody-imports-main',
      severity: 'error',
      from: { path: '^(src|migrations)/' },
      to: { path: pathOf('main') },
    },
    {
      name: 'koa-stays-in-http',
      comment: 'A use case returns an outcome; only the transport knows the protocol.',
      severity: 'error',
      from: { path: '^src/', pathNot: [pathOf('http'), pathOf('graphql')] },
      to: { path: 'node_modules/(@types/)?(koa|@koa|@as-integrations)/' },
    },
    {
      name: 'graphql-stays-in-graphql',
      severity: 'error',
      from: { path: '^src/', pathNot: [pathOf('graphql')] },
      to: { path: 'node_modules/(graphql|graphql-[a-z-]+|type-graphql|@apollo)/' },
    },
    {
      name: 'no-development-packages',
      comment: 'What is built and shipped rests on nothing that is only there for development.',
      severity: 'error',
      from: { path: '^(src|migrations|examples)/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'nothing-but-src-for-src',
      severity: 'error',
      from: { path: '^(src|migrations)/' },
      to: { path: '^(test|scripts|examples|dist)/' },
    },
    {
      name: 'migrations-stand-alone',
      comment: 'A migration is history: the code of today must not change what it did.',
      severity: 'error',
      from: { path: '^migrations/' },
      to: { path: '^src/' },
    },
    {
      name: 'no-cycles',
      comment: 'Two files that need each other are one thing, or one of them has a part that belongs lower.',
      severity: 'error',
      from: { path: '^(src|migrations|test|scripts|examples)/' },
      to: { circular: true },
    },
    {
      name: 'everything-resolves',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^dist/' },
    },
    {
      name: 'everything-declared',
      comment: 'A package that is used is named in package.json.',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    // Sees type-only imports too: they bind the rooms together as well. It cannot read `using` declarations yet.
    parser: 'swc',
    doNotFollow: { path: ['node_modules', '^dist/'] },
    moduleSystems: ['es6', 'cjs'],
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      mainFields: ['module', 'main', 'types', 'typings'],
    },
  },
};
