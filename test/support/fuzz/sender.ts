import { RawConnection, type WireAnswer } from '../raw-connection.js';
import { BODY_CANARY } from './json-bodies.js';
import { renderBroken, renderCall, renderOther, renderSender, type FuzzWebhooks } from './render.js';
import { type BrokenSpec, CANARY, type RequestSpec, SENDER_STATUSES, statusesOf } from './request-spec.js';

/** What the gateway may answer to anything that a caller can send: the contract's table, and nothing of the 5xx. */
const DOCUMENTED = [200, 202, 303, 400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 431];

/** Requests that are sent ahead of the first answer. */
const PIPELINE_MAX = 8;

/** After this long without an answer a damaged request is taken for unfinished, and the sender says that it was all. */
const PATIENCE_MS = 100;

/** What a run found out. */
export interface FuzzRecord {
  /** Requests sent, also damaged ones. */
  sent: number;
  readonly statuses: Map<number, number>;
  /** The status of each call that was answered, by its number. */
  readonly answered: Map<number, number>;
  /** Public ids of the calls that were acknowledged. */
  readonly acknowledged: Set<string>;
  /** Numbers of calls whose damage left open whether they are calls. */
  readonly damaged: Set<number>;
  readonly faults: string[];
}

export function newFuzzRecord(): FuzzRecord {
  return { sent: 0, statuses: new Map(), answered: new Map(), acknowledged: new Set(), damaged: new Set(), faults: [] };
}

interface Pending {
  readonly n: number;
  readonly spec: Exclude<RequestSpec, BrokenSpec>;
}

/** Sends requests one after the other, connections kept and requests pipelined where HTTP allows it. */
export class FuzzSender {
  readonly #port: number;
  readonly #webhooks: FuzzWebhooks;
  readonly #record: FuzzRecord;
  #connection: RawConnection | undefined;
  #pending: Pending[] = [];

  constructor(port: number, webhooks: FuzzWebhooks, record: FuzzRecord) {
    this.#port = port;
    this.#webhooks = webhooks;
    this.#record = record;
  }

  async send(spec: RequestSpec): Promise<void> {
    const n = (this.#record.sent += 1);
    try {
      this.#connection ??= await RawConnection.open(this.#port);
      if (spec.kind === 'broken') {
        await this.#sendBroken(this.#connection, spec, n);
        return;
      }
      this.#connection.send(this.#render(spec, n));
      this.#pending.push({ n, spec });
      if (!mayPipeline(spec) || this.#pending.length >= PIPELINE_MAX) await this.drain();
    } catch (error) {
      this.#record.faults.push(`${error instanceof Error ? error.message : String(error)}\n${describe(spec)}`);
      this.#drop();
    }
  }

  /** Reads the answers to all that was sent. */
  async drain(): Promise<void> {
    for (const { n, spec } of this.#pending.splice(0)) {
      const answer = await this.#connection?.next(spec.kind === 'call' ? 'POST' : spec.method);
      if (answer === undefined) throw new Error(`No answer to ${describe(spec)}`);
      if (spec.kind === 'call') this.#record.answered.set(n, answer.status);
      this.#note(answer, spec, expectedStatuses(spec));
      if (answer.headers.get('connection') === 'close') this.#drop();
    }
  }

  close(): void {
    this.#drop();
  }

  async #sendBroken(connection: RawConnection, spec: BrokenSpec, n: number): Promise<void> {
    const { damage } = spec;
    const bytes = renderBroken(spec, n, this.#webhooks);
    this.#record.damaged.add(n);
    connection.send(bytes);
    await this.drain();
    if (this.#connection === undefined) return; // closed by an answer before it
    if (damage.type === 'line' || damage.type === 'chunk') {
      const answer = await connection.next();
      if (answer === undefined) throw new Error(`No answer to ${describe(spec)}`);
      this.#note(answer, spec, [damage.type === 'line' ? damage.status : 400]);
      if ((await connection.next()) !== undefined) throw new Error(`A second answer to ${describe(spec)}`);
    } else if (damage.type === 'cut' && damage.reset) {
      connection.breakOff();
    } else {
      const timer = setTimeout(() => connection.finish(), damage.type === 'cut' ? 0 : PATIENCE_MS);
      try {
        for (let answer; (answer = await connection.next()) !== undefined;) {
          this.#note(answer, spec, damage.type === 'cut' ? [400] : DOCUMENTED);
          if (answer.headers.get('connection') !== 'close') timer.refresh();
        }
      } finally {
        clearTimeout(timer);
      }
    }
    this.#drop();
  }

  #note(answer: WireAnswer, spec: RequestSpec, statuses: readonly number[]): void {
    const { status, headers, body } = answer;
    const counted = this.#record.statuses;
    counted.set(status, (counted.get(status) ?? 0) + 1);
    const fault = (what: string): void => {
      this.#record.faults.push(
        `${what}\n${JSON.stringify({ status, headers: [...headers], body })}\n${describe(spec)}`,
      );
    };
    if (!statuses.includes(status)) fault(`The status is ${status}, not ${statuses.join(' or ')}`);
    const type = headers.get('content-type') ?? '';
    const isHead = spec.kind === 'other' && spec.method === 'HEAD';
    if (/[/+]json/.test(type) && !isHead) {
      const members = parsed(body);
      if (members === undefined) fault('The body is no JSON object');
      else if (type === 'application/problem+json' && members['status'] !== status)
        fault('The problem has another status');
      if (status < 300 && typeof members?.['callId'] === 'string') this.#record.acknowledged.add(members['callId']);
    } else if (
      spec.kind === 'sender'
        ? status !== 200
        : spec.kind !== 'other' || (status >= 400 && !spec.target.startsWith('/login'))
    ) {
      if (!isHead) fault('The answer is no JSON');
    }
    const said = JSON.stringify([...headers, body]);
    const target = spec.kind === 'broken' ? spec.call.target : spec.kind === 'sender' ? undefined : spec.target;
    // A sync answer is what the worker makes of the body, and the worker echoes.
    if (said.includes(CANARY) || (target !== 'sync' && said.includes(BODY_CANARY)))
      fault('The answer says what was sent');
  }

  #render(spec: Pending['spec'], n: number): Buffer {
    if (spec.kind === 'call') return renderCall(spec, n, this.#webhooks);
    return spec.kind === 'other' ? renderOther(spec) : renderSender(spec, this.#webhooks);
  }

  #drop(): void {
    this.#connection?.breakOff();
    this.#connection = undefined;
    this.#pending = [];
  }
}

/** Behind an offer to upgrade nothing may be sent before it is answered: what follows could be of the new protocol. */
function mayPipeline(spec: RequestSpec): boolean {
  return spec.kind === 'call' && spec.pipelined && !spec.noise.some((line) => line.startsWith('Upgrade:'));
}

function expectedStatuses(spec: Pending['spec']): readonly number[] {
  if (spec.kind === 'call') return statusesOf(spec);
  return spec.kind === 'other' ? spec.statuses : SENDER_STATUSES;
}

function parsed(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function describe(spec: RequestSpec): string {
  const { body, ...rest } = spec.kind === 'broken' ? spec.call : { body: undefined, ...spec };
  const bytes = body instanceof Uint8Array ? body : body?.bytes;
  const damage = spec.kind === 'broken' ? spec.damage : undefined;
  return JSON.stringify({ damage, body: bytes && Buffer.from(bytes).toString('latin1'), ...rest }).slice(0, 2_000);
}
