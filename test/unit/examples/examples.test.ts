import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import anomalyCheck from '../../../examples/workers/anomaly-check.js';
import echo from '../../../examples/workers/echo.js';
import leadEnrichment from '../../../examples/workers/lead-enrichment.js';
import orderHandling from '../../../examples/workers/order-handling.js';
import scheduledReport from '../../../examples/workers/scheduled-report.js';
import ticketTriage from '../../../examples/workers/ticket-triage.js';
import { faultsAtIngress, runExample } from './run-example.js';

describe('README of the examples', () => {
  const workers = [anomalyCheck, echo, leadEnrichment, orderHandling, scheduledReport, ticketTriage];

  it.each(workers.map((worker) => [worker.id, worker] as const))(
    'has a body for %s that it takes',
    async (id, worker) => {
      const readme = await readFile(new URL('../../../examples/workers/README.md', import.meta.url), 'utf8');
      const section = readme.split('\n## ').find((part) => part.startsWith(`\`${id}\``));
      const body = JSON.parse(/```json\n([^]*?)```/.exec(section ?? '')?.[1] ?? 'null') as unknown;
      expect(body).not.toBeNull();
      expect(faultsAtIngress(worker, body)).toEqual([]);
      await expect(runExample(worker, body)).resolves.toBeDefined();
    },
  );
});

describe('echo', () => {
  it.each([[{ a: [1, null, 'x'] }], [[]], ['text']])('returns %j', async (body) => {
    expect(faultsAtIngress(echo, body)).toEqual([]);
    expect(await runExample(echo, body)).toEqual(body);
  });
});

describe('lead enrichment', () => {
  it('scores a business lead and names the company after its domain', async () => {
    const lead = {
      email: 'Ada.L@eu.acme-tools.co.uk',
      jobTitle: 'VP Engineering',
      employees: 1_200,
      source: 'demo-request',
    };
    expect(await runExample(leadEnrichment, { lead })).toMatchObject({
      email: 'ada.l@eu.acme-tools.co.uk',
      domain: 'eu.acme-tools.co.uk',
      isFreeMail: false,
      companyName: 'Acme Tools',
      companySize: 'large',
      score: 100,
      segment: 'sales',
    });
  });

  it('does not name a company after a free mailbox', async () => {
    expect(await runExample(leadEnrichment, { lead: { email: 'x@GMAIL.com' } })).toMatchObject({
      isFreeMail: true,
      companyName: null,
      companySize: 'unknown',
      score: 0,
      segment: 'newsletter',
    });
  });

  it('changes the segment exactly at 35 and 70', async () => {
    const scored = async (more: object): Promise<unknown> =>
      runExample(leadEnrichment, { lead: { email: 'a@b.io', ...more } });
    expect(await scored({ source: 'pricing-page' })).toMatchObject({ score: 35, segment: 'nurture' });
    expect(await scored({ jobTitle: 'CEO', employees: 50 })).toMatchObject({ score: 70, segment: 'sales' });
    expect(await scored({})).toMatchObject({ score: 25, segment: 'newsletter' });
  });

  it('leaves out countries that are not served', async () => {
    const body = { lead: { email: 'a@b.io', jobTitle: 'CEO', country: 'FR' }, servedCountries: ['DE'] };
    expect(await runExample(leadEnrichment, body)).toMatchObject({ score: 0, segment: 'not-served' });
  });

  it('refuses what is no lead', () => {
    expect(faultsAtIngress(leadEnrichment, {})).toEqual(['']);
    expect(faultsAtIngress(leadEnrichment, { lead: { email: 'nobody', country: 'de' } })).toEqual(
      expect.arrayContaining(['/lead/email', '/lead/country']),
    );
  });
});

