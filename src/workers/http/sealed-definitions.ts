import type { SealedPlace } from '../../secrets/sealed-place.js';

/** The sealed parts of an HTTP worker's definition, by the name that they are sealed for. */
const PARTS = `(values ('headers', 'headersSealed'), ('signing-secret', 'signingSecretSealed')) as p(part, field)`;

const ID = `v.worker_id || '/' || v.version || '/' || p.part`;

const SEALED = `decode(v.definition ->> p.field, 'base64')`;

/** Sealed texts in the definitions of HTTP workers, of all versions, for a change of the encryption keys. */
export const SEALED_HTTP_DEFINITIONS: SealedPlace = {
  table: 'worker_versions',
  column: 'definition',
  read: `select ${ID} as id, v.worker_id || '/' || p.part as row, v.version, ${SEALED} as sealed
    from worker_versions v cross join ${PARTS}
    where v.definition ->> p.field is not null and ${ID} > $1 order by 1 limit $2`,
  // PostgreSQL breaks base64 into lines.
  write: `update worker_versions v
    set definition = jsonb_set(v.definition, array[p.field], to_jsonb(translate(encode($1::bytea, 'base64'), E'\\n', '')))
    from ${PARTS} where ${ID} = $2 and ${SEALED} = $3::bytea`,
};
