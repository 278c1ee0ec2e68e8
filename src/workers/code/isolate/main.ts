/**
 * The process in which an operator's modules run, started by `isolate.ts`. Whatever a module does to it, the gateway
 * sees only that it has ended. It ends by itself when the gateway is gone.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { AppError, messageOf } from '../../../errors.js';
import { type JsonText, toJsonText } from '../../../lib/json-text.js';
import { checkResultText, RESULT_BYTES_MAX } from '../../result-text.js';
import { type CodeModule, importModule } from '../import-modules.js';
import { resolveForOperatorModules } from '../module-resolution.js';
import { type RunHost, runModule, thrownMessage } from '../run-module.js';
import type { Answer, FromIsolate, Question, SentError, ToIsolate } from './messages.js';

/** Log lines of one run that are passed on. */
const LINES_MAX = 1_000;

/** An error that the gateway sent: what a module catches, and may throw on. */
class HostError extends Error {
  constructor(readonly sent: SentError) {
    super(sent.message);
  }

  get code(): string {
    return this.sent.code;
  }

  get retryable(): boolean {
    return this.sent.retryable;
  }
}

interface Begun {
  readonly dir: string;
  readonly sources: ReadonlyMap<string, string>;
}

let begun: Begun = { dir: '', sources: new Map() };
const modules = new Map<string, Promise<CodeModule>>();
const runs = new Map<number, AbortController>();
const questions = new Map<number, (answer: Answer) => void>();
let asked = 0;

let outbox: FromIsolate[] = [];

/** What is sent in one turn of the event loop goes as one message. */
function send(message: FromIsolate): void {
  if (outbox.length === 0) setImmediate(() => flush());
  outbox.push(message);
}

function flush(then?: () => void): void {
  const messages = outbox;
  outbox = [];
  process.send?.(messages, undefined, undefined, then);
}

function ask(run: number, question: Question): Promise<JsonText | undefined> {
  return new Promise((resolve, reject) => {
    asked += 1;
    questions.set(asked, (answer) => {
      if (answer.ok) resolve(answer.value);
      else reject(new HostError(answer.error));
    });
    send({ type: 'ask', run, ask: asked, ...question });
  });
}

function hostOf(run: number): RunHost {
  let lines = 0;
  const line = (level: 'debug' | 'info' | 'warn' | 'error') => (fields: object, message?: string) => {
    lines += 1;
    if (lines <= LINES_MAX) send({ type: 'log', run, level, fields: sentFields(fields), message });
    if (lines === LINES_MAX) send({ type: 'log', run, level: 'warn', fields: {}, message: 'more lines are dropped' });
  };
  return {
    log: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
    emitText: (delta) => send({ type: 'text', run, delta }),
    finished: (path) => ask(run, { what: 'finished', path }),
    start: async (path) => void (await ask(run, { what: 'start', path })),
    finish: async (path, output) => {
      checkResultText(output, RESULT_BYTES_MAX);
      await ask(run, { what: 'finish', path, output });
    },
    fail: async (path, error) => void (await ask(run, { what: 'fail', path, error: sentError(error) })),
    callWorker: async ({ path, workerId, input }) => {
      checkResultText(input, RESULT_BYTES_MAX);
      return (await ask(run, { what: 'call', path, workerId, input })) ?? toJsonText(null);
    },
  };
}

/** JSON says nothing of errors. */
function sentFields(fields: object): object {
  const entries = Object.entries(fields).map(([key, value]: [string, unknown]) => {
    if (!(value instanceof Error)) return [key, value];
    return [key, { name: value.name, message: value.message, stack: value.stack }];
  });
  return Object.fromEntries(entries) as object;
}

function sentError(error: unknown): SentError {
  if (error instanceof HostError) return error.sent;
  if (error instanceof AppError) return { code: error.code, message: error.message, retryable: error.retryable };
  return { code: 'WORKER_FAILED', message: thrownMessage(error) ?? '', retryable: true };
}

/** Imports a module once, as it was when the gateway started. */
function moduleOf(file: string): Promise<CodeModule> {
  let module = modules.get(file);
  if (module === undefined) {
    const path = join(begun.dir, file);
    const source = begun.sources.get(path);
    module = importModule(begun.dir, file, source === undefined ? readFileSync(path) : Buffer.from(source));
    modules.set(file, module);
  }
  return module;
}

async function describe(file: string): Promise<void> {
  try {
    const { worker, inputSchema, outputSchema, sourceHash } = await moduleOf(file);
    const { id, name, description, timeoutMs, attemptsMax } = worker;
    send({
      type: 'described',
      module: {
        file,
        worker: { id, name, description, timeoutMs, attemptsMax },
        inputSchema,
        outputSchema,
        sourceHash,
      },
      source: readFileSync(join(begun.dir, file), 'utf8'),
    });
  } catch (error) {
    send({ type: 'not-described', message: messageOf(error) });
  }
}

async function runOnce({ run: id, file, input, ...ids }: Extract<ToIsolate, { type: 'run' }>): Promise<void> {
  const controller = new AbortController();
  runs.set(id, controller);
  try {
    const module = await moduleOf(file).catch((error: unknown) => {
      throw new AppError('WORKER_NOT_LOADED', `The module ${file} could not be loaded: ${messageOf(error)}`);
    });
    const given = { ...ids, inputParams: JSON.parse(input) as unknown, signal: controller.signal };
    const result = await runModule(module, given, hostOf(id));
    checkResultText(result, RESULT_BYTES_MAX); // before it is sent: the gateway reads nothing larger
    send({ type: 'done', run: id, result });
  } catch (error) {
    const cause = error instanceof AppError && error.cause instanceof HostError ? error.cause : error;
    send({ type: 'failed', run: id, error: sentError(cause) });
  } finally {
    runs.delete(id);
  }
}

function heard(message: ToIsolate): void {
  switch (message.type) {
    case 'begin': {
      const { dir, sources } = message;
      begun = { dir, sources: new Map(Object.entries(sources).map(([file, source]) => [join(dir, file), source])) };
      return;
    }
    case 'describe':
      return void describe(message.file);
    case 'run':
      return void runOnce(message);
    case 'abort':
      return runs.get(message.run)?.abort(new Error(message.reason));
    case 'answer':
      questions.get(message.ask)?.(message);
      questions.delete(message.ask);
      return;
    case 'ping':
      return send({ type: 'pong' });
  }
}

process.on('message', (messages: readonly ToIsolate[]) => messages.forEach(heard));

// Ctrl-C reaches every process of the terminal: the gateway drains, and its isolates with it.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.once('disconnect', () => process.exit());
process.on('uncaughtException', (error) => {
  send({ type: 'uncaught', message: thrownMessage(error) });
  flush(() => process.exit(1));
});

/** A loop hears of no disconnect, so a thread beside it looks whether the gateway is still there. */
const WATCHDOG = `
  const parent = process.ppid;
  setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL'); }, 1000);`;
new Worker(WATCHDOG, {
  eval: true,
  resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2 },
}).unref();

try {
  writeFileSync('/proc/self/oom_score_adj', '1000'); // when the machine runs out of memory, this goes first
} catch {
  // not Linux
}

resolveForOperatorModules();
registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const source = url.startsWith('file:') ? begun.sources.get(fileURLToPath(url)) : undefined;
    return source === undefined ? loaded : { ...loaded, source };
  },
});
