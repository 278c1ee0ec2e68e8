import { EXAMPLE, type OperationForm, type ResponseForm, type ResponseForms } from './form.js';
import { always, ETAG, headersOf } from './headers.js';
import { DEFAULT_RESPONSE, problemResponses, TRANSPORT_PROBLEMS } from './problems.js';
import { NO_SECURITY } from './security.js';
import { REQUEST_ID } from './webhook-operations.js';

function service(
  operationId: string,
  summary: string,
  description: string,
  responses: ResponseForms,
  parameters: OperationForm['parameters'] = [],
): OperationForm {
  return {
    operationId,
    summary,
    description,
    tags: ['Service'],
    security: NO_SECURITY,
    parameters: [...parameters, REQUEST_ID],
    responses: {
      ...responses,
      ...problemResponses(TRANSPORT_PROBLEMS, 'koa'),
      default: DEFAULT_RESPONSE,
    },
  };
}

function json(description: string, schema: string, value: unknown): ResponseForm {
  return {
    description,
    headers: headersOf({}, true),
    content: {
      'application/json': { schema: { $ref: `#/components/schemas/${schema}` }, examples: { answer: { value } } },
    },
  };
}

export const healthOperation = service('readHealth', 'Does the process live?', 'It asks nothing else.', {
  '200': json('It does.', 'Alive', { status: 'alive' }),
});

export const readinessOperation = service(
  'readReadiness',
  'Should the process get traffic?',
  'It can reach its database, migrations have run, it hears events, and it is not stopping.',
  {
    '200': json('It should.', 'Readiness', { status: 'ready', reasons: [] }),
    '503': json('It should not, and why.', 'Readiness', { status: 'not ready', reasons: ['The process is stopping.'] }),
  },
);

export const metricsOperation = service('readMetrics', 'Metrics', 'For Prometheus.', {
  '200': {
    description: 'In the text format.',
    headers: headersOf({}, true),
    content: {
      'text/plain; version=0.0.4; charset=utf-8': {
        schema: { type: 'string' },
        examples: { some: { value: 'workhook_http_requests_total{route="/healthz",status="200"} 1\n' } },
      },
    },
  },
});

export const openapiOperation = service(
  'readDescription',
  'This description',
  'The numbers in it are those of this installation.',
  {
    '200': {
      description: 'OpenAPI 3.1.',
      headers: headersOf({ ETag: always(ETAG) }, true),
      content: {
        'application/json': {
          schema: {
            type: 'object',
            required: ['openapi'],
            properties: { openapi: { const: '3.1.1' } },
            additionalProperties: true,
          },
          examples: { begun: { value: { openapi: '3.1.1' } } },
        },
      },
    },
    '304': {
      description: 'Nothing has changed since what `If-None-Match` says.',
      headers: headersOf({ ETag: always(ETAG) }, true),
    },
  },
  [
    {
      name: 'If-None-Match',
      in: 'header',
      description: 'The `ETag` of what the caller has.',
      schema: { type: 'string' },
      example: EXAMPLE.tag,
    },
  ],
);
