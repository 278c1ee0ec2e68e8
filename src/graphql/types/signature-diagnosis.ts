import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import type { SignatureDiagnosis } from '../../webhooks/diagnose/diagnose-signature.js';
import type { SecretStatus as SecretStatusName } from '../../webhooks/diagnose/diagnosis.js';
import { DateTime, Json } from '../scalars.js';
import { SecretStatus } from './enums.js';

@InputType('DiagnoseSignatureInput', { description: 'A request to a webhook, as it came.' })
export class DiagnoseSignatureInput {
  @Field(() => ID, { description: "The webhook's id." })
  webhookId!: string;

  @Field(() => Json, {
    description: 'Its headers: an object of texts, or of lists of texts for a header that came several times.',
  })
  headers!: unknown;

  @Field(() => String, { nullable: true, description: 'Its body, exactly; empty without it.' })
  body?: string | null;

  @Field(() => String, { nullable: true, description: 'Instead of `body`, the bytes in base64.' })
  bodyBase64?: string | null;

  @Field(() => DateTime, { nullable: true, description: 'When it came; now without it.' })
  at?: Date | null;

  @Field(() => String, {
    nullable: true,
    description: 'What the sender called, with its query: some senders sign it. Without it the URL of the webhook.',
  })
  url?: string | null;

  @Field(() => String, { defaultValue: 'POST', description: 'Its method: one sender signs it.' })
  method!: string;
}

@ObjectType('CheckedSecret', { description: 'A version of the secret that a request was compared with.' })
class CheckedSecretObject {
  @Field(() => Int, { description: 'Counts the secrets of the webhook, from 1.' })
  readonly version!: number;

  @Field(() => String, { description: 'The last characters.' })
  readonly hint!: string;

  @Field(() => SecretStatus, { description: 'Whether it could be presented at the time of the request.' })
  readonly status!: SecretStatusName;
}

@ObjectType('SignatureDiagnosis', { description: 'Why a request is authentic or not. No secret is in it.' })
export class SignatureDiagnosisObject {
  @Field(() => Boolean, { description: 'Whether the webhook takes it as authentic.' })
  readonly valid: boolean;

  @Field(() => String, { description: 'Why, for a program: upper snake case, such as `BODY_RESERIALIZED`.' })
  readonly code: string;

  @Field(() => String, { description: 'Why, for a person: one sentence.' })
  readonly message: string;

  @Field(() => [String], { description: 'What to do about it, and what else is odd.' })
  readonly hints: readonly string[];

  @Field(() => [CheckedSecretObject], { description: 'The versions of its secret, the newest first.' })
  readonly checkedSecrets: readonly CheckedSecretObject[];

  constructor(diagnosis: SignatureDiagnosis) {
    this.valid = diagnosis.code === 'VALID';
    this.code = diagnosis.code;
    this.message = diagnosis.message;
    this.hints = diagnosis.hints;
    this.checkedSecrets = diagnosis.checkedSecrets;
  }
}
