import { blocksOf, readPage } from './page.js';

/** One run of a GraphQL document of a page, as it stands there. */
export interface PageOperation {
  /** The operation's name. */
  readonly name: string;
  readonly document: string;
  readonly variables: Readonly<Record<string, unknown>>;
  /** What its answer has to be; of a subscription, events that come at once, in this order. */
  readonly answers: readonly unknown[];
  /** Of a subscription, events that come of what stands further down. */
  readonly later: readonly unknown[];
}

/**
 * The operations of a page in `docs`. A `graphql` block is a document; `json variables` below it are its variables,
 * `json answer` what it is answered, `json later` an event that comes later. Other variables run the document again.
 */
export async function operationsOf(page: string): Promise<readonly PageOperation[]> {
  const operations: (PageOperation & { answers: unknown[]; later: unknown[] })[] = [];
  let document = '';
  for (const { kind, text } of blocksOf(await readPage(`docs/${page}`))) {
    if (kind !== 'graphql' && !kind.startsWith('json ')) continue;
    if (kind === 'graphql') document = text;
    if (kind === 'graphql' || kind === 'json variables') {
      const last = operations.at(-1);
      const fresh = kind === 'graphql' || last!.answers.length + last!.later.length > 0;
      const variables = kind === 'graphql' ? {} : (JSON.parse(text) as PageOperation['variables']);
      const name = /^(?:query|mutation|subscription) (\w+)/.exec(document)?.[1];
      if (name === undefined) throw new Error(`an operation without a name: ${document}`);
      if (!fresh) operations.pop();
      operations.push({ name, document, variables, answers: [], later: [] });
      continue;
    }
    operations.at(-1)![kind === 'json later' ? 'later' : 'answers'].push(JSON.parse(text));
  }
  return operations;
}

/** Puts in what earlier answers had: `$createWebhook.webhook.id` stands for what is there. */
export function fillIn(value: unknown, answers: Readonly<Record<string, unknown>>): unknown {
  if (typeof value === 'string' && value.startsWith('$')) {
    let found: unknown = answers;
    for (const key of value.slice(1).split('.')) found = (found as Record<string, unknown> | null | undefined)?.[key];
    if (found === undefined || found === null) throw new Error(`no answer had ${value}`);
    return found;
  }
  if (Array.isArray(value)) return value.map((item) => fillIn(item, answers));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillIn(item, answers)]));
}

/**
 * Where an answer is not what the page says. There `…` stands for any text, alone for any value but null, and as the
 * last item of a list for whatever else it has.
 */
export function differences(actual: unknown, expected: unknown, path = ''): readonly string[] {
  if (expected === '…') return actual === null || actual === undefined ? [`${path} is ${String(actual)}`] : [];
  if (typeof expected === 'string' && expected.includes('…')) {
    const pattern = expected.split('…').map((text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
    const fits = typeof actual === 'string' && new RegExp(`^${pattern.join('[^]+')}$`).test(actual);
    return fits ? [] : [`${path} is ${JSON.stringify(actual)} and not ${expected}`];
  }
  if (Array.isArray(expected)) {
    const open = expected.at(-1) === '…';
    const items = open ? expected.slice(0, -1) : expected;
    if (!Array.isArray(actual) || actual.length < items.length || (!open && actual.length > items.length)) {
      return [`${path} is ${JSON.stringify(actual)}, where ${items.length} items are expected`];
    }
    return items.flatMap((item, i) => differences(actual[i], item, `${path}[${i}]`));
  }
  if (typeof expected === 'object' && expected !== null) {
    if (typeof actual !== 'object' || actual === null) return [`${path} is ${JSON.stringify(actual)}`];
    const keys = new Set([...Object.keys(expected), ...Object.keys(actual)]);
    return [...keys].flatMap((key) =>
      differences(
        (actual as Record<string, unknown>)[key],
        (expected as Record<string, unknown>)[key],
        `${path}.${key}`,
      ),
    );
  }
  return Object.is(actual, expected)
    ? []
    : [`${path} is ${JSON.stringify(actual)} and not ${JSON.stringify(expected)}`];
}
