import { OUTBOUND_METHODS } from '../../outbound/outbound-client.js';
import { isTemplate } from '../../templates/template.js';
import type { DefinitionReader, Members, Place } from './definition-reader.js';
import { listsIn } from './outline.js';
import { StepReferences, type Visible } from './step-references.js';
import { StepTemplates } from './step-templates.js';
import type { StepBase, StepRetry, SwitchStep, WorkflowStep } from './workflow.js';
import { WORKFLOW_DEFAULTS, WORKFLOW_LIMITS } from './workflow-limits.js';

const LIMITS = WORKFLOW_LIMITS;

/** What a step does: exactly one of them stands in it, with these members beside it. */
const ACTIONS = {
  worker: ['with', 'retry', 'timeout'],
  http: ['retry', 'timeout'],
  approval: [],
  foreach: ['do', 'concurrency'],
  parallel: [],
  wait: [],
  switch: [],
  set: [],
} as const satisfies Record<WorkflowStep['kind'], readonly string[]>;
const KINDS = Object.keys(ACTIONS) as WorkflowStep['kind'][];

/** What every step may have. */
const COMMON = ['id', 'if', 'onError'] as const;

const membersOf = (kind: WorkflowStep['kind']): readonly string[] => [...COMMON, ...ACTIONS[kind]];

const ALL_MEMBERS: readonly string[] = [...new Set([...KINDS, ...KINDS.flatMap(membersOf)])];

const ID = /^[a-z][a-z0-9_]*$/;

const NO_RETRY: StepRetry = { max: 0, backoff: 'exponential', delayMs: WORKFLOW_DEFAULTS.retryDelayMs };

/** Something outside of a workflow that a step of it uses, and where it is named. */
export interface WorkflowUse {
  readonly id: string;
  /** The names from the definition's root, such as `['steps', '0', 'worker']`. */
  readonly field: readonly string[];
}

/** One step as it is read: what every step has, and where it stands. */
interface Reading {
  readonly members: Members;
  readonly at: Place;
  readonly visible: Visible;
  readonly depth: number;
  readonly base: StepBase;
}

interface CompiledList {
  readonly steps: readonly WorkflowStep[];
  /** What can be seen behind the list. */
  readonly visible: Visible;
}

const NOTHING: Visible = { steps: new Set(), inForeach: false };

/** Compiles the steps of one workflow, in the order in which they stand. */
export class StepCompiler {
  readonly references: StepReferences;
  readonly #reader: DefinitionReader;
  readonly #templates: StepTemplates;
  readonly #ids = new Set<string>();
  readonly #workers: WorkflowUse[] = [];
  readonly #connections: WorkflowUse[] = [];
  #count = 0;

  constructor(reader: DefinitionReader) {
    this.#reader = reader;
    this.references = new StepReferences(reader);
    this.#templates = new StepTemplates(reader, this.references);
  }

  /** Compiles a list of steps: each sees those before it. */
  list(value: unknown, at: Place, visible: Visible = NOTHING, depth = 1): CompiledList {
    if (depth > LIMITS.stepDepth) {
      this.#reader.fault(at, `Steps lie at most ${LIMITS.stepDepth} deep in others.`, 'TOO_DEEP');
      return { steps: [], visible };
    }
    const steps: WorkflowStep[] = [];
    let seen = visible;
    for (const [i, entry] of this.#reader.list(value, at, 'This', LIMITS.steps).entries()) {
      const step = this.#step(entry, [...at, String(i)], seen, depth);
      if (step === undefined) continue;
      steps.push(step);
      seen = { ...seen, steps: new Set([...seen.steps, ...idsBehind(step)]) };
    }
    return { steps, visible: seen };
  }

