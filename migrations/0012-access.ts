import { Migration } from '@mikro-orm/migrations';

/** Users that are managed: versions of their rows, and who they are at an identity provider (OpenID Connect). */
export class Migration0012Access extends Migration {
  override readonly name = '0012-access';

  override up(): void {
    this.addSql(`
      alter table users
        add column version integer not null default 1,
        add column oidc_issuer text,
        add column oidc_subject text,
        add constraint users_oidc check ((oidc_issuer is null) = (oidc_subject is null)),
        add constraint users_oidc_once unique (oidc_issuer, oidc_subject);
      -- Addresses are compared without case, as people write them.
      alter table users drop constraint users_email_key;
      create unique index users_email on users (lower(email));
      create index sessions_user on sessions (user_id);
      create index audit_events_subject on audit_events (subject_id, seq);
    `);
  }

  override down(): void {
    this.addSql(`
      drop index if exists users_email, sessions_user, audit_events_subject;
      alter table users add constraint users_email_key unique (email);
      alter table users
        drop constraint users_oidc_once, drop constraint users_oidc,
        drop column oidc_subject, drop column oidc_issuer, drop column version;
    `);
  }
}
