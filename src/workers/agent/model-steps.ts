import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { AppError } from '../../errors.js';
import { backoffMs } from '../../lib/backoff.js';
import { toJsonText } from '../../lib/json-text.js';
import type { ModelDesk, ModelMessage, ModelStep, ModelStepRequest, ModelToolCall } from '../../models/model-desk.js';
import type { StepUsage, WorkerRun } from '../worker-run.js';
import type { AnswerText } from './answer-text.js';

/** What a model step came to. */
export interface AgentStep {
  /** To go on the conversation with. */
  readonly message: ModelMessage;
  readonly text: string;
  readonly toolCalls: readonly ModelToolCall[];
  /** The provider, or we, ended it before the model did. */
  readonly cutShort: boolean;
}

/** What the model is asked with, but for the conversation. */
export type StepQuestion = Omit<
  ModelStepRequest,
  'webhookId' | 'callId' | 'executionId' | 'signal' | 'onText' | 'messages'
>;

/** Tries of one step within an attempt; behind them the execution's own attempts begin. */
const TRIES_MAX = 3;
const BACKOFF = { baseMs: 500, maxMs: 5_000 };

/** A provider that asks for a longer pause than this gets it from the execution, which holds no slot meanwhile. */
const WAIT_MS_MAX = 5_000;

/** The answer has become as long as an answer may be. */
class AnswerFull extends Error {
  override readonly name = 'AnswerFull';
}

/** The model steps of one attempt: each is durable, so what was paid for once is not asked again. */
export class ModelSteps {
  readonly #desk: ModelDesk;
  readonly #run: WorkerRun;
  readonly #text: AnswerText;

  constructor(desk: ModelDesk, run: WorkerRun, text: AnswerText) {
    this.#desk = desk;
    this.#run = run;
    this.#text = text;
  }

  /**
   * Gives the step of a path: the one that an earlier attempt finished, or a new one.
   *
   * @throws what the desk throws, when trying again did not help.
   */
  async take(path: string, question: StepQuestion, messages: readonly ModelMessage[]): Promise<AgentStep> {
    const { steps } = this.#run;
    const finished = steps.finished(path);
    if (finished !== undefined) {
      const saved = readSaved(finished.output);
      return agentStep(saved, this.#text.recall(textOf(saved.message)));
    }
    const { saved, usage } = await this.#make(path, question, messages);
    await steps.finish(path, { output: toJsonText(saved), usage });
    return agentStep(saved, this.#text.finishStep());
  }

  async #make(path: string, question: StepQuestion, messages: readonly ModelMessage[]): Promise<MadeStep> {
    const { steps, signal, log } = this.#run;
    for (let tries = 1; ; tries += 1) {
      await steps.start(path);
      try {
        return await this.#ask(question, messages);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof AppError)) throw error;
        await steps.fail(path, error);
        const waitMs = tries < TRIES_MAX ? retryDelayMs(error, tries) : undefined;
        if (waitMs === undefined) throw error;
        log.info({ code: error.code, path, tries, waitMs }, 'a model step is tried again');
        await delay(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
        this.#text.restartStep();
      }
    }
  }

  async #ask(question: StepQuestion, messages: readonly ModelMessage[]): Promise<MadeStep> {
    const { webhookId, callId, executionId, signal } = this.#run;
    const full = new AbortController();
    try {
      const step = await this.#desk.step({
        ...question,
        webhookId,
        callId,
        executionId,
        messages,
        signal: AbortSignal.any([signal, full.signal]),
        onText: (delta) => {
          if (!this.#text.add(delta)) full.abort(new AnswerFull());
        },
      });
      return { saved: savedStep(step), usage: toStepUsage(step.usage) };
    } catch (error) {
      if (!full.signal.aborted || signal.aborted) throw error;
      // What goes on for ever is ended here. What it cost stands with the model's usage, not with the step.
      const message = { role: 'assistant' as const, content: this.#text.stepText };
      return { saved: { message, invalid: [], finishReason: 'length' }, usage: {} };
    }
  }
}

interface MadeStep {
  readonly saved: SavedStep;
  readonly usage: StepUsage;
}

/** @returns `undefined` when it must not or need not be tried again here. */
function retryDelayMs(error: AppError, tries: number): number | undefined {
  if (!error.retryable) return undefined;
  const waitMs = Math.max(error.retryAfterMs ?? 0, backoffMs(tries, BACKOFF));
  return waitMs <= WAIT_MS_MAX ? waitMs : undefined;
}

function toStepUsage({ costNanos, ...tokens }: ModelStep['usage']): StepUsage {
  return { ...tokens, cost: Number(costNanos) / 1e9 };
}

/** Text and tool calls stand in the message, and only there. */
const Saved = z.object({
  message: z.custom<ModelMessage>((value) => typeof value === 'object' && value !== null),
  /** For each tool call, what is wrong with it; ids are not to be relied on to be different. */
  invalid: z.array(z.string().nullable()),
  finishReason: z.string(),
});
type SavedStep = z.output<typeof Saved>;

function savedStep({ message, toolCalls, finishReason }: ModelStep): SavedStep {
  return { message: sendable(message), invalid: toolCalls.map((call) => call.invalid ?? null), finishReason };
}

/** Arguments that are no object were not understood, and no provider takes them back. */
function sendable(message: ModelMessage): ModelMessage {
  if (message.role !== 'assistant' || typeof message.content === 'string') return message;
  return {
    ...message,
    content: message.content.map((part) =>
      part.type === 'tool-call' && (typeof part.input !== 'object' || part.input === null || Array.isArray(part.input))
        ? { ...part, input: {} }
        : part,
    ),
  };
}

function readSaved(output: string): SavedStep {
  const parsed = Saved.safeParse(JSON.parse(output));
  if (parsed.success) return parsed.data;
  throw new AppError('INTERNAL_SERVER_ERROR', undefined, { detail: 'a stored model step is not one' });
}

function agentStep({ message, invalid, finishReason }: SavedStep, text: string): AgentStep {
  const parts = message.role === 'assistant' && typeof message.content !== 'string' ? message.content : [];
  const toolCalls = parts
    .filter((part) => part.type === 'tool-call')
    .map(({ toolCallId: id, toolName: name, input }, i): ModelToolCall => {
      const fault = invalid[i] ?? undefined;
      return { id, name, input, ...(fault !== undefined && { invalid: fault }) };
    });
  return { message, text, toolCalls, cutShort: finishReason === 'length' };
}

function textOf({ role, content }: ModelMessage): string {
  if (role !== 'assistant') return '';
  if (typeof content === 'string') return content;
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('');
}
