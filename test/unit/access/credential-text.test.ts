import { describe, expect, it } from '@jest/globals';
import {
  hashCredential,
  hintOf,
  newApiTokenText,
  newBearerText,
  readApiTokenText,
} from '../../../src/access/credential-text.js';
import { newUuidV7 } from '../../../src/lib/ids.js';

describe('the text of an API token', () => {
  it('carries its id, 32 random bytes and a check', () => {
    const id = newUuidV7();
    const text = newApiTokenText(id);
    expect(text).toMatch(/^wha_[0-9a-z]{26}_[A-Za-z0-9_-]{48}$/);
    expect(readApiTokenText(text)).toBe(id);
    expect(newApiTokenText(id)).not.toBe(text);
    expect(hashCredential(text)).toHaveLength(32);
    expect(hintOf(text)).toBe(`…${text.slice(-4)}`);
  });

  it('is refused with any one character changed, missing or added', () => {
    const text = newApiTokenText(newUuidV7());
    for (let i = 0; i < text.length; i += 1) {
      const other = text[i] === '7' ? '8' : '7';
      expect(readApiTokenText(text.slice(0, i) + other + text.slice(i + 1))).toBeUndefined();
      expect(readApiTokenText(text.slice(0, i) + text.slice(i + 1))).toBeUndefined();
    }
    expect(readApiTokenText(`${text}A`)).toBeUndefined();
    expect(readApiTokenText(` ${text}`)).toBeUndefined();
    expect(readApiTokenText('')).toBeUndefined();
  });
});

describe('the text of a login token or session', () => {
  it('goes into a URL and a cookie as it is', () => {
    expect(newBearerText()).toMatch(/^[\w-]{43}$/);
    expect(newBearerText()).not.toBe(newBearerText());
  });
});
