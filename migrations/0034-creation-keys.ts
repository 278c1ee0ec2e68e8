import { Migration } from '@mikro-orm/migrations';

/** By what the repeat of a mutation that makes something is known. */
export class Migration0034CreationKeys extends Migration {
  override readonly name = '0034-creation-keys';

  override up(): void {
    this.addSql(CREATION_KEYS);
  }

  override down(): void {
    this.addSql('drop table if exists creation_keys;');
  }
}

/** `key_hash` is of the user, the kind of thing and the key; `subject_id` the public id of what was made. */
const CREATION_KEYS = `
  create table creation_keys (
    key_hash bytea primary key,
    input_hash bytea not null,
    subject_id text not null,
    expires_at timestamptz not null
  );
  create index creation_keys_expiry on creation_keys (expires_at);
`;
