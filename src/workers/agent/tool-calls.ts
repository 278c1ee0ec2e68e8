import { z } from 'zod';
import { AppError } from '../../errors.js';
import { toJsonText } from '../../lib/json-text.js';
import type { ModelMessage, ModelToolCall } from '../../models/model-desk.js';
import type { WorkerRun } from '../worker-run.js';
import type { ToolBox, ToolResult } from './tool-box.js';

/** More calls in one step are refused: the model reads that, and asks for less. */
const CALLS_MAX = 16;

/** What a step's tool calls came to. */
export interface ToolAnswers {
  readonly message: ModelMessage;
  /** Every one of them was a misuse: the model does not get along with its tools. */
  readonly allMisused: boolean;
}

/**
 * Does the tool calls of a model step at the same time. Each is a durable step: one whose result is stored is not done
 * again. One that a crash cut off is, so a tool can be called twice.
 *
 * @param path of the model step, which theirs go below.
 */
export async function answerToolCalls(
  toolBox: ToolBox,
  run: WorkerRun,
  path: string,
  calls: readonly ModelToolCall[],
): Promise<ToolAnswers> {
  const settled = await Promise.allSettled(
    calls.map((call, i) => answer(toolBox, run, `${path}/tools/${i + 1}-${pathPart(call.name)}`, call, i)),
  );
  // Only now, when none is under way any more: what the others came to is stored.
  const results = settled.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
  const content = calls.map(({ id, name }, i) => {
    const { text, isError } = results[i]!;
    const output = { type: isError ? ('error-text' as const) : ('text' as const), value: text };
    return { type: 'tool-result' as const, toolCallId: id, toolName: name, output };
  });
  return { message: { role: 'tool', content }, allMisused: results.every(({ misused }) => misused === true) };
}

/** A name that a model made up can have anything in it. */
function pathPart(name: string): string {
  return name.slice(0, 64).replaceAll(/[^\w-]/g, '_');
}

async function answer(
  toolBox: ToolBox,
  run: WorkerRun,
  path: string,
  call: ModelToolCall,
  index: number,
): Promise<ToolResult> {
  const { steps, signal } = run;
  const finished = steps.finished(path);
  if (finished !== undefined) return readResult(finished.output);
  await steps.start(path);
  const result =
    index < CALLS_MAX
      ? await toolBox.call(call, path, signal)
      : { text: `At most ${CALLS_MAX} tools are called at once.`, isError: true };
  await steps.finish(path, { output: toJsonText(result) });
  return result;
}

const Result = z.object({
  text: z.string(),
  isError: z.boolean(),
  misused: z.boolean().exactOptional(),
  truncated: z.boolean().exactOptional(),
});

function readResult(output: string): ToolResult {
  const parsed = Result.safeParse(JSON.parse(output));
  if (parsed.success) return parsed.data;
  throw new AppError('INTERNAL_SERVER_ERROR', undefined, { detail: 'a stored tool result is not one' });
}
