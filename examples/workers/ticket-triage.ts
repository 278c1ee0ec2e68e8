import { defineWorker } from 'workhook/worker';
import { z } from 'zod';

const PRIORITIES = ['low', 'normal', 'high', 'urgent'] as const;
type Priority = (typeof PRIORITIES)[number];

/** Hours until a first answer is due. Round the clock: holidays and office hours are the help desk's own. */
const ANSWER_HOURS: Readonly<Record<Priority, number>> = { urgent: 1, high: 4, normal: 24, low: 72 };

interface Rule {
  readonly name: string;
  readonly words: RegExp;
  readonly queue?: 'security' | 'billing' | 'technical' | 'accounts';
  readonly atLeast?: Priority;
  readonly atMost?: Priority;
}

/** The first rule with a queue wins the queue; every rule that fits may move the priority. */
const RULES: readonly Rule[] = [
  {
    name: 'security',
    words: /\b(breach|hacked|phishing|vulnerability|leak(?:ed)?|stolen)\b/i,
    queue: 'security',
    atLeast: 'urgent',
  },
  {
    name: 'outage',
    words: /\b(outage|(?:is|are) down|not reachable|production)\b/i,
    queue: 'technical',
    atLeast: 'urgent',
  },
  {
    name: 'billing',
    words: /\b(invoice|refund|charged?|payment|billing|vat)\b/i,
    queue: 'billing',
    atLeast: 'normal',
  },
  {
    name: 'sign-in',
    words: /\b(log ?in|sign ?in|password|locked out|2fa|mfa)\b/i,
    queue: 'accounts',
    atLeast: 'high',
  },
  {
    name: 'fault',
    words: /\b(error|bug|crash(?:es|ed)?|broken|fails?|exception)\b/i,
    queue: 'technical',
    atLeast: 'normal',
  },
  { name: 'wish', words: /\b(feature request|would be nice|suggestion|idea)\b/i, atMost: 'low' },
];

const Ticket = z.object({
  ticket: z.object({
    id: z.string().min(1).max(100),
    subject: z.string().max(1_000),
    body: z.string().max(100_000).default(''),
    createdAt: z.iso.datetime({ offset: true }),
    customerTier: z.enum(['free', 'standard', 'premium']).default('standard'),
  }),
});

/** Puts a support ticket into a queue with a priority and the time by which it must be answered, by keyword rules. */
export default defineWorker({
  id: 'ticket-triage',
  name: 'Ticket triage',
  description: 'Support: keyword rules choose the queue and the priority; the tier and the priority give the SLA time.',
  input: Ticket,
  timeoutMs: 5_000,
  run: ({ inputParams: { ticket } }) => {
    const text = `${ticket.subject}\n${ticket.body}`;
    const matched = RULES.filter((rule) => rule.words.test(text));
    const priority = priorityOf(matched, ticket.customerTier);
    const answerMs = ANSWER_HOURS[priority] * 3_600_000;
    return {
      ticketId: ticket.id,
      queue: matched.find((rule) => rule.queue !== undefined)?.queue ?? 'general',
      priority,
      answerDueAt: new Date(Date.parse(ticket.createdAt) + answerMs).toISOString(),
      matchedRules: matched.map((rule) => rule.name),
    };
  },
});

/** Starts at normal, one step up for premium and down for free; then rules raise, and a wish alone lowers. */
function priorityOf(matched: readonly Rule[], tier: 'free' | 'standard' | 'premium'): Priority {
  let level = tier === 'premium' ? 2 : tier === 'free' ? 0 : 1;
  for (const { atLeast } of matched) if (atLeast !== undefined) level = Math.max(level, PRIORITIES.indexOf(atLeast));
  const raised = matched.some((rule) => rule.atLeast !== undefined);
  for (const { atMost } of matched)
    if (atMost !== undefined && !raised) level = Math.min(level, PRIORITIES.indexOf(atMost));
  return PRIORITIES[level] ?? 'normal';
}