  /** Notes what can only be told when all steps are known, and gives what they use. */
  end(): { readonly workers: readonly WorkflowUse[]; readonly connections: readonly WorkflowUse[] } {
    this.references.end(this.#ids);
    return { workers: this.#workers, connections: this.#connections };
  }

  #step(value: unknown, at: Place, visible: Visible, depth: number): WorkflowStep | undefined {
    const reader = this.#reader;
    this.#count += 1;
    if (this.#count === LIMITS.steps + 1)
      reader.fault(at, `A workflow has at most ${LIMITS.steps} steps.`, 'TOO_LARGE');
    if (this.#count > LIMITS.steps) return undefined;
    const members = reader.object(value, at, 'A step', ALL_MEMBERS);
    if (members === undefined) return undefined;
    const [kind, ...others] = KINDS.filter((name) => Object.hasOwn(members, name));
    if (kind === undefined || others.length > 0) {
      return reader.fault(at, `A step has exactly one of ${KINDS.join(', ')}.`, 'INVALID');
    }
    for (const name of Object.keys(members)) {
      if (name === kind || !ALL_MEMBERS.includes(name) || membersOf(kind).includes(name)) continue;
      reader.fault([...at, name], `"${name}" is not for a step with "${kind}".`, 'NOT_APPLICABLE');
    }
    const base = this.#base(members, at, visible);
    return this.#action(kind, { members, at, visible, depth, base });
  }

  #base(members: Members, at: Place, visible: Visible): StepBase {
    return {
      id: this.#id(members['id'], [...at, 'id']),
      if: members['if'] === undefined ? undefined : this.#templates.condition(members['if'], [...at, 'if'], visible),
      onError: this.#reader.oneOf(members['onError'], [...at, 'onError'], ['fail', 'continue'], 'fail'),
      retry: members['retry'] === undefined ? NO_RETRY : this.#retry(members['retry'], [...at, 'retry']),
      timeoutMs:
        members['timeout'] === undefined
          ? undefined
          : this.#reader.duration(members['timeout'], [...at, 'timeout'], LIMITS.stepTimeoutMs),
    };
  }

  #id(value: unknown, at: Place): string {
    if (typeof value !== 'string' || !ID.test(value) || value.length > LIMITS.idCharacters) {
      const message = `An id has lower-case letters, digits and "_", begins with a letter, and has at most ${LIMITS.idCharacters} characters.`;
      this.#reader.fault(at, message, 'INVALID');
      return '';
    }
    if (this.#ids.has(value)) this.#reader.fault(at, `Another step has the id "${value}", too.`, 'DUPLICATE');
    this.#ids.add(value);
    return value;
  }

  #retry(value: unknown, at: Place): StepRetry {
    const reader = this.#reader;
    const members = reader.object(value, at, '"retry"', ['max', 'backoff', 'delay']);
    if (members === undefined) return NO_RETRY;
    return {
      max: reader.integer(members['max'], [...at, 'max'], { least: 0, most: LIMITS.retries }),
      backoff: reader.oneOf(members['backoff'], [...at, 'backoff'], ['exponential', 'fixed'], 'exponential'),
      delayMs:
        members['delay'] === undefined
          ? WORKFLOW_DEFAULTS.retryDelayMs
          : reader.duration(members['delay'], [...at, 'delay'], LIMITS.retryDelayMs),
    };
  }

  #action(kind: WorkflowStep['kind'], reading: Reading): WorkflowStep | undefined {
    switch (kind) {
      case 'worker':
        return this.#worker(reading);
      case 'http':
        return this.#http(reading);
      case 'approval':
        return this.#approval(reading);
      case 'foreach':
        return this.#foreach(reading);
      case 'parallel':
        return this.#parallel(reading);
      case 'wait':
        return this.#wait(reading);
      case 'switch':
        return this.#switch(reading);
      case 'set':
        return this.#set(reading);
    }
  }

