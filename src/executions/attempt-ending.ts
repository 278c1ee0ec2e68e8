import { AppError, messageOf, Postponed } from '../errors.js';
import { type Backoff, backoffMs } from '../lib/backoff.js';
import { type JsonText, toJsonText } from '../lib/json-text.js';
import type { ExecutionError } from './execution.entity.js';
import type { Ending } from './finish.js';

/** Delays between attempts when the error names none. */
const ATTEMPT_BACKOFF: Backoff = { baseMs: 1_000, maxMs: 60_000 };

/** Long messages are cut: an error is read by people. */
const MESSAGE_CHARACTERS_MAX = 2_000;

/** The worker did not finish in time; another attempt may. */
export function timedOut(timeoutMs: number): AppError {
  return new AppError('WORKER_TIMED_OUT', `The worker did not finish within ${timeoutMs} ms.`, { retryable: true });
}

/** Somebody canceled the execution. */
export function canceled(): AppError {
  return new AppError('CANCELED');
}

/** A runner died while it ran this, as often as there are attempts: it may be what kills them. */
export function runnerLostTooOften(attemptsMax: number): Ending {
  const message = `The runner stopped while it ran this, ${attemptsMax} of ${attemptsMax} times.`;
  return { status: 'FAILED', error: errorJson({ code: 'RUNNER_LOST', message, retryable: false }) };
}

/**
 * What a failed attempt leads to: another one after a pause, or the end. An error that is not ours is the worker's
 * own and may pass.
 *
 * @param attempt the one that failed, from 1.
 */
export function failedAttempt(thrown: unknown, attempt: number, attemptsMax: number, random?: () => number): Ending {
  const fault = faultOf(thrown);
  const error = errorJson(shown(fault));
  if (fault.retryable && attempt < attemptsMax) {
    return { status: 'WAITING', error, delayMs: fault.retryAfterMs ?? backoffMs(attempt, ATTEMPT_BACKOFF, random) };
  }
  if (fault.code === 'CANCELED') return { status: 'CANCELED', error };
  return { status: fault.code === 'WORKER_TIMED_OUT' ? 'TIMED_OUT' : 'FAILED', error };
}

/** An end is told to the caller a little later than it is written. */
const ANSWER_MS = 250;

type PutOff = Extract<Ending, { readonly delayMs: number }>;

/** Whether an attempt is put off for want of room at a model. */
export function isModelFull(ending: Ending, thrown: unknown): ending is PutOff {
  const hasCode = thrown instanceof AppError || thrown instanceof Postponed;
  return 'delayMs' in ending && hasCode && thrown.code === 'MODEL_RATE_LIMITED';
}

/**
 * What becomes of an attempt that is put off for want of room at a model ({@link isModelFull}) while somebody waits for
 * the answer. It is not put off beyond the moment at which they would be told that it goes on: they are told at once that
 * there is no room, and when there may be.
 *
 * @param answerInMs for how long they still wait; `null` when nobody does.
 */
export function endingInTime(ending: PutOff, { message }: Error, answerInMs: number | null): Ending {
  const { delayMs } = ending;
  if (answerInMs === null || answerInMs <= 0 || delayMs + ANSWER_MS < answerInMs) return ending;
  const error = shown(new AppError('MODEL_RATE_LIMITED', message, { retryable: true }));
  return { status: 'FAILED', error: errorJson({ ...error, retryAfterMs: Math.max(1, delayMs) }) };
}

/**
 * The worker has to wait: the attempt does not count, and goes on where its steps end. What waits for want of room, and
 * has done so for as long as it may, tries once more then and fails with the reason's own code.
 *
 * @param leftMs for how long it may still be put off in all, in milliseconds.
 */
export function postponed({ delayMs, reason, code }: Postponed, leftMs = Infinity): Ending {
  const message = reason.slice(0, MESSAGE_CHARACTERS_MAX);
  if (code !== undefined && leftMs <= 0) {
    const inVain = `It has waited as long as it may. ${message}`;
    return { status: 'FAILED', error: errorJson(shown(new AppError(code, inVain, { retryable: true }))) };
  }
  const error = errorJson({ code: 'POSTPONED', message, retryable: true });
  if (code === undefined) return { status: 'PAUSED', error, delayMs: Math.max(0, delayMs) };
  return { status: 'POSTPONED', error, delayMs: Math.max(0, Math.min(delayMs, Math.ceil(leftMs))) };
}

/** What was thrown as callers see it. */
export function executionErrorOf(thrown: unknown): ExecutionError {
  return shown(faultOf(thrown));
}

function faultOf(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  return new AppError('WORKER_FAILED', messageOf(thrown) || undefined, { retryable: true, cause: thrown });
}

function shown({ code, message, retryable }: AppError): ExecutionError {
  return { code, message: message.slice(0, MESSAGE_CHARACTERS_MAX), retryable };
}

function errorJson(error: ExecutionError): JsonText {
  return toJsonText(error);
}
