import type { Sql } from '../../db/database.js';
import { formatId } from '../../lib/ids.js';
import type { Keyring } from '../../secrets/seal.js';
import { sealedFor } from '../../secrets/secret-versions.js';
import { AUTHENTICATION_COLUMNS, type AuthenticationRow, toAuthentication } from '../verify/stored-authentication.js';
import type { DiagnosedWebhook, SecretStatus } from './diagnosis.js';

/** At most three are valid; the others have ended. */
const VERSIONS_MAX = 8;

/** Other webhooks of the same owner, those that changed last. */
const OTHERS_MAX = 25;

interface SealedRow {
  readonly id: string;
  readonly version: number;
  readonly sealed: string;
}

interface VersionRow extends SealedRow {
  readonly hint: string;
  readonly expires_ms: number | null;
  readonly revoked_ms: number | null;
}

interface Row extends AuthenticationRow {
  readonly versions: readonly VersionRow[];
  readonly others: readonly (SealedRow & { readonly webhook_id: string })[];
}

const ms = (column: string): string => `floor(extract(epoch from ${column}) * 1000)`;

const READ = `
  select ${AUTHENTICATION_COLUMNS},
    array(select json_build_object('id', s.id, 'version', s.version, 'sealed', encode(s.sealed, 'base64'),
        'hint', s.hint, 'expires_ms', ${ms('s.expires_at')}, 'revoked_ms', ${ms('s.revoked_at')})
      from webhook_secrets s where s.webhook_id = w.id order by s.version desc limit ${VERSIONS_MAX}) as versions,
    array(select json_build_object('id', s.id, 'version', s.version, 'sealed', encode(s.sealed, 'base64'),
        'webhook_id', o.id)
      from webhooks o cross join lateral (
        select * from webhook_secrets s
        where s.webhook_id = o.id and s.revoked_at is null and s.expires_at is null order by s.version desc limit 1) s
      where o.owner_id = w.owner_id and o.id <> w.id and o.deleted_at is null
      order by o.updated_at desc limit ${OTHERS_MAX}) as others
  from webhooks w where w.id = $1 and w.deleted_at is null`;

/**
 * Reads what a diagnosis compares with, ended secrets and those of other webhooks of the owner too. Secrets are in
 * plain text in it: it is not kept, and never leaves the process.
 *
 * @param id a UUID.
 * @param atMs the moment for which each secret's status is, Unix milliseconds.
 */
export async function readDiagnosedWebhook(
  { sql, keyring }: { readonly sql: Sql; readonly keyring: Keyring },
  id: string,
  atMs: number,
): Promise<DiagnosedWebhook | undefined> {
  const { rows } = await sql.query<Row>({ name: 'read-diagnosed-webhook', text: READ, values: [id] });
  const [row] = rows;
  if (row === undefined) return undefined;
  const open = (sealed: SealedRow): string =>
    keyring.open(Buffer.from(sealed.sealed, 'base64'), sealedFor(sealed)).toString('utf8');
  return {
    authentication: toAuthentication(row),
    secrets: row.versions.map((version) => ({
      version: version.version,
      hint: version.hint,
      secret: open(version),
      status: statusOf(version, atMs),
      endsAtMs: version.revoked_ms ?? version.expires_ms ?? undefined,
    })),
    others: row.others.map((other) => ({
      webhookId: formatId('webhook', other.webhook_id),
      secret: open(other),
    })),
  };
}

function statusOf({ expires_ms, revoked_ms }: VersionRow, atMs: number): SecretStatus {
  if (revoked_ms !== null && revoked_ms <= atMs) return 'REVOKED';
  if (expires_ms === null) return 'ACTIVE';
  return expires_ms <= atMs ? 'EXPIRED' : 'RETIRING';
}
