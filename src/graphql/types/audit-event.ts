import { ArgsType, Field, ID, ObjectType } from 'type-graphql';
import type { AuditEventView } from '../../access/list-audit.js';
import { formatId } from '../../lib/ids.js';
import { connectionType } from '../connections.js';
import { ListedArgs } from '../keyset-connection.js';
import { DateTime, Json, WholeNumber } from '../scalars.js';

@ObjectType('AuditEvent', {
  description:
    'A change, or the sight of a secret, as the audit log keeps it. It never has a secret or a payload in it.',
})
export class AuditEventObject {
  /** For the field `user`. */
  readonly userId: string | null;

  @Field(() => WholeNumber, { description: 'Its place in the log: counts from 1 without a gap.' })
  readonly seq: number;

  @Field(() => DateTime, { description: 'When it happened.' })
  readonly at: Date;

  @Field(() => String, { description: 'What was done, such as `webhook.created`.' })
  readonly action: string;

  @Field(() => ID, { nullable: true, description: 'What it was done to.' })
  readonly subjectId: string | null;

  @Field(() => String, {
    description: 'What proved who it was: `api-token:token-…`, `session` or, for the process itself, `system:…`.',
  })
  readonly credential: string;

  @Field(() => Json, { description: 'More about it: names, versions, what changed.' })
  readonly details: unknown;

  @Field(() => String, {
    description:
      'The hexadecimal SHA-256 of this event and the one before it. Keep the newest one elsewhere to notice a log that was cut.',
  })
  readonly hash: string;

  constructor(view: AuditEventView) {
    this.userId = view.userId;
    this.seq = view.seq;
    this.at = view.at;
    this.action = view.action;
    this.subjectId = view.subjectId;
    this.credential = credentialText(view.credential);
    this.details = view.details;
    this.hash = view.hash;
  }
}

/** Ids show in their public form; a session's names nothing that anybody could look up. */
function credentialText(stored: string): string {
  const [type, id = ''] = stored.split(':', 2);
  if (type === 'api-token') return `api-token:${formatId('apiToken', id)}`;
  return type === 'session' ? 'session' : stored;
}

export const AuditEventConnection = connectionType('AuditEvent', () => AuditEventObject);

@ArgsType()
export class AuditEventsArgs extends ListedArgs {
  @Field(() => String, {
    nullable: true,
    description: 'Only this action (`webhook.created`), or all of a noun (`webhook`).',
  })
  action?: string | null;

  @Field(() => ID, { nullable: true, description: 'Only what was done to this.' })
  subjectId?: string | null;

  @Field(() => ID, { nullable: true, description: 'Only what this user did.' })
  userId?: string | null;

  @Field(() => DateTime, { nullable: true, description: 'Only from this time on.' })
  from?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Only before this time.' })
  to?: Date | null;
}
