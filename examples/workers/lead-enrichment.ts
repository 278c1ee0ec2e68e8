import { defineWorker } from 'workhook/worker';
import { z } from 'zod';

/** Domains where anybody gets a mailbox: the address says nothing about a company. */
const FREE_MAIL = new Set([
  'aol.com',
  'fastmail.com',
  'gmail.com',
  'gmx.de',
  'gmx.net',
  'googlemail.com',
  'hotmail.com',
  'icloud.com',
  'live.com',
  'mail.ru',
  'outlook.com',
  'proton.me',
  'protonmail.com',
  'qq.com',
  'web.de',
  'yahoo.com',
  'yandex.ru',
  'zoho.com',
]);

const DECIDES = /\b(ceo|cto|cio|cfo|coo|founder|owner|president|vp|head|director)\b/i;
const INFLUENCES = /\b(manager|lead|architect|principal)\b/i;

const Lead = z.object({
  lead: z.object({
    email: z.email(),
    name: z.string().max(200).optional(),
    jobTitle: z.string().max(200).optional(),
    companyName: z.string().max(200).optional(),
    employees: z.int().nonnegative().optional(),
    country: z
      .string()
      .regex(/^[A-Z]{2}$/, 'must be an ISO 3166 code such as "DE"')
      .optional(),
    source: z.enum(['demo-request', 'pricing-page', 'webinar', 'newsletter', 'import']).default('import'),
  }),
  /** Two-letter codes of the countries that sales serves; empty means all. */
  servedCountries: z.array(z.string()).default([]),
});

type LeadFields = z.output<typeof Lead>['lead'];

interface Reason {
  readonly points: number;
  readonly reason: string;
}

/** Scores a lead from 0 to 100 by plain rules, and says which rule gave how much. */
export default defineWorker({
  id: 'lead-enrichment',
  name: 'Lead enrichment',
  description:
    'CRM: finds the company domain, tells free mail from business mail, scores and segments the lead by rules.',
  input: Lead,
  timeoutMs: 5_000,
  run: ({ inputParams: { lead, servedCountries } }) => {
    const domain = lead.email.slice(lead.email.lastIndexOf('@') + 1).toLowerCase();
    const isFreeMail = FREE_MAIL.has(domain);
    const served = servedCountries.length === 0 || lead.country === undefined || servedCountries.includes(lead.country);
    const reasons = scoreOf(lead, isFreeMail);
    const score = served
      ? Math.min(
          100,
          reasons.reduce((sum, { points }) => sum + points, 0),
        )
      : 0;
    return {
      email: lead.email.toLowerCase(),
      domain,
      isFreeMail,
      companyName: lead.companyName ?? (isFreeMail ? null : nameFromDomain(domain)),
      companySize: sizeOf(lead.employees),
      score,
      segment: segmentOf(score, served),
      reasons: served ? reasons : [{ points: 0, reason: `country ${lead.country} is not served` }],
    };
  },
});

function scoreOf(lead: LeadFields, isFreeMail: boolean): Reason[] {
  const reasons: Reason[] = [];
  if (!isFreeMail) reasons.push({ points: 25, reason: 'business e-mail address' });
  const title = lead.jobTitle ?? '';
  if (DECIDES.test(title)) reasons.push({ points: 30, reason: 'decides on purchases' });
  else if (INFLUENCES.test(title)) reasons.push({ points: 15, reason: 'influences purchases' });
  const employees = lead.employees ?? 0;
  if (employees >= 1_000) reasons.push({ points: 25, reason: '1,000 employees or more' });
  else if (employees >= 50) reasons.push({ points: 15, reason: '50 employees or more' });
  if (lead.source === 'demo-request') reasons.push({ points: 20, reason: 'asked for a demo' });
  else if (lead.source === 'pricing-page') reasons.push({ points: 10, reason: 'came from the pricing page' });
  return reasons;
}

function segmentOf(score: number, served: boolean): 'sales' | 'nurture' | 'newsletter' | 'not-served' {
  if (!served) return 'not-served';
  if (score >= 70) return 'sales';
  return score >= 35 ? 'nurture' : 'newsletter';
}

function sizeOf(employees: number | undefined): 'unknown' | 'small' | 'medium' | 'large' {
  if (employees === undefined) return 'unknown';
  if (employees >= 1_000) return 'large';
  return employees >= 50 ? 'medium' : 'small';
}

/** `eu.acme-tools.co.uk` → `Acme Tools`: the label before the public suffix, by the common two-part suffixes only. */
function nameFromDomain(domain: string): string {
  const labels = domain.split('.');
  const suffixLabels = /\.(co|com|org|net|ac|gov)\.[a-z]{2}$/.test(domain) ? 2 : 1;
  const label = labels[labels.length - suffixLabels - 1] ?? domain;
  return label
    .split('-')
    .filter((word) => word !== '')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join(' ');
}
