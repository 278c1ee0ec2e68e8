import { PATHS } from '../paths.js';
import { callbackOperation } from './callback-operation.js';
import type { DocumentFacts, HeaderForms, OperationForm, Schema } from './form.js';
import { SHARED_HEADERS } from './headers.js';
import { PROBLEM_RESPONSE } from './problems.js';
import {
  callResultOperation,
  executionOperation,
  plainLogsOperation,
  plainResultOperation,
} from './result-operations.js';
import { SCHEMAS } from './schemas.js';
import { SECURITY_SCHEMES } from './security.js';
import { healthOperation, metricsOperation, openapiOperation, readinessOperation } from './service-operations.js';
import { callOperation, handshakeOperation } from './webhook-operations.js';

export interface OpenApiDocument {
  readonly openapi: '3.1.1';
  readonly info: object;
  readonly servers: readonly object[];
  readonly tags: readonly object[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationForm>>>>;
  /** Requests that this program makes. */
  readonly webhooks: Readonly<Record<string, Readonly<Record<string, OperationForm>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly responses: object;
    readonly headers: HeaderForms;
    readonly securitySchemes: object;
  };
}

/** Describes the REST API, from the tables that the code works by. The admin API describes itself (GraphQL). */
export function openApiDocument(facts: DocumentFacts): OpenApiDocument {
  return {
    openapi: '3.1.1',
    info: {
      title: 'Workhook',
      version: facts.version,
      summary: 'Webhooks that run AI Workers and AI Workflows.',
      description:
        'Outside systems call webhooks and read results here. Every error is a problem (RFC 9457) with a `code` for programs. Methods other than those here are 405 with `Allow`.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    servers: [{ url: '/', description: 'This gateway.' }],
    tags: [
      { name: 'Callbacks', description: 'What Workhook POSTs to the callback URLs of webhooks.' },
      { name: 'Calls', description: 'What outside systems POST.' },
      { name: 'Results', description: 'What became of it.' },
      { name: 'Service', description: 'For those who run it.' },
    ],
    paths: {
      [`${PATHS.webhooks}{webhookId}`]: { post: callOperation(facts), get: handshakeOperation() },
      [`${PATHS.executions}{executionId}`]: { get: executionOperation(facts) },
      [`${PATHS.calls}{callId}`]: { get: callResultOperation(facts) },
      [PATHS.executionResult]: { get: plainResultOperation() },
      [PATHS.executionLogs]: { get: plainLogsOperation() },
      '/healthz': { get: healthOperation },
      '/readyz': { get: readinessOperation },
      '/metrics': { get: metricsOperation },
      [PATHS.openapi]: { get: openapiOperation },
    },
    webhooks: { callEnded: { post: callbackOperation } },
    components: {
      schemas: SCHEMAS,
      responses: { Problem: PROBLEM_RESPONSE },
      headers: SHARED_HEADERS,
      securitySchemes: SECURITY_SCHEMES,
    },
  };
}