describe('order handling', () => {
  const order = (items: object[], more: object = {}): object => ({
    id: 'o-1',
    currency: 'EUR',
    items,
    ...more,
  });

  it('adds up in whole minor units', async () => {
    const body = {
      order: order(
        [
          { sku: 'a', quantity: 3, unitPriceMinor: 333 },
          { sku: 'b', quantity: 1, unitPriceMinor: 1 },
        ],
        { discountPercent: 10 },
      ),
      taxPercent: 19,
      shippingMinor: 490,
      stock: { a: 3, b: 1 },
    };
    expect(await runExample(orderHandling, body)).toMatchObject({
      subtotalMinor: 1_000,
      discountMinor: 100,
      taxMinor: 264, // 19 % of 1390 is 264.1
      totalMinor: 1_654,
      shortages: [],
      decision: 'fulfil',
    });
  });

  it('lets lines of one SKU share its stock, and takes an inherited name for no stock', async () => {
    const items = [
      { sku: 'a', quantity: 2, unitPriceMinor: 1 },
      { sku: 'a', quantity: 2, unitPriceMinor: 1 },
      { sku: 'constructor', quantity: 1, unitPriceMinor: 1 },
    ];
    expect(await runExample(orderHandling, { order: order(items), taxPercent: 0, stock: { a: 3 } })).toMatchObject({
      shortages: [
        { sku: 'a', ordered: 4, inStock: 3, missing: 1 },
        { sku: 'constructor', ordered: 1, inStock: 0, missing: 1 },
      ],
      decision: 'back-order',
    });
  });

  it('asks a person above the limit, not at it', async () => {
    const body = {
      order: order([{ sku: 'a', quantity: 1, unitPriceMinor: 500 }]),
      taxPercent: 0,
      stock: { a: 1 },
    };
    expect(await runExample(orderHandling, { ...body, reviewAboveMinor: 500 })).toMatchObject({
      decision: 'fulfil',
    });
    expect(await runExample(orderHandling, { ...body, reviewAboveMinor: 499 })).toMatchObject({
      decision: 'review',
    });
  });

  it('gives up for good on sums that are not exact any more', async () => {
    const items = Array.from({ length: 500 }, () => ({
      sku: 'a',
      quantity: 10_000,
      unitPriceMinor: 100_000_000,
    }));
    await expect(runExample(orderHandling, { order: order(items), taxPercent: 0, stock: {} })).rejects.toMatchObject({
      code: 'WORKER_FAILED',
      retryable: false,
    });
  });

  it('refuses no items, half a piece and a negative price', () => {
    const faults = (items: object[]): readonly string[] =>
      faultsAtIngress(orderHandling, { order: order(items), taxPercent: 0, stock: {} });
    expect(faults([])).toEqual(['/order/items']);
    expect(faults([{ sku: 'a', quantity: 0.5, unitPriceMinor: 1 }])).toContain('/order/items/0/quantity');
    expect(faults([{ sku: 'a', quantity: 1, unitPriceMinor: -1 }])).toEqual(['/order/items/0/unitPriceMinor']);
  });
});

describe('ticket triage', () => {
  const triage = (subject: string, more: object = {}): Promise<unknown> =>
    runExample(ticketTriage, {
      ticket: { id: 't-1', subject, createdAt: '2026-03-29T00:30:00+01:00', ...more },
    });

  it.each([
    ['Our account was hacked', 'security', 'urgent', '2026-03-29T00:30:00.000Z'],
    ['The shop is down', 'technical', 'urgent', '2026-03-29T00:30:00.000Z'],
    ['Cannot log in', 'accounts', 'high', '2026-03-29T03:30:00.000Z'],
    ['Wrong VAT on my invoice', 'billing', 'normal', '2026-03-29T23:30:00.000Z'],
    ['Feature request: dark mode', 'general', 'low', '2026-03-31T23:30:00.000Z'],
    ['Hello', 'general', 'normal', '2026-03-29T23:30:00.000Z'],
  ])('puts "%s" into %s, %s', async (subject, queue, priority, answerDueAt) => {
    expect(await triage(subject)).toMatchObject({ queue, priority, answerDueAt });
  });

  it('looks at whole words, and at the body too', async () => {
    expect(await triage('Shutdown of a terrorbug')).toMatchObject({ matchedRules: [] });
    expect(await triage('Hello', { body: 'we see an ERROR' })).toMatchObject({ queue: 'technical' });
  });

  it('lets the first queue win and the highest priority', async () => {
    expect(await triage('Invoice page is down')).toMatchObject({
      queue: 'technical',
      priority: 'urgent',
      matchedRules: ['outage', 'billing'],
    });
  });

  it('weighs the tier, but never lowers what a rule raised', async () => {
    expect(await triage('Hello', { customerTier: 'premium' })).toMatchObject({ priority: 'high' });
    expect(await triage('Hello', { customerTier: 'free' })).toMatchObject({ priority: 'low' });
    expect(await triage('Cannot log in', { customerTier: 'free' })).toMatchObject({ priority: 'high' });
    expect(await triage('Idea: fix this error')).toMatchObject({ priority: 'normal' });
  });

  it('refuses a time without a zone and an unknown tier', () => {
    const ticket = { id: 't-1', subject: '', createdAt: '2026-01-01T00:00:00', customerTier: 'gold' };
    expect(faultsAtIngress(ticketTriage, { ticket })).toEqual(
      expect.arrayContaining(['/ticket/createdAt', '/ticket/customerTier']),
    );
  });
});

