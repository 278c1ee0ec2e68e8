import { describe, expect, it } from '@jest/globals';
import { StructuredOutput } from '../../../../src/workers/agent/structured-output.js';

const output = new StructuredOutput({
  type: 'object',
  properties: { queue: { enum: ['billing', 'other'] } },
  required: ['queue'],
});

describe('StructuredOutput', () => {
  it.each([
    ['JSON', '{"queue":"billing"}'],
    ['JSON in a block of Markdown', '```json\n{"queue":"billing"}\n```'],
    ['JSON in a block without a language', ' ```\n{"queue":"billing"}```\n'],
  ])('reads %s', (_, text) => {
    expect(output.read(text)).toEqual({ ok: true, object: { queue: 'billing' } });
  });

  it.each([
    ['no JSON', 'billing', 'it is not JSON'],
    ['JSON with words around it', 'Here: {"queue":"billing"}', 'it is not JSON'],
    [
      'what does not fit',
      '{"queue":"sales"}',
      '/queue: must be equal to one of the allowed values: ["billing","other"]',
    ],
    ['what lacks something', '{}', "/: must have required property 'queue'"],
  ])('says what is wrong with %s', (_, text, faults) => {
    expect(output.read(text)).toEqual({ ok: false, faults });
  });
});