  #worker({ members, at, visible, base }: Reading): WorkflowStep | undefined {
    const workerId = this.#reader.text(members['worker'], [...at, 'worker'], 'This names a worker: it');
    const input =
      members['with'] === undefined ? undefined : this.#templates.json(members['with'], [...at, 'with'], visible);
    if (workerId === undefined) return undefined;
    this.#workers.push({ id: workerId, field: [...at, 'worker'] });
    return { ...base, kind: 'worker', workerId, with: input };
  }

  #http({ members, at: stepAt, visible, base }: Reading): WorkflowStep | undefined {
    const reader = this.#reader;
    const at = [...stepAt, 'http'];
    const known = ['connection', 'method', 'path', 'query', 'headers', 'body'];
    const http = reader.object(members['http'], at, '"http"', known);
    if (http === undefined) return undefined;
    const connectionId = reader.text(http['connection'], [...at, 'connection'], 'This names a connection: it');
    if (connectionId !== undefined) this.#connections.push({ id: connectionId, field: [...at, 'connection'] });
    const method = reader.oneOf(http['method'], [...at, 'method'], OUTBOUND_METHODS, 'GET');
    const path = this.#templates.path(http['path'], [...at, 'path'], visible);
    const query = this.#templates.texts(http['query'], [...at, 'query'], visible);
    const headers = this.#templates.texts(http['headers'], [...at, 'headers'], visible);
    const body = http['body'] === undefined ? undefined : this.#templates.json(http['body'], [...at, 'body'], visible);
    if (method === 'GET' && body !== undefined) reader.fault([...at, 'body'], 'A GET sends no body.', 'INVALID');
    if (connectionId === undefined || path === undefined) return undefined;
    return { ...base, kind: 'http', connectionId, method, path, query, headers, body };
  }

  #approval({ members, at: stepAt, visible, base }: Reading): WorkflowStep | undefined {
    const reader = this.#reader;
    const at = [...stepAt, 'approval'];
    const approval = reader.object(members['approval'], at, '"approval"', ['expires', 'message']);
    if (approval === undefined) return undefined;
    const { expires, message } = approval;
    const text = message === undefined ? undefined : reader.text(message, [...at, 'message'], 'The message');
    if (text !== undefined && text.length > LIMITS.messageCharacters) {
      reader.fault([...at, 'message'], `A message has at most ${LIMITS.messageCharacters} characters.`, 'TOO_LONG');
    }
    return {
      ...base,
      kind: 'approval',
      expiresMs:
        expires === undefined
          ? WORKFLOW_DEFAULTS.approvalMs
          : reader.duration(expires, [...at, 'expires'], LIMITS.approvalMs),
      message: text === undefined ? undefined : this.#templates.text(text, [...at, 'message'], visible),
    };
  }

  #foreach({ members, at, visible, depth, base }: Reading): WorkflowStep | undefined {
    const { foreach, concurrency } = members;
    const text = this.#reader.text(foreach, [...at, 'foreach'], 'What gives the items');
    const items = text === undefined ? undefined : this.#templates.text(text, [...at, 'foreach'], visible);
    const inside = { ...visible, inForeach: true };
    const { steps } = this.list(members['do'], [...at, 'do'], inside, depth + 1);
    const range = { least: 1, most: LIMITS.concurrency };
    const atOnce =
      concurrency === undefined
        ? WORKFLOW_DEFAULTS.concurrency
        : this.#reader.integer(concurrency, [...at, 'concurrency'], range);
    return items === undefined ? undefined : { ...base, kind: 'foreach', items, concurrency: atOnce, do: steps };
  }

  #parallel({ members, at: stepAt, visible, depth, base }: Reading): WorkflowStep {
    const at = [...stepAt, 'parallel'];
    const lists = this.#reader.list(members['parallel'], at, '"parallel"', LIMITS.branches);
    const branches = lists.map((list, i) => this.list(list, [...at, String(i)], visible, depth + 1).steps);
    return { ...base, kind: 'parallel', branches };
  }

  #wait({ members, at: stepAt, visible, base }: Reading): WorkflowStep | undefined {
    const at = [...stepAt, 'wait'];
    const { wait } = members;
    const duration =
      typeof wait === 'string' && isTemplate(wait)
        ? this.#templates.text(wait, at, visible)
        : this.#reader.duration(wait, at, LIMITS.waitMs);
    return duration === undefined ? undefined : { ...base, kind: 'wait', duration };
  }

  #switch({ members, at: stepAt, visible, depth, base }: Reading): WorkflowStep {
    const at = [...stepAt, 'switch'];
    const entries = this.#reader.list(members['switch'], at, '"switch"', LIMITS.cases);
    const cases = entries.flatMap((entry, i): SwitchStep['cases'][number][] => {
      const caseAt = [...at, String(i)];
      const read = this.#reader.object(entry, caseAt, 'A case', ['if', 'do']);
      if (read === undefined) return [];
      if (read['if'] === undefined && i < entries.length - 1) {
        this.#reader.fault(
          caseAt,
          'Only the last case can be without "if": those behind it are never reached.',
          'INVALID',
        );
      }
      const holds =
        read['if'] === undefined ? undefined : this.#templates.condition(read['if'], [...caseAt, 'if'], visible);
      return [{ if: holds, do: this.list(read['do'], [...caseAt, 'do'], visible, depth + 1).steps }];
    });
    return { ...base, kind: 'switch', cases };
  }

  #set({ members, at: stepAt, visible, base }: Reading): WorkflowStep | undefined {
    const at = [...stepAt, 'set'];
    const names = this.#reader.object(members['set'], at, '"set"');
    const values = names === undefined ? undefined : this.#templates.json(names, at, visible);
    return values === undefined ? undefined : { ...base, kind: 'set', values };
  }
}

/** The ids that can be seen behind a step: its own and, where there is one of each, those inside of it. */
function idsBehind(step: WorkflowStep): readonly string[] {
  if (step.kind === 'foreach') return [step.id];
  return [step.id, ...listsIn(step).flat().flatMap(idsBehind)];
}