describe('scheduled report', () => {
  const rows = [
    { region: 'north', amount: 10 },
    { region: 'south', amount: 30.5 },
    { region: 'north', amount: 5 },
    { region: null, amount: 1 },
    { region: 'south', amount: 'n/a' },
    { region: 'south' },
  ];

  it('groups, adds up, and says what it left out', async () => {
    expect(
      await runExample(scheduledReport, {
        title: 'Sales',
        rows,
        groupBy: 'region',
        measure: 'amount',
        top: 2,
      }),
    ).toEqual({
      title: 'Sales',
      rows: 6,
      skippedRows: 2,
      total: 46.5,
      average: 11.625,
      groupCount: 3,
      top: [
        { name: 'south', rows: 1, total: 30.5, average: 30.5 },
        { name: 'north', rows: 2, total: 15, average: 7.5 },
      ],
      text: 'Sales\n\nregion  rows  total  average\nsouth      1  30.50    30.50\nnorth      2  15.00     7.50',
    });
  });

  it('has nothing to say about no rows', async () => {
    expect(await runExample(scheduledReport, { title: 'Empty', rows: [], groupBy: 'a', measure: 'b' })).toMatchObject({
      total: 0,
      average: null,
      top: [],
    });
  });

  it('gives up for good when the column is nowhere', async () => {
    await expect(
      runExample(scheduledReport, { title: 'T', rows, groupBy: 'region', measure: 'toString' }),
    ).rejects.toMatchObject({
      retryable: false,
      message: 'No row has the column "toString".',
    });
  });

  it('refuses rows that are not flat', () => {
    const body = { title: 'T', rows: [{ a: { b: 1 } }], groupBy: 'a', measure: 'a' };
    expect(faultsAtIngress(scheduledReport, body)).toContain('/rows/0/a');
  });
});

describe('anomaly check', () => {
  const check = (values: number[], more: object = {}): Promise<unknown> =>
    runExample(anomalyCheck, {
      deviceId: 'd-1',
      readings: values.map((value, i) => ({ at: new Date(i * 60_000).toISOString(), value })),
      ...more,
    });

  it('finds the one among ten that all ten together would hide', async () => {
    const result = await check([20, 20.1, 19.9, 20, 20.2, 19.8, 20.1, 19.9, 20, 45]);
    expect(result).toMatchObject({
      status: 'anomalous',
      usedZScore: true,
      anomalies: [{ at: '1970-01-01T00:09:00.000Z', value: 45, causes: ['z-score'] }],
    });
  });

  it('is quiet about ordinary and about perfectly steady readings', async () => {
    expect(await check([1, 2, 3, 4, 5, 6, 7, 8])).toMatchObject({
      status: 'normal',
      mean: 4.5,
      anomalies: [],
    });
    expect(await check(Array.from({ length: 50 }, () => 0.1))).toMatchObject({ status: 'normal' });
  });

  it('finds what leaves a perfectly steady line, as a number that JSON has', async () => {
    const result = (await check([5, 5, 5, 5, 5, 5, 5, 5, 4])) as {
      anomalies: { value: number; zScore: number }[];
    };
    expect(result.anomalies.map((anomaly) => anomaly.value)).toEqual([4]);
    expect(result.anomalies[0]?.zScore).toBeLessThan(-1_000);
  });

  it('goes by the limits alone when there are few readings, and not at the limit itself', async () => {
    expect(await check([1, 100, 50, -1], { limits: { min: 0, max: 50 } })).toMatchObject({
      usedZScore: false,
      anomalies: [
        { value: 100, zScore: null, causes: ['above-max'] },
        { value: -1, zScore: null, causes: ['below-min'] },
      ],
    });
  });

  it('refuses no readings and readings that are no numbers', () => {
    expect(faultsAtIngress(anomalyCheck, { deviceId: 'd', readings: [] })).toEqual(['/readings']);
    const readings = [{ at: 'yesterday', value: '1' }];
    expect(faultsAtIngress(anomalyCheck, { deviceId: 'd', readings })).toEqual(
      expect.arrayContaining(['/readings/0/at', '/readings/0/value']),
    );
  });
});
