import { compileJsonTemplate, type JsonTemplate } from '../../templates/json-template.js';
import {
  compileCondition,
  compileTemplate,
  compileUrlTemplate,
  type Condition,
  type Template,
} from '../../templates/template.js';
import { urlFault } from '../http/http-url.js';
import type { DefinitionReader, Place } from './definition-reader.js';
import type { StepReferences, Visible } from './step-references.js';
import type { HttpStep } from './workflow.js';

/** Parses the templates of steps; what they refer to is checked with them. */
export class StepTemplates {
  readonly #reader: DefinitionReader;
  readonly #references: StepReferences;

  constructor(reader: DefinitionReader, references: StepReferences) {
    this.#reader = reader;
    this.#references = references;
  }

  json(value: unknown, at: Place, visible: Visible): JsonTemplate | undefined {
    const template = this.#reader.parsed(at, () => compileJsonTemplate(value));
    return this.#references.check(template, at, visible);
  }

  text(text: string, at: Place, visible: Visible): Template | undefined {
    const template = this.#reader.parsed(at, () => compileTemplate(text));
    return this.#references.check(template, at, visible);
  }

  /** An object of texts, such as headers. */
  texts(value: unknown, at: Place, visible: Visible): Readonly<Record<string, Template>> {
    if (value === undefined) return {};
    const members = this.#reader.object(value, at, 'This');
    const entries = Object.entries(members ?? {}).flatMap(([name, text]): [string, Template][] => {
      const template = typeof text === 'string' ? this.text(text, [...at, name], visible) : undefined;
      if (typeof text !== 'string') this.#reader.fault([...at, name], 'This is a text.', 'INVALID');
      return template === undefined ? [] : [[name, template]];
    });
    return Object.fromEntries(entries);
  }

  condition(value: unknown, at: Place, visible: Visible): Condition | undefined {
    const text = this.#reader.text(value, at, 'A condition');
    if (text === undefined) return undefined;
    const condition = this.#reader.parsed(at, () => compileCondition(text));
    return this.#references.check(condition, at, visible);
  }

  path(value: unknown, at: Place, visible: Visible): HttpStep['path'] | undefined {
    const text = this.#reader.text(value, at, "A path below the connection's base URL");
    if (text === undefined) return undefined;
    const fault = urlFault(text, true);
    if (fault !== undefined) return this.#reader.fault(at, fault, 'INVALID');
    return this.#references.check(compileUrlTemplate(text), at, visible);
  }
}
