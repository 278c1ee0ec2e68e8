import { Arg, Authorized, Ctx, Query, Resolver } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { AppError } from '../../errors.js';
import type { GraphqlContext } from '../context.js';
import { readId } from '../public-id.js';
import { DiagnoseSignatureInput, SignatureDiagnosisObject } from '../types/signature-diagnosis.js';

/** More than a request can have within the server's limits. */
const HEADERS_MAX = 500;

@Resolver()
export class DiagnoseSignatureQuery {
  @Authorized<Permission>('webhooks:write')
  @Query(() => SignatureDiagnosisObject, {
    description:
      'Says why a request is not authentic for a webhook, in one sentence and a code. 30 a minute and user: it tells whether a secret is right.',
  })
  async diagnoseSignature(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => DiagnoseSignatureInput, { description: 'The request.' }) input: DiagnoseSignatureInput,
  ): Promise<SignatureDiagnosisObject> {
    const diagnosis = await services.signatures.diagnose(principal, {
      webhookId: readId('webhook', input.webhookId),
      method: input.method,
      url: input.url ?? undefined,
      rawHeaders: readHeaders(input.headers),
      body: readBody(input),
      at: input.at ?? undefined,
    });
    return new SignatureDiagnosisObject(diagnosis);
  }
}

/** @returns names and values in turn. */
function readHeaders(given: unknown): string[] {
  const fault = new AppError('BAD_USER_INPUT', 'headers must be an object of texts, or of lists of texts.');
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw fault;
  const headers = Object.entries(given as Record<string, unknown>).flatMap(([name, value]) => {
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    return values.flatMap((text) => {
      if (typeof text !== 'string') throw fault;
      return [name, text];
    });
  });
  if (headers.length > 2 * HEADERS_MAX) throw new AppError('BAD_USER_INPUT', `There are over ${HEADERS_MAX} headers.`);
  return headers;
}

function readBody({ body, bodyBase64 }: DiagnoseSignatureInput): Buffer {
  if (typeof bodyBase64 !== 'string') return Buffer.from(body ?? '');
  if (typeof body === 'string') throw new AppError('BAD_USER_INPUT', 'Give body or bodyBase64, not both.');
  if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(bodyBase64))
    throw new AppError('BAD_USER_INPUT', 'bodyBase64 is not base64.');
  return Buffer.from(bodyBase64, 'base64');
}
