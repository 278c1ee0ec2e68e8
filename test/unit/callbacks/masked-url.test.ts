import { describe, expect, it } from '@jest/globals';
import { maskedUrl } from '../../../src/callbacks/masked-url.js';

describe('maskedUrl', () => {
  it.each([
    ['https://a.example/told', 'https://a.example/told'],
    ['https://a.example/told?', 'https://a.example/told?'],
    ['https://a.example:8443/told?token=s3cret&x=1', 'https://a.example:8443/told?token=***&x=***'],
    ['https://a.example/?s3cret', 'https://a.example/?***'],
    ['https://a.example/?=s3cret', 'https://a.example/?***'],
    ['https://a.example/?a=s3=cret', 'https://a.example/?a=***'],
    ['https://a.example/?a%20b=s3cret&&', 'https://a.example/?a%20b=***&***&***'],
    ['https://user:s3cret@a.example/?a=1#s3cret', 'https://a.example/?a=***'],
  ])('shows %s as %s', (url, shown) => {
    expect(maskedUrl(url)).toBe(shown);
  });
});
