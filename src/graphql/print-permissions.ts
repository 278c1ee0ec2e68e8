import { USER_ROLES } from '../access/access.entities.js';
import { isAtLeast, isPermission, PERMISSIONS } from '../access/permissions.js';
import { rootFieldRules } from './authorization.js';
import { buildGraphqlSchema } from './schema.js';

const HEAD = `# Operations and roles

Which role may use which operation of the admin API, generated with the schema (\`npm run schema\`). A token can be
narrowed to some permissions of its user's role; [who may do what](access.md) says how. A test tries every line as
every role and as nobody, over HTTP, WebSocket and server-sent events.
`;

/** The table of operations and roles as a page, in alphabetical order. */
export function printPermissions(): string {
  buildGraphqlSchema(); // the rules are known once it is
  const rows = rootFieldRules()
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, permissions = [] }) => {
      const needed = permissions.filter(isPermission);
      const marks = USER_ROLES.map((role) => (needed.every((it) => isAtLeast(role, PERMISSIONS[it])) ? 'yes' : '–'));
      const asked = needed.length === 0 ? 'to be signed in' : needed.map((it) => `\`${it}\``).join(', ');
      return `| \`${name}\` | ${asked} | ${marks.join(' | ')} |`;
    });
  return [
    HEAD,
    `| operation | needs | ${USER_ROLES.join(' | ')} |`,
    `|---|---|${'---|'.repeat(USER_ROLES.length)}`,
    ...rows,
    '',
  ].join('\n');
}
