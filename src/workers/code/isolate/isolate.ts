import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { Logger } from '../../../lib/logger.js';
import type { FromIsolate, ToIsolate } from './messages.js';

export interface IsolateOptions {
  /** `main.js`, built. */
  readonly entry: string;
  /** The operator's folder, absolute. */
  readonly dir: string;
  /** The modules' files as they were at the start, by name. */
  readonly sources: Readonly<Record<string, string>>;
  /** The whole environment that modules see. */
  readonly env: Readonly<Record<string, string>>;
  /** MiB that modules may use, in JavaScript objects and in all. */
  readonly memoryMb: number;
  readonly log: Logger;
}

/** Why an isolate ended. */
export interface IsolateEnd {
  readonly code: 'WORKER_OUT_OF_MEMORY' | 'WORKER_CRASHED';
  readonly message?: string | undefined;
}

/** What Node itself, its libraries and its code take, in MiB. */
const NODE_MB = 96;

/** How often a busy isolate is looked at. */
const LOOK_MS = 250;

/** An isolate that has not answered for this long is busy with one turn of its event loop. */
const STUCK_MS = 500;

const LAST_WORDS_MS = 250;
const PAGE_BYTES = 4_096;
const STDERR_BYTES_MAX = 16_384;

/**
 * One process that runs operators' modules. Started, it takes messages at once; a message that comes back goes to
 * `onMessage`, and its end, whoever brought it about, to `onEnd`, once.
 */
export class Isolate {
  readonly #options: IsolateOptions;
  readonly #child: ChildProcess;
  readonly #onMessage: (message: FromIsolate) => void;
  readonly #onEnd: (end: IsolateEnd) => void;
  #stderr = '';
  #uncaught: string | undefined;
  #outOfMemory = false;
  #ended = false;
  readonly #looks: NodeJS.Timeout;
  #busy = false;
  #askedMs: number | undefined;
  #outbox: ToIsolate[] = [];

  constructor(options: IsolateOptions, onMessage: (message: FromIsolate) => void, onEnd: (end: IsolateEnd) => void) {
    this.#options = options;
    this.#onMessage = onMessage;
    this.#onEnd = onEnd;
    const { entry, dir, sources, env, memoryMb, log } = options;
    this.#child = fork(entry, [], {
      env: { ...env },
      execArgv: [`--max-old-space-size=${memoryMb}`],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child.stdout!.on('data', (chunk: Buffer) => log.info({ output: clip(chunk) }, 'a worker module printed'));
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-STDERR_BYTES_MAX);
      log.warn({ output: clip(chunk) }, 'a worker module printed');
    });
    this.#child.on('message', (messages: readonly FromIsolate[]) => messages.forEach((it) => this.#heard(it)));
    this.#child.on('error', (error) => {
      log.error({ err: error }, 'an isolate could not be started or reached');
      if (this.#child.pid === undefined) this.#end(null, null);
    });
    // What it printed last is read by `close`, which a process of the module's own can put off.
    this.#child.once('exit', (code, signal) => setTimeout(() => this.#end(code, signal), LAST_WORDS_MS));
    this.#child.once('close', (code, signal) => this.#end(code, signal));
    this.#looks = setInterval(() => void this.#look(), LOOK_MS);
    this.send({ type: 'begin', dir, sources });
  }

  /** How long it has not answered, in milliseconds; 0 when it answers at once or has nothing to do. */
  get silentMs(): number {
    return this.#askedMs === undefined ? 0 : performance.now() - this.#askedMs;
  }

  /** Whether it is busy with one turn of its event loop, and can begin nothing else. */
  get stuck(): boolean {
    return this.silentMs > STUCK_MS;
  }

  /** What is sent in one turn of the event loop goes as one message: runs begin in dozens. */
  send(message: ToIsolate): void {
    if (this.#outbox.length === 0) setImmediate(() => this.#flush());
    this.#outbox.push(message);
  }

  /** Whether something runs in it: then it is seen whether it answers and what memory it takes. */
  setBusy(busy: boolean): void {
    this.#busy = busy;
    if (!busy) this.#askedMs = undefined;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #flush(): void {
    const messages = this.#outbox;
    this.#outbox = [];
    if (!this.#ended && this.#child.connected) this.#child.send(messages, () => undefined); // its end is heard of anyway
  }

  #heard(message: FromIsolate): void {
    if (message.type === 'pong') this.#askedMs = undefined;
    else if (message.type === 'uncaught') this.#uncaught = message.message;
    else this.#onMessage(message);
  }

  async #look(): Promise<void> {
    if (!this.#busy) return;
    if (this.#askedMs === undefined) {
      this.#askedMs = performance.now();
      this.send({ type: 'ping' });
    }
    const memory = await readFile(`/proc/${this.#child.pid}/statm`, 'utf8').catch(() => ''); // not Linux, or gone
    const residentMb = (Number(memory.split(' ')[1] ?? 0) * PAGE_BYTES) / 1_048_576;
    if (residentMb < this.#options.memoryMb + NODE_MB) return;
    this.#outOfMemory = true;
    this.kill();
  }

  #end(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.setBusy(false);
    clearInterval(this.#looks);
    this.#onEnd(this.#endOf(code, signal));
  }

  #endOf(code: number | null, signal: NodeJS.Signals | null): IsolateEnd {
    const outOfMemory = this.#outOfMemory || /heap out of memory|Reached heap limit/i.test(this.#stderr);
    if (outOfMemory) {
      const message = `The worker needed more than ${this.#options.memoryMb} MiB of memory.`;
      return { code: 'WORKER_OUT_OF_MEMORY', message };
    }
    if (this.#uncaught !== undefined) {
      return { code: 'WORKER_CRASHED', message: `The worker threw outside of its promise: ${this.#uncaught}` };
    }
    const how = signal === null ? `exit code ${String(code)}` : signal;
    return { code: 'WORKER_CRASHED', message: `The worker ended the process that it ran in (${how}).` };
  }
}

function clip(chunk: Buffer): string {
  return chunk.toString('utf8', 0, 4_096);
}
