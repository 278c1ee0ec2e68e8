import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { compileWorkflow, type CompiledWorkflow } from '../../../src/workers/workflow/compile-workflow.js';

const WHOLE = {
  version: 1,
  input: { type: 'object', required: ['order'] },
  steps: [
    {
      id: 'draft',
      worker: 'worker-refund-agent',
      with: { order: '{{ input.order }}' },
      retry: { max: 3, backoff: 'exponential' },
      timeout: '60s',
    },
    { id: 'approve', approval: { expires: '24h' }, if: '{{ steps.draft.result.object.amount > 100 }}' },
    {
      id: 'stock',
      foreach: '{{ input.order.items }}',
      concurrency: 3,
      do: [{ id: 'look', http: { connection: 'conn-erp', path: '/s/{{ item.sku }}?n={{ index }}' } }],
    },
    { id: 'both', parallel: [[{ id: 'left', set: { a: 1 } }], [{ id: 'right', wait: 'PT1S' }]] },
    { id: 'pause', wait: '10m' },
    {
      id: 'route',
      switch: [
        { if: '{{ steps.left.result.a == 1 }}', do: [{ id: 'yes', set: { to: 'x' } }] },
        { do: [{ id: 'no', set: {} }] },
      ],
    },
    { id: 'note', set: { total: '{{ steps.stock.result | size }}', by: '{{ steps.yes.result.to }}' } },
  ],
  output: { sent: '{{ steps.note.result.total }}' },
};

const compiled = (definition: unknown): CompiledWorkflow => {
  const outcome = compileWorkflow(definition);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.userErrors));
  return outcome.value;
};

/** `place CODE` of each fault. */
const faults = (definition: unknown): string[] => {
  const outcome = compileWorkflow(definition);
  return outcome.ok ? [] : outcome.userErrors.map(({ field, code }) => `${field.join('.')} ${code}`);
};

const withSteps = (...steps: readonly unknown[]): unknown => ({ version: 1, steps });
const set = (id: string, value: unknown = 1): object => ({ id, set: { value } });

