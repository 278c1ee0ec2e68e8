import { AppError } from '../errors.js';
import { type IdKind, isWorkerId, parseId } from '../lib/ids.js';

const NOUNS: Readonly<Record<IdKind, string>> = {
  webhook: 'a webhook',
  call: 'a call',
  execution: 'an execution',
  callback: 'a callback',
  bulkOperation: 'a bulk operation',
  alert: 'an alert',
  secretVersion: 'a secret',
  user: 'a user',
  apiToken: 'an API token',
  runner: 'a runner',
  provider: 'a provider of your own',
  connection: 'a connection',
  model: 'a model',
};

/**
 * Reads an id that was given.
 *
 * @returns a UUID.
 * @throws AppError BAD_USER_INPUT when it is not one of this kind.
 */
export function readId(kind: IdKind, text: string): string {
  const id = parseId(kind, text);
  if (id === undefined) throw new AppError('BAD_USER_INPUT', `"${shortened(text)}" is not the id of ${NOUNS[kind]}.`);
  return id;
}

/** @throws AppError BAD_USER_INPUT */
export function readWorkerId(text: string): string {
  if (isWorkerId(text)) return text;
  throw new AppError('BAD_USER_INPUT', `"${shortened(text)}" is not the id of a worker.`);
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
