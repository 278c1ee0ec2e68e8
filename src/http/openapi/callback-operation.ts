import type { OperationForm } from './form.js';
import { EXAMPLE } from './form.js';

const { webhookId, callId, executionId, workerId, timestamp, later } = EXAMPLE;

/** The POST to a webhook's callback URL: the one request that Workhook makes and others answer. */
export const callbackOperation: OperationForm = {
  operationId: 'callEnded',
  summary: 'A call has ended',
  description:
    "Sent to a webhook's callback URL, signed by Standard Webhooks. Any 2xx ends it, 410 ends it for good; anything else is tried eight times within 28 hours, with the same bytes and `webhook-id`.",
  tags: ['Callbacks'],
  security: [],
  parameters: [
    {
      name: 'webhook-id',
      in: 'header',
      description: 'The same for every attempt.',
      required: true,
      schema: { type: 'string', pattern: '^callback-' },
      example: 'callback-06f0k2v7w8x9y0z1a2b3c4d5e8',
    },
    {
      name: 'webhook-timestamp',
      in: 'header',
      description: 'When this attempt was sent, Unix seconds.',
      required: true,
      schema: { type: 'string', pattern: '^[0-9]+$' },
      example: '1795600800',
    },
    {
      name: 'webhook-signature',
      in: 'header',
      description: '`v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64.',
      required: true,
      schema: { type: 'string', pattern: '^v1,' },
      example: 'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
    },
  ],
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: { $ref: '#/components/schemas/EndedCall' },
        examples: {
          succeeded: {
            value: {
              success: true,
              webhookId,
              timestamp: later,
              executionMode: 'async',
              results: [{ workerId, executionId, success: true, result: { priority: 'high' } }],
              callId,
              status: 'completed',
              outcome: 'SUCCEEDED',
              receivedAt: timestamp,
              finishedAt: later,
              durationMs: 1_250,
              isTest: false,
            },
          },
        },
      },
    },
  },
  responses: {
    '204': { description: 'Received. Any other 2xx says the same.' },
    '410': { description: 'Never again for this call.' },
    default: { description: 'Not received: it is tried again by the schedule.' },
  },
};
