import type { JsonText } from '../../../lib/json-text.js';
import type { TemplateScope } from '../../../templates/template.js';
import type { StepError } from '../../worker-run.js';

/** What a step came to. */
export interface StepOutcome {
  /** As JSON text, number for number; of a step that was skipped, or failed, `null`. */
  readonly output: JsonText;
  readonly error?: StepError;
}

/** What templates see at one place of a run. It never changes: what a step adds makes another one. */
export class StepScope {
  readonly values: TemplateScope;

  constructor(values: TemplateScope) {
    this.values = values;
  }

  /** With the outcomes of more steps, by their ids. */
  with(outcomes: Readonly<Record<string, StepOutcome>>): StepScope {
    const shown = Object.entries(outcomes).map(([id, { output, error }]) => [
      id,
      { result: JSON.parse(output) as unknown, error: error ?? null },
    ]);
    const steps = { ...(this.values['steps'] as object), ...(Object.fromEntries(shown) as object) };
    return new StepScope({ ...this.values, steps });
  }

  /** Inside of a `foreach`. */
  withItem(item: unknown, index: number): StepScope {
    return new StepScope({ ...this.values, item, index });
  }
}
