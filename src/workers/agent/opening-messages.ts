import { z } from 'zod';
import { AppError } from '../../errors.js';
import { compileTemplate } from '../../templates/template.js';
import type { SchemaFault } from '../schema-validator.js';
import type { WorkerRun } from '../worker-run.js';
import type { AgentDefinition } from './agent-definition.js';
import type { ModelMessage } from '../../models/model-desk.js';

const FAULTS_MAX = 20;

/** Text, or the text parts of a message as model providers have them. Other parts are refused: nothing would read them. */
const Content = z.union([
  z.string().min(1),
  z
    .array(z.object({ type: z.literal('text'), text: z.string() }))
    .min(1)
    .transform((parts) => parts.map(({ text }) => text).join('\n')),
]);

const Conversation = z.object({
  /** Whatever role it claims, it is the user's. */
  userMessage: z.union([z.string().min(1), z.object({ content: Content }).transform(({ content }) => content)]),
  messages: z.array(z.object({ role: z.enum(['user', 'assistant']), content: Content })).default([]),
});

/** Where a body with `userMessage` is no conversation; none for any other body. */
export function conversationFaults(inputParams: unknown): readonly SchemaFault[] {
  if (!isConversation(inputParams)) return [];
  return (Conversation.safeParse(inputParams).error?.issues ?? []).slice(0, FAULTS_MAX).map(toFault);
}

/**
 * The messages that a run begins with. A body with `userMessage` is a conversation: that message, and before it the
 * last `messageHistoryLimit` of `messages`. Any other body becomes the user's one message, through `inputTemplate` or
 * as it came. Whatever a body says, it never gets the role of the system.
 *
 * @throws AppError WORKER_INPUT_REFUSED when {@link conversationFaults} finds some; TEMPLATE_FAILED.
 */
export function openingMessages(
  { messageHistoryLimit, inputTemplate }: AgentDefinition,
  { inputParams, inputText, callId, executionId, webhookId }: WorkerRun,
): ModelMessage[] {
  if (isConversation(inputParams)) {
    const parsed = Conversation.safeParse(inputParams);
    if (!parsed.success) throw new AppError('WORKER_INPUT_REFUSED');
    const { userMessage, messages } = parsed.data;
    const recent = messageHistoryLimit === 0 ? [] : messages.slice(-messageHistoryLimit);
    // Some providers take no conversation that the assistant begins.
    const first = recent.findIndex(({ role }) => role === 'user');
    const history = first === -1 ? [] : recent.slice(first);
    return [...history, { role: 'user', content: userMessage }];
  }
  if (inputTemplate === undefined) return [{ role: 'user', content: inputText }];
  const scope = { input: inputParams, callId, executionId, webhookId };
  return [{ role: 'user', content: compileTemplate(inputTemplate).render(scope) }];
}

function isConversation(inputParams: unknown): boolean {
  return typeof inputParams === 'object' && inputParams !== null && Object.hasOwn(inputParams, 'userMessage');
}

function toFault({ path }: z.core.$ZodIssue): SchemaFault {
  const pointer = path.map((key) => `/${String(key)}`).join('');
  const message = pointer.startsWith('/messages')
    ? 'must be messages with the role "user" or "assistant" and a text as content'
    : 'must be a message with a text as content';
  return { pointer, message };
}
