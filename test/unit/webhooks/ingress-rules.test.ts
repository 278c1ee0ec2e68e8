import { describe, expect, it } from '@jest/globals';
import { addressList } from '../../../src/webhooks/rules/address-list.js';
import { certificateFaults, fitsCertificateRules } from '../../../src/webhooks/rules/certificate-rules.js';
import { subjectAttributes } from '../../../src/webhooks/rules/client-certificate.js';
import { compileFilter } from '../../../src/webhooks/rules/filter.js';
import { changedRules, differingRules } from '../../../src/webhooks/rules/ingress-rules.js';
import { rulesFaults } from '../../../src/webhooks/rules/rules-faults.js';

const codes = (input: Parameters<typeof rulesFaults>[0]): string[] =>
  rulesFaults(input, 1_000).map(({ field, code }) => `${field.join('.')} ${code}`);

describe('a list of addresses', () => {
  it.each([
    ['192.0.2.0/24', '192.0.2.200', true],
    ['192.0.2.0/24', '192.0.3.1', false],
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.8', false],
    ['192.0.2.0/24', '::ffff:192.0.2.9', true],
    ['192.0.2.0/24', '::ffff:c000:209', true],
    ['::ffff:192.0.2.0/120', '192.0.2.9', true],
    ['::ffff:192.0.2.0/120', '192.0.3.9', false],
    ['2001:db8::/32', '2001:db8:1::5', true],
    ['2001:db8::/32', '2001:db9::5', false],
    ['0.0.0.0/0', '198.51.100.1', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '2001:db8::1', true],
    ['192.0.2.0/24', '', false],
    ['192.0.2.0/24', 'unix:', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['fe80::/10', 'fe80::1%br-0', false],
  ])('%s has %s: %s', (entry, address, expected) => {
    expect(addressList([entry])(address)).toBe(expected);
  });

  it.each([
    '10.1',
    '0x7f.0.0.1',
    '192.0.2.0/33',
    '2001:db8::/129',
    '192.0.2.0/',
    '192.0.2.0/24/8',
    'a.example',
    '',
    '192.0.2.0/-1',
    'fe80::1%eth0',
    ' 192.0.2.1',
  ])('is not made of "%s"', (entry) => {
    expect(codes({ allowedCidrs: ['192.0.2.1', entry] })).toEqual(['allowedCidrs.1 INVALID_CIDR']);
    expect(addressList([entry])('192.0.2.1')).toBe(false);
  });
});

describe('rules for client certificates', () => {
  const certificate = {
    fingerprint: 'ab'.repeat(32),
    subject: subjectAttributes('O=Acme\\, Inc.,OU=Billing,CN=client-17'),
    names: ['DNS:eu.partner.example', 'URI:spiffe://acme/ns/billing', 'EMAIL:ops@acme.example'],
  };
  const fits = (...rules: Parameters<typeof fitsCertificateRules>[1]): boolean =>
    fitsCertificateRules(certificate, rules);

  it.each([
    [{ fingerprint: 'AB:'.repeat(31) + 'AB' }, true],
    [{ fingerprint: 'ac'.repeat(32) }, false],
    [{ subject: 'CN=client-17' }, true],
    [{ subject: 'cn=client-17' }, true],
    [{ subject: 'CN=client-*' }, true],
    [{ subject: 'CN=client-17*' }, false],
    [{ subject: 'CN=client-1' }, false],
    [{ subject: 'CN=client-*,O=Acme\\, Inc.' }, true],
    [{ subject: 'CN=client-*,O=Other' }, false],
    [{ subject: 'O=Acme' }, false],
    [{ subject: '*' }, true],
    [{ name: 'DNS:*.partner.example' }, true],
    [{ name: 'DNS:*.example' }, false],
    [{ name: 'URI:spiffe://acme/ns/*' }, true],
    [{ name: 'URI:spiffe://acme/*' }, false],
    [{ name: 'DNS:ops@acme.example' }, false],
    [{ name: 'EMAIL:*@acme.example' }, true],
    [{ fingerprint: 'ab'.repeat(32), subject: 'CN=other' }, false],
    [{}, false],
  ])('%j: %s', (rule, expected) => {
    expect(fits(rule)).toBe(expected);
  });

  it('need one rule that fits', () => {
    expect(fits({ subject: 'CN=other' }, { subject: 'CN=client-17' })).toBe(true);
    expect(fits()).toBe(false);
  });

  it('know a subject by its attributes, in every form that escapes what is in them', () => {
    expect(subjectAttributes('C=DE\nO=Acme\\, Inc.\nCN=a\\+b')).toEqual(['C=DE', 'O=Acme, Inc.', 'CN=a+b']);
    expect(subjectAttributes('CN="a, CN=b",O=M\\C3\\BCller')).toEqual(['CN=a, CN=b', 'O=Müller']);
    expect(
      fitsCertificateRules({ ...certificate, subject: subjectAttributes('/O=x/CN=client-17') }, [
        { subject: 'CN=client-17' },
      ]),
    ).toBe(false);
  });

  it('take no long time for a pattern made to', () => {
    const subject = [`CN=${'a'.repeat(2_000)}`];
    expect(fitsCertificateRules({ ...certificate, subject }, [{ subject: `CN=${'*a'.repeat(200)}b` }])).toBe(false);
  });

  it('name every fault', () => {
    const faults = certificateFaults(
      ['c'],
      [{}, { fingerprint: 'ab' }, { subject: 'client' }, { name: 'a.example' }, { subject: 'CN=' }],
    );
    expect(faults.map(({ field, code }) => `${field.join('.')} ${code}`)).toEqual([
      'c.0 REQUIRED',
      'c.1.fingerprint INVALID_FINGERPRINT',
      'c.2.subject INVALID_SUBJECT',
      'c.3.name INVALID_NAME',
      'c.4.subject INVALID_SUBJECT',
    ]);
  });
});

describe('a filter', () => {
  const passes = (text: string, input: unknown, rawHeaders: string[] = [], header?: string): boolean =>
    compileFilter(text).passes({ input, rawHeaders, credentials: { header, secrets: [] } }, (reason) => {
      throw new Error(reason);
    });

  it.each([
    ['input.action == "opened"', true],
    ['{{ input.action == "opened" }}', true],
    ['input.action == "closed"', false],
    ['input.n > 4 and headers["x-kind"] == "push"', true],
    ['headers.x-kind contains "us"', true],
    ['not input.missing', true],
    ['input.tags contains "new" or input.n == -1.5', true],
    ['input.tags[0] == "new"', true],
    ['input.none == nil', true],
    ["input.action == 'a and b'", false],
    ['input.tags.size > 0', true],
  ])('%s: %s', (text, expected) => {
    expect(codes({ filter: text })).toEqual([]);
    const input = { action: 'opened', n: 5, tags: ['new'], none: null };
    expect(passes(text, input, ['X-Kind', 'push'])).toBe(expected);
  });

  it.each([
    'input.action = "opened"',
    'input.action === "opened"',
    'input.action == "opened" && input.n',
    'input.action == "opened" more',
    'input.action == "opened',
    'input.action in "x"',
    'input.n <> 5',
    'input.n >',
    'input.n > 1 and',
    'body.action == "opened"',
    'input.action == opened',
    '(input.a or input.b) and input.c',
    'input.a == input.b == input.c',
    'input.a == not input.b',
    '| size',
    '{% if input.a %}',
    'x'.repeat(2_001),
    'input.a == "\u0000"',
  ])('is refused when it is saved: %s', (filter) => {
    expect(codes({ filter })).toEqual([expect.stringMatching(/^filter (INVALID_FILTER|TOO_LONG|INVALID_CHARACTERS)$/)]);
  });

  it('sees no credential', () => {
    const headers = ['X-Webhook-Secret', 's', 'Authorization', 'Bearer x', 'X-Own', 'mine', 'X-Kind', 'push'];
    for (const name of ['x-webhook-secret', 'authorization', 'x-own']) {
      expect(passes(`headers["${name}"]`, {}, headers, 'x-own')).toBe(false);
    }
    expect(passes('headers["x-kind"]', {}, headers, 'x-own')).toBe(true);
  });

  it('lets pass what it fails on, and says why once', () => {
    const filter = compileFilter('input.a | join: input.b | size');
    const reasons: string[] = [];
    const call = {
      input: { a: Array.from({ length: 20_000 }, () => 'x'), b: 'y'.repeat(5_000) },
      rawHeaders: [],
      credentials: { header: undefined, secrets: [] },
    };
    expect(filter.passes(call, (reason) => reasons.push(reason))).toBe(true);
    expect(filter.passes(call, (reason) => reasons.push(reason))).toBe(true);
    expect(reasons).toEqual([expect.stringContaining('limit')]);
    expect(filter.passes({ ...call, input: { a: [] } }, () => undefined)).toBe(true);
  });

  it('that an earlier version took and this one does not lets calls pass', () => {
    const reasons: string[] = [];
    const call = { input: {}, rawHeaders: [], credentials: { header: undefined, secrets: [] } };
    expect(compileFilter('input.a ==').passes(call, (reason) => reasons.push(reason))).toBe(true);
    expect(reasons).toHaveLength(1);
  });
});

describe('changing rules', () => {
  it('keeps what is left out and takes away what is null, empty or false', () => {
    const rules = changedRules(
      {},
      { allowedCidrs: ['192.0.2.1'], filter: ' input.a ', bodyBytesMax: 5, acceptAnyJson: true },
    );
    expect(rules).toEqual({ allowedCidrs: ['192.0.2.1'], filter: 'input.a', bodyBytesMax: 5, acceptAnyJson: true });
    expect(changedRules(rules, {})).toEqual(rules);
    expect(changedRules(rules, { allowedCidrs: [], filter: '', bodyBytesMax: null, acceptAnyJson: false })).toEqual({});
  });

  it('tells what differs, in whatever form a certificate was given', () => {
    const before = changedRules({}, { clientCertificates: [{ fingerprint: 'ab'.repeat(32) }], filter: 'input.a' });
    const same = changedRules(before, { clientCertificates: [{ fingerprint: 'AB'.repeat(32), subject: null }] });
    expect(differingRules(before, same)).toEqual([]);
    expect(differingRules(before, changedRules(before, { filter: null }))).toEqual(['filter']);
  });

  it('is refused for sizes beyond the ceiling', () => {
    expect(codes({ bodyBytesMax: 1_000 })).toEqual([]);
    expect(codes({ bodyBytesMax: 1_001 })).toEqual(['bodyBytesMax OUT_OF_RANGE']);
    expect(codes({ bodyBytesMax: 0 })).toEqual(['bodyBytesMax OUT_OF_RANGE']);
  });
});
