import { AppError, type ErrorCode } from '../../../errors.js';
import { asJsonText, type JsonText } from '../../../lib/json-text.js';
import type { WorkerRun } from '../../worker-run.js';
import { hostOf } from '../code-runner.js';
import type { RunHost } from '../run-module.js';
import type { Answer, FromIsolate, Question, SentError, ToIsolate } from './messages.js';

type OfRun = Extract<FromIsolate, { readonly run: number }>;

/**
 * One run of a module as the gateway sees it: passes on what the isolate asks for, and gives its result.
 *
 * What the attempt throws at the module stays here under a number. An error that comes back with one is that very
 * error again: a postponed call postpones the caller, and a refused one is refused for good.
 */
export class IsolateRun {
  readonly id: number;
  /** Resolves with the result; rejects with what ended it. */
  readonly result: Promise<JsonText>;
  readonly #run: WorkerRun;
  readonly #host: RunHost;
  readonly #send: (message: ToIsolate) => void;
  readonly #settle: { readonly resolve: (result: JsonText) => void; readonly reject: (error: unknown) => void };
  readonly #thrown: unknown[] = [];

  constructor(id: number, run: WorkerRun, send: (message: ToIsolate) => void) {
    const { promise, resolve, reject } = Promise.withResolvers<JsonText>();
    promise.catch(() => undefined); // whoever waited may have gone
    this.id = id;
    this.result = promise;
    this.#run = run;
    this.#host = hostOf(run);
    this.#send = send;
    this.#settle = { resolve, reject };
  }

  get executionId(): string {
    return this.#run.executionId;
  }

  begin(file: string): void {
    const { inputText: input, executionId, callId, webhookId, attempt } = this.#run;
    this.#send({ type: 'run', run: this.id, file, input, executionId, callId, webhookId, attempt });
  }

  /** @returns whether the run is over. */
  heard(message: OfRun): boolean {
    switch (message.type) {
      case 'ask':
        void this.#answer(message).then((answer) => this.#send({ type: 'answer', ask: message.ask, ...answer }));
        return false;
      case 'text':
        this.#host.emitText(message.delta);
        return false;
      case 'log':
        this.#run.log[message.level](message.fields, message.message);
        return false;
      case 'done':
        this.#settle.resolve(asJsonText(message.result));
        return true;
      case 'failed':
        this.#settle.reject(this.#received(message.error));
        return true;
    }
  }

  /** Ends it from outside. */
  end(error: unknown): void {
    this.#settle.reject(error);
  }

  async #answer(question: Question): Promise<Answer> {
    const { path } = question;
    try {
      switch (question.what) {
        case 'finished':
          return { ok: true, value: await this.#host.finished(path) };
        case 'start':
          await this.#host.start(path);
          return { ok: true };
        case 'finish':
          await this.#host.finish(path, asJsonText(question.output));
          return { ok: true };
        case 'fail':
          await this.#host.fail(path, this.#received(question.error));
          return { ok: true };
        case 'call':
          return { ok: true, value: await this.#host.callWorker(question) };
      }
    } catch (error) {
      return { ok: false, error: this.#sent(error) };
    }
  }

  #sent(error: unknown): SentError {
    const ref = this.#thrown.push(error) - 1;
    const { message } = error as Error;
    if (error instanceof AppError) return { ref, code: error.code, message, retryable: error.retryable };
    const code: ErrorCode = 'WORKER_FAILED';
    return { ref, code, message, retryable: true };
  }

  #received({ ref, code, message, retryable }: SentError): unknown {
    if (ref !== undefined && ref in this.#thrown) return this.#thrown[ref];
    return new AppError(code, message || undefined, { retryable });
  }
}
