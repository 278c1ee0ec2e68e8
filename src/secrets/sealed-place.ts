/**
 * Where sealed texts stand in the database. Each feature names its own; together they are what a change of the
 * encryption keys has to reach.
 */
export interface SealedPlace {
  /** The table, as it stands in what is sealed (`SealedFor.table`). */
  readonly table: string;
  /** The column; a JSON column can have several sealed texts. */
  readonly column: string;
  /** Gives `id` (text), `row`, `version` and `sealed` (bytea) of each sealed text with an id after $1, $2 at most. */
  readonly read: string;
  /** Puts $1 in the place of $3 in the record with the id $2, if $3 still stands there. */
  readonly write: string;
}

/** A table with one sealed text a row in a column of its own. The other arguments are SQL expressions. */
export function sealedColumn(place: {
  readonly table: string;
  /** A text that no two rows share. */
  readonly id: string;
  /** What the text is sealed for: `SealedFor.row` and `.version`. */
  readonly row: string;
  readonly version: string;
  readonly column: string;
}): SealedPlace {
  const { table, id, row, version, column } = place;
  return {
    table,
    column,
    read: `select ${id} as id, ${row} as row, ${version} as version, ${column} as sealed from ${table}
      where ${column} is not null and ${id} > $1 order by 1 limit $2`,
    write: `update ${table} set ${column} = $1 where ${id} = $2 and ${column} = $3`,
  };
}

/** Secrets of webhooks. */
export const SEALED_WEBHOOK_SECRETS = sealedColumn({
  table: 'webhook_secrets',
  id: 'id::text',
  row: 'id::text',
  version: 'version',
  column: 'sealed',
});

/** The root of derived keys. */
export const SEALED_ROOT = sealedColumn({
  table: 'encryption_root',
  id: `'root'`,
  row: `'root'`,
  version: '1',
  column: 'sealed',
});
