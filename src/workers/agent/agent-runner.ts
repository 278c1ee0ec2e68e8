import { AppError } from '../../errors.js';
import { toJsonText } from '../../lib/json-text.js';
import type { ModelDesk, ModelMessage } from '../../models/model-desk.js';
import type { SchemaFault } from '../schema-validator.js';
import type { LoadedWorker, WorkerKindRunner, WorkerOutput, WorkerRun } from '../worker-run.js';
import { type AgentDefinition, readAgentDefinition } from './agent-definition.js';
import { AnswerText } from './answer-text.js';

import { ModelSteps, type StepQuestion } from './model-steps.js';
import { conversationFaults, openingMessages } from './opening-messages.js';
import { openTools, type ToolSources } from './open-tools.js';
import { StructuredOutput } from './structured-output.js';
import { ToolBox } from './tool-box.js';
import { answerToolCalls } from './tool-calls.js';

export interface AgentWorkerRunnerOptions extends ToolSources {
  readonly models: ModelDesk;
  /** The longest `content`, in bytes of JSON. Half of what a result may have by default: `object` says it again. */
  readonly contentBytesMax?: number;
}

const CONTENT_BYTES_MAX = 500_000;

/** How often an answer that does not fit the output schema may be given again. */
const REPEATS_MAX = 2;

/** After so many steps of nothing but misused tools, the model has to do without them. */
const MISUSES_MAX = 3;

const OUTPUT_NAME = 'answer';

/**
 * Runs agents: a model, its instructions, and the tools that it may use. Model steps and tool calls are steps of the
 * execution (`step-1`, `step-1/tools/1-search`, `step-2` …), and an attempt goes on where the one before it stopped.
 *
 * The last step that it may make, and one after it misused its tools again and again, must be an answer.
 */
export class AgentWorkerRunner implements WorkerKindRunner {
  readonly kind = 'AGENT';
  readonly #options: AgentWorkerRunnerOptions;

  constructor(options: AgentWorkerRunnerOptions) {
    this.#options = options;
  }

  inputFaults(inputParams: unknown): readonly SchemaFault[] {
    return conversationFaults(inputParams);
  }

  /**
   * @throws AppError AGENT_STEPS_EXHAUSTED, AGENT_OUTPUT_INVALID, WORKER_INPUT_REFUSED, TEMPLATE_FAILED,
   *   MCP_UNAVAILABLE; what the model desk throws.
   */
  async run(worker: LoadedWorker, run: WorkerRun): Promise<WorkerOutput> {
    const definition = readAgentDefinition(worker.id, worker.definition);
    const messages = openingMessages(definition, run);
    const tools = await openTools(this.#options, definition, run);
    try {
      return await this.#converse(definition, worker, run, messages, new ToolBox(tools.tools));
    } finally {
      await tools.close();
    }
  }

  async #converse(
    definition: AgentDefinition,
    { outputSchema }: LoadedWorker,
    run: WorkerRun,
    messages: ModelMessage[],
    toolBox: ToolBox,
  ): Promise<WorkerOutput> {
    const output = outputSchema === null ? undefined : new StructuredOutput(outputSchema);
    // Pieces of JSON are of no use to a reader, and the answer may have to be given again: it is streamed as a whole.
    const text = new AnswerText(
      output === undefined ? run.emitText : () => undefined,
      this.#options.contentBytesMax ?? CONTENT_BYTES_MAX,
    );
    const modelSteps = new ModelSteps(this.#options.models, run, text);
    let [misuses, repeats] = [0, 0];
    for (let number = 1; ; number += 1) {
      const path = `step-${number}`;
      const mustAnswer = number >= definition.stepsMax || misuses >= MISUSES_MAX || repeats > 0;
      const asked = question(definition, toolBox, output, mustAnswer);
      const step = await modelSteps.take(path, asked, messages).catch((error: unknown) => {
        throw isToolRequest(error) ? stepsExhausted(number) : error;
      });
      if (!isEmpty(step.message)) messages.push(step.message);
      if (step.toolCalls.length > 0) {
        if (mustAnswer) throw stepsExhausted(number);
        const answers = await answerToolCalls(toolBox, run, path, step.toolCalls);
        messages.push(answers.message);
        misuses = answers.allMisused ? misuses + 1 : 0;
        continue;
      }
      const truncated = step.cutShort || text.full ? true : undefined;
      if (output === undefined) {
        return { result: toJsonText({ role: 'assistant', content: text.content, truncated }) };
      }
      const answer = output.read(step.text);
      if (answer.ok) {
        run.emitText(step.text);
        const result = { role: 'assistant', content: step.text, object: answer.object };
        return { result: toJsonText(result) };
      }
      if (repeats >= REPEATS_MAX) throw outputInvalid(answer.faults);
      repeats += 1;
      messages.push({ role: 'user', content: repeatRequest(answer.faults) });
    }
  }
}

function question(
  { instructions, modelId, temperature, outputTokensMax }: AgentDefinition,
  toolBox: ToolBox,
  output: StructuredOutput | undefined,
  mustAnswer: boolean,
): StepQuestion {
  const tools = toolBox.tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
  return {
    modelId,
    instructions,
    tools,
    ...(tools.length > 0 && { toolChoice: mustAnswer ? ('none' as const) : ('auto' as const) }),
    ...(output !== undefined && { output: { name: OUTPUT_NAME, schema: output.schema } }),
    ...(temperature !== undefined && { temperature }),
    ...(outputTokensMax !== undefined && { outputTokensMax }),
  };
}

/** The SDK does not let a tool call through that was forbidden. */
function isToolRequest(error: unknown): boolean {
  return error instanceof AppError && error.code === 'MODEL_ASKED_FOR_TOOL';
}

/** A model may end without a word; no provider takes that back as a message. */
function isEmpty({ content }: ModelMessage): boolean {
  return content.length === 0;
}

function stepsExhausted(steps: number): AppError {
  return new AppError('AGENT_STEPS_EXHAUSTED', `The agent still asked for tools in its last step, ${steps}.`);
}

function outputInvalid(faults: string): AppError {
  const message = `The agent's answer does not fit its output schema: ${faults}.`;
  return new AppError('AGENT_OUTPUT_INVALID', message.slice(0, 2_000));
}

function repeatRequest(faults: string): string {
  return `Your answer does not fit the JSON Schema that it must fit: ${faults}. Give the whole answer again, as JSON and nothing else.`;
}
