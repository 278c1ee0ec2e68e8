import { describe, expect, it } from '@jest/globals';
import { cleaned } from '../../../src/models/sdk/clean-provider-text.js';

describe("a provider's words", () => {
  it('stay as they are when nothing is in them that must not be', () => {
    expect(cleaned('The model does not exist.', 'k', { messages: [] })).toBe('The model does not exist.');
  });

  it.each([
    ['the key itself', 'my-local-key'],
    ['a key of OpenAI', 'sk-proj-abcdEFGH1234'],
    ['a masked key', 'sk-ab****wxyz'],
    ['a key of Google', 'AIzaSyA1234567890'],
    ['a header', 'Bearer abc.def.ghi'],
  ])('lose %s', (_, credential) => {
    const text = cleaned(`Refused: ${credential}, sorry`, 'my-local-key', {});
    expect(text).toContain('Refused: [key]');
    expect(text).not.toContain(credential.slice(-6));
  });

  it('lose what was sent, wherever it stood in the request', () => {
    const sent = {
      messages: [{ role: 'user', content: [{ type: 'text', text: 'my secret\n  diagnosis is none of yours' }] }],
    };
    const text = cleaned('Bad input "my secret diagnosis is none of yours" at 0', undefined, sent);
    expect(text).toBe('Bad input "…" at 0');
  });

  it('keep short words that happen to be the same', () => {
    expect(cleaned('The city is unknown', undefined, { text: 'which city is it?' })).toBe('The city is unknown');
  });

  it('lose a key that begins in what is shown and ends behind it', () => {
    const key = 'plain0words1without2a3prefix';
    const text = cleaned(`${'x '.repeat(140)}${key}`, key, {});
    expect(text).not.toContain('plain');
  });

  it('are short', () => {
    expect(cleaned('x '.repeat(1_000), undefined, {}).length).toBeLessThanOrEqual(300);
  });
});
