import type { UsesVariables, VariablePath } from '../../templates/template.js';
import type { DefinitionReader, Place } from './definition-reader.js';

/** What the templates at one place of a workflow can see. */
export interface Visible {
  /** The ids of the steps that stand before it, in an order that always leads past them. */
  readonly steps: ReadonlySet<string>;
  readonly inForeach: boolean;
}

/** What can be asked of a step: `steps.<id>.result`, `steps.<id>.error`. */
const STEP_MEMBERS: readonly unknown[] = ['result', 'error'];

/** Checks what templates refer to. A step may be named before it was read, so the answers come at the end. */
export class StepReferences {
  readonly #reader: DefinitionReader;
  readonly #toSteps: { readonly id: string; readonly at: Place; readonly visible: Visible }[] = [];

  constructor(reader: DefinitionReader) {
    this.#reader = reader;
  }

  /** Takes note of what a template uses. */
  check<T extends UsesVariables>(template: T | undefined, at: Place, visible: Visible): T | undefined {
    for (const path of template?.variables() ?? []) this.#checkOne(path, at, visible);
    return template;
  }

  /** Notes the faults of all references to steps. */
  end(ids: ReadonlySet<string>): void {
    for (const { id, at, visible } of this.#toSteps) {
      if (visible.steps.has(id)) continue;
      const message = ids.has(id)
        ? `The step "${id}" cannot be seen here: it does not stand before this one, or it is inside of another step.`
        : `There is no step "${id}".`;
      this.#reader.fault(at, message, ids.has(id) ? 'STEP_NOT_VISIBLE' : 'UNKNOWN_STEP');
    }
  }

  #checkOne([root, id, member]: VariablePath, at: Place, visible: Visible): void {
    if (root === 'input') return;
    if (root === 'item' || root === 'index') {
      if (!visible.inForeach)
        this.#reader.fault(at, `"${root}" is there only inside of a foreach.`, 'UNKNOWN_VARIABLE');
      return;
    }
    if (root !== 'steps') {
      const message = `There is no "${root}" here, only input, steps and, inside of a foreach, item and index.`;
      this.#reader.fault(at, message, 'UNKNOWN_VARIABLE');
    } else if (typeof id !== 'string' || !STEP_MEMBERS.includes(member)) {
      this.#reader.fault(
        at,
        'Name what you want of a step: steps.<id>.result or steps.<id>.error.',
        'UNKNOWN_VARIABLE',
      );
    } else {
      this.#toSteps.push({ id, at, visible });
    }
  }
}