describe('compileWorkflow', () => {
  it('gives the steps, their durations in milliseconds, and what they use', () => {
    const { workflow, inputSchema, workers, connections } = compiled(WHOLE);
    expect(workflow.steps.map(({ id, kind }) => `${id}: ${kind}`)).toEqual([
      'draft: worker',
      'approve: approval',
      'stock: foreach',
      'both: parallel',
      'pause: wait',
      'route: switch',
      'note: set',
    ]);
    expect(workflow.steps[0]).toMatchObject({
      timeoutMs: 60_000,
      retry: { max: 3, backoff: 'exponential', delayMs: 1_000 },
      onError: 'fail',
    });
    expect(workflow.steps[1]).toMatchObject({ expiresMs: 86_400_000 });
    expect(workflow.steps[4]).toMatchObject({ duration: 600_000 });
    expect(inputSchema).toEqual(WHOLE.input);
    expect(workers).toEqual([{ id: 'worker-refund-agent', field: ['steps', '0', 'worker'] }]);
    expect(connections).toEqual([{ id: 'conn-erp', field: ['steps', '2', 'do', '0', 'http', 'connection'] }]);
  });

  it('fills templates in with their types', () => {
    const { workflow } = compiled(withSteps(set('a', '{{ input.n }}')));
    const [step] = workflow.steps;
    expect(step?.kind === 'set' && step.values.evaluate({ input: { n: 7 }, steps: {} })).toEqual({ value: 7 });
  });

  it.each([
    ['no object', [], [' INVALID']],
    ['nothing', undefined, [' INVALID']],
    ['another version', { version: 2, steps: [set('a')] }, ['version INVALID']],
    ['no steps', { version: 1, steps: [] }, ['steps INVALID']],
    ['an unknown member', { version: 1, steps: [set('a')], name: 'x' }, ['name UNKNOWN_MEMBER']],
    ['an unknown member of a step', withSteps({ ...set('a'), wiht: 1 }), ['steps.0.wiht UNKNOWN_MEMBER']],
    ['a member of another kind', withSteps({ ...set('a'), do: [] }), ['steps.0.do NOT_APPLICABLE']],
    ['two actions', withSteps({ id: 'a', wait: '1s', set: {} }), ['steps.0 INVALID']],
    ['no action', withSteps({ id: 'a' }), ['steps.0 INVALID']],
    ['no id', withSteps({ set: {} }), ['steps.0.id INVALID']],
    ['an id that no template can name', withSteps(set('a-b')), ['steps.0.id INVALID']],
    ['an id twice', withSteps(set('a'), { id: 'b', parallel: [[set('a')]] }), ['steps.1.parallel.0.0.id DUPLICATE']],
    ['a template that does not parse', withSteps(set('a', '{{ input.x')), ['steps.0.set INVALID_TEMPLATE']],
    ['an unknown filter', withSteps(set('a', '{{ input | nope }}')), ['steps.0.set INVALID_TEMPLATE']],
    ['an unknown variable', withSteps(set('a', '{{ inptu.x }}')), ['steps.0.set UNKNOWN_VARIABLE']],
    ['an unknown step', withSteps(set('a', '{{ steps.b.result }}')), ['steps.0.set UNKNOWN_STEP']],
    ['a later step', withSteps(set('a', '{{ steps.b.result }}'), set('b')), ['steps.0.set STEP_NOT_VISIBLE']],
    ['itself', withSteps(set('a', '{{ steps.a.result }}')), ['steps.0.set STEP_NOT_VISIBLE']],
    ['all steps', withSteps(set('a', '{{ steps | json }}')), ['steps.0.set UNKNOWN_VARIABLE']],
    ['a step by a variable', withSteps(set('a', '{{ steps[input.x].result }}')), ['steps.0.set UNKNOWN_VARIABLE']],
    ['something else of a step', withSteps(set('a'), set('b', '{{ steps.a.x }}')), ['steps.1.set UNKNOWN_VARIABLE']],
    ['an item outside of a foreach', withSteps(set('a', '{{ item.x }}')), ['steps.0.set UNKNOWN_VARIABLE']],
    [
      'a step inside of a foreach from outside',
      withSteps({ id: 'f', foreach: '{{ input.x }}', do: [set('a')] }, set('b', '{{ steps.a.result }}')),
      ['steps.1.set STEP_NOT_VISIBLE'],
    ],
    [
      'a step of another branch',
      withSteps({ id: 'p', parallel: [[set('a')], [set('b', '{{ steps.a.result }}')]] }),
      ['steps.0.parallel.1.0.set STEP_NOT_VISIBLE'],
    ],
    [
      'a condition that refers to a later step',
      withSteps({ ...set('a'), if: 'steps.b.result' }, set('b')),
      ['steps.0.if STEP_NOT_VISIBLE'],
    ],
    ['a wait that is none', withSteps({ id: 'a', wait: 'soon' }), ['steps.0.wait INVALID']],
    ['a wait too long', withSteps({ id: 'a', wait: '31d' }), ['steps.0.wait OUT_OF_RANGE']],
    ['a wait of nothing', withSteps({ id: 'a', wait: '0s' }), ['steps.0.wait OUT_OF_RANGE']],
    [
      'too many at once',
      withSteps({ id: 'f', foreach: '{{ input }}', concurrency: 21, do: [set('a')] }),
      ['steps.0.concurrency OUT_OF_RANGE'],
    ],
    [
      'a case that is never reached',
      withSteps({ id: 's', switch: [{ do: [set('a')] }, { if: 'input.x', do: [set('b')] }] }),
      ['steps.0.switch.0 INVALID'],
    ],
    [
      'a path that leads out',
      withSteps({ id: 'h', http: { connection: 'conn-a', path: '//elsewhere' } }),
      ['steps.0.http.path INVALID'],
    ],
    [
      'a body of a GET',
      withSteps({ id: 'h', http: { connection: 'conn-a', path: '/', body: {} } }),
      ['steps.0.http.body INVALID'],
    ],
    ['a schema that is none', { version: 1, input: { type: 'x' }, steps: [set('a')] }, ['input INVALID_SCHEMA']],
    ['a lone surrogate', withSteps(set('a', '\ud800')), [' INVALID_CHARACTERS']],
    ['too many steps', withSteps(...Array.from({ length: 201 }, (_, i) => set(`s${i}`))), ['steps OUT_OF_RANGE']],
    ['too much', withSteps(set('a', 'x'.repeat(262_144))), [' TOO_LARGE']],
  ])('refuses %s', (_, definition, expected) => {
    expect(faults(definition)).toEqual(expected);
  });

  it('counts the steps inside of others', () => {
    const inner = (name: string): object => ({
      id: name,
      parallel: [Array.from({ length: 101 }, (_, i) => set(`${name}_${i}`))],
    });
    expect(faults(withSteps(inner('a'), inner('b')))).toContain('steps.1.parallel.0.97 TOO_LARGE');
  });

  it('refuses steps that lie too deep', () => {
    const nested = (depth: number): object =>
      depth === 0 ? set('leaf') : { id: `p${depth}`, parallel: [[nested(depth - 1)]] };
    expect(faults(withSteps(nested(7)))).toEqual([]);
    expect(faults(withSteps(nested(8))).map((fault) => fault.split(' ')[1])).toEqual(['TOO_DEEP']);
  });

  it('refuses values that lie too deep without overflowing', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i += 1) deep = [deep];
    expect(faults(withSteps(set('a', deep)))).toEqual([' TOO_LARGE']);
  });

  it('lets a template have variables of its own', () => {
    const text = '{% assign x = input.a %}{% for i in input.list %}{{ i }}{{ x }}{{ forloop.index }}{% endfor %}';
    expect(faults(withSteps(set('a', text)))).toEqual([]);
  });

  it('sees the steps of branches and cases behind them, and an outer step inside of a foreach', () => {
    const steps = [
      { id: 'p', parallel: [[set('a')], [set('b')]] },
      { id: 's', switch: [{ if: 'steps.a.result', do: [set('c')] }] },
      { id: 'f', foreach: '{{ input.x }}', do: [set('d', '{{ steps.c.result }}{{ item }}')] },
      set('e', '{{ steps.b.result }}{{ steps.f.result }}{{ steps.a.error.code }}'),
    ];
    expect(faults(withSteps(...steps))).toEqual([]);
  });

  it('keeps names such as __proto__ for what they are', () => {
    const definition = JSON.parse(
      '{"version":1,"steps":[{"id":"a","set":{"__proto__":{"polluted":1}}}],"__proto__":1}',
    );
    expect(faults(definition)).toEqual(['__proto__ UNKNOWN_MEMBER']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('never throws, whatever it is given', () => {
    const words = fc.constantFrom('id', 'set', 'if', 'do', 'switch', 'parallel', 'foreach', 'wait', 'http', 'worker');
    const { node } = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: 'xsmall', maxDepth: 4 },
        fc.jsonValue(),
        fc.constantFrom('a', '{{ input }}', '{{ steps.a.result }}', '10m', '{{'),
        fc.array(tie('node')),
        fc.dictionary(words, tie('node')),
      ),
    }));
    const definition = fc.record({
      version: fc.constant(1),
      steps: fc.array(fc.dictionary(words, node)),
      output: node,
    });
    fc.assert(
      fc.property(definition, (value) => {
        const outcome = compileWorkflow(value);
        expect(outcome.ok || outcome.userErrors.length > 0).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});
