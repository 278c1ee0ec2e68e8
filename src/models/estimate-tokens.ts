import type { ModelStepRequest } from './model-desk.js';

/** The usual rule of thumb for English. It is used only where a provider does not count, and to reserve. */
const CHARACTERS_PER_TOKEN = 4;

/** About how many tokens a text has. */
export function estimateTokens(text: string): number {
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN);
}

/** About how many tokens go into a step. */
export function estimatePromptTokens(prompt: Pick<ModelStepRequest, 'instructions' | 'messages' | 'tools'>): number {
  return estimateTokens(JSON.stringify([prompt.instructions ?? '', prompt.messages, prompt.tools]));
}
