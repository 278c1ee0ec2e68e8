import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AnswerText } from '../../../../src/workers/agent/answer-text.js';

function text(bytesMax = 1_000): { readonly answer: AnswerText; readonly emitted: string[] } {
  const emitted: string[] = [];
  return { answer: new AnswerText((delta) => void emitted.push(delta), bytesMax), emitted };
}

describe('AnswerText', () => {
  it('has an empty line between the texts of two steps, and none around a step without text', () => {
    const { answer, emitted } = text();
    answer.add('Let me');
    answer.add(' look.');
    expect(answer.finishStep()).toBe('Let me look.');
    expect(answer.finishStep()).toBe('');
    answer.add('Done.');
    expect(answer.stepText).toBe('Done.');
    answer.finishStep();
    expect(answer.content).toBe('Let me look.\n\nDone.');
    expect(emitted.join('')).toBe(answer.content);
  });

  it('goes on behind steps of an earlier attempt without streaming them again', () => {
    const { answer, emitted } = text();
    expect(answer.recall('Let me look.')).toBe('Let me look.');
    answer.add('Done.');
    expect(answer.content).toBe('Let me look.\n\nDone.');
    expect(emitted).toEqual(['\n\nDone.']);
  });

  it('writes a step again from its beginning', () => {
    const { answer, emitted } = text();
    answer.recall('One.');
    answer.add('Tw');
    answer.restartStep();
    answer.add('Two.');
    expect(answer.content).toBe('One.\n\nTwo.');
    expect(emitted).toEqual(['\n\nTw', '\n\nTwo.']);
  });

  it('takes as much as fits into its bytes of JSON, and then nothing', () => {
    const { answer, emitted } = text(10);
    expect(answer.add('"""')).toBe(true); // 6 bytes
    expect(answer.add('abcdef')).toBe(false);
    expect(answer.add('g')).toBe(false);
    expect(answer.content).toBe('"""abcd');
    expect(answer.full).toBe(true);
    expect(emitted.join('')).toBe(answer.content);
    answer.restartStep();
    expect(answer.full).toBe(false);
  });

  it('is never larger than allowed and never ends with half a character', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.nat(60), (deltas, bytesMax) => {
        const { answer, emitted } = text(bytesMax);
        for (const delta of deltas) answer.add(delta);
        expect(Buffer.byteLength(JSON.stringify(answer.content)) - 2).toBeLessThanOrEqual(bytesMax);
        expect(answer.content.isWellFormed()).toBe(true);
        expect(deltas.join('').startsWith(answer.content)).toBe(true);
        expect(answer.full).toBe(answer.content !== deltas.join(''));
        expect(emitted.join('')).toBe(answer.content);
      }),
    );
  });
});
