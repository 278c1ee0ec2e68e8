import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import type { ProviderRequest } from '../../../src/webhooks/verify/provider/provider.js';
import { findProvider, PROVIDERS } from '../../../src/webhooks/verify/provider/providers.js';
import { verifyProvider } from '../../../src/webhooks/verify/provider/verify-provider.js';
import type { ValidSecret, Verification } from '../../../src/webhooks/verify/verify-credential.js';
import { KEYED_SENDERS } from '../../support/senders/keyed.js';
import { PLAIN_SENDERS } from '../../support/senders/plain.js';
import type { Sender, SenderRequest } from '../../support/senders/sender.js';
import { TIMED_SENDERS } from '../../support/senders/timed.js';

const SENDERS = [...PLAIN_SENDERS, ...TIMED_SENDERS, ...KEYED_SENDERS];
const PUBLIC_URL = 'https://hooks.example';
const URL_OF_WEBHOOK = `${PUBLIC_URL}/api/v1/webhooks/wh_1`;

/** In whole seconds, so that a time at the edge stays there. */
const NOW_MS = Math.floor(Date.now() / 1_000) * 1_000;

const active = (secret: string): ValidSecret => ({ id: 'active', secret, expiresAtMs: undefined });
const retiring = (secret: string, expiresAtMs: number): ValidSecret => ({ id: 'retiring', secret, expiresAtMs });

const asReceived = ({ headers, body, url }: SenderRequest): ProviderRequest => ({
  method: 'POST',
  publicUrl: PUBLIC_URL,
  target: url.slice(PUBLIC_URL.length),
  rawHeaders: Object.entries(headers).flat(),
  body: Buffer.from(body),
});

const verify = (sender: Sender, request: SenderRequest, secrets: readonly ValidSecret[]): Verification =>
  verifyProvider(findProvider(sender.provider)!, secrets, asReceived(request), NOW_MS);

it('has a sender for every row of the table', () => {
  expect(SENDERS.map(({ provider }) => provider).toSorted()).toEqual(PROVIDERS.map(({ id }) => id));
  expect(PROVIDERS).toHaveLength(22); // the contract's 21 rows, and Standard Webhooks apart from Svix
});

describe.each(SENDERS.map((sender) => [sender.provider, sender] as const))('%s', (_, sender) => {
  const [secret, other] = sender.secrets;
  const secrets = [active(secret)];
  const signed = (key = secret, atMs = NOW_MS): SenderRequest | Promise<SenderRequest> =>
    sender.sign(key, sender.body, { url: URL_OF_WEBHOOK, atMs });
  const { accepts, withAnother, toleranceMs, header } = sender;

  it('is accepted with the right secret', async () => {
    expect(verify(sender, await signed(), secrets)).toEqual({ verified: true, secretId: 'active' });
  });

  if (accepts !== undefined) {
    it('has fixtures that its own library accepts, and refuses with another secret', async () => {
      const request = await signed(secret, Date.now()); // Paddle's takes five seconds
      expect(await accepts(secret, request)).toBe(true);
      expect(await accepts(other, request)).toBe(false);
    });
  }

  it('is refused with another secret', async () => {
    expect(verify(sender, await signed(other), secrets)).toMatchObject({
      verified: false,
      reason: expect.stringMatching(/another secret|secret is wrong/),
    });
  });

  it('is refused without any secret', async () => {
    expect(verify(sender, await signed(), [])).toMatchObject({ verified: false });
  });

  it('is accepted with a retiring secret until that ends', async () => {
    const request = await signed(other);
    const before = verify(sender, request, [...secrets, retiring(other, NOW_MS + 1)]);
    expect(before).toEqual({ verified: true, secretId: 'retiring' });
    const after = verify(sender, request, [...secrets, retiring(other, NOW_MS)]);
    expect(after).toEqual({ verified: false, reason: 'the secret has expired after a rotation' });
  });

  if (sender.sendsSecret === undefined) {
    it('is refused when a byte of the body is another', async () => {
      const request = await signed();
      const altered = { ...request, body: request.body.replace('"', ' "') };
      expect(verify(sender, altered, secrets)).toMatchObject({ verified: false });
    });
  }

  if (toleranceMs !== undefined) {
    it('is accepted as long as its time is near', async () => {
      for (const atMs of [NOW_MS - toleranceMs, NOW_MS + toleranceMs]) {
        expect(verify(sender, await signed(secret, atMs), secrets)).toMatchObject({ verified: true });
      }
    });

    it('is refused with an old or a future time, which the reason tells apart', async () => {
      const s = toleranceMs / 1_000 + 1;
      const old = verify(sender, await signed(secret, NOW_MS - toleranceMs - 1_000), secrets);
      expect(old).toMatchObject({ verified: false, reason: expect.stringContaining(`${s} s old`) });
      const future = verify(sender, await signed(secret, NOW_MS + toleranceMs + 1_000), secrets);
      expect(future).toMatchObject({ verified: false, reason: expect.stringContaining(`${s} s in the future`) });
    });
  }

  if (withAnother !== undefined) {
    it('is accepted when one of several signatures is right, wherever it stands', async () => {
      expect(verify(sender, withAnother(await signed(), await signed(other)), secrets)).toMatchObject({
        verified: true,
      });
      expect(verify(sender, withAnother(await signed(other), await signed()), secrets)).toMatchObject({
        verified: true,
      });
      const wrong = withAnother(await signed(other), await signed(other));
      expect(verify(sender, wrong, secrets)).toMatchObject({ verified: false });
    });
  }

  if (header !== undefined) {
    it('is refused with its header missing, twice or malformed, and never throws', async () => {
      const request = asReceived(await signed());
      const provider = findProvider(sender.provider)!;
      const at = request.rawHeaders.indexOf(header);
      const outcome = (rawHeaders: readonly string[]): Verification =>
        verifyProvider(provider, secrets, { ...request, rawHeaders }, NOW_MS);
      expect(outcome(request.rawHeaders.toSpliced(at, 2))).toMatchObject({ verified: false });
      expect(outcome([...request.rawHeaders, ...request.rawHeaders.slice(at, at + 2)])).toMatchObject({
        verified: false,
        reason: expect.stringContaining('2 times'),
      });
      for (const value of ['', '=', 'ü', ',,,;;;', 'v1,', 't=,v1=', 'v0=zz', 'sha256=', '00', 'a'.repeat(5_000)]) {
        expect(outcome(request.rawHeaders.with(at + 1, value))).toMatchObject({ verified: false });
      }
    });
  }
});

it('is all in the documentation', () => {
  const page = readFileSync(new URL('../../../docs/senders.md', import.meta.url), 'utf8');
  for (const { id, name, setup } of PROVIDERS) {
    expect(page).toContain(`| ${name} | \`${id}\` |`);
    expect(page).toContain(setup);
  }
});
