import { compileSchema, type SchemaValidator } from '../schema-validator.js';
import type { JsonSchema } from '../worker.entities.js';

/** What an answer that must be JSON is. */
export type StructuredAnswer =
  | { readonly ok: true; readonly object: unknown }
  /** For the model to read: what is wrong with it. */
  | { readonly ok: false; readonly faults: string };

/** Reads answers that must fit a schema. */
export class StructuredOutput {
  readonly #validate: SchemaValidator;

  constructor(readonly schema: JsonSchema) {
    this.#validate = compileSchema(schema, { trusted: false });
  }

  read(text: string): StructuredAnswer {
    let object: unknown;
    try {
      object = JSON.parse(withoutFence(text));
    } catch {
      return { ok: false, faults: 'it is not JSON' };
    }
    const faults = this.#validate(object);
    if (faults.length === 0) return { ok: true, object };
    const listed = faults.slice(0, 10).map(({ pointer, message }) => `${pointer || '/'}: ${message}`);
    return { ok: false, faults: listed.join('; ') };
  }
}

/** Models that cannot be held to a schema like to put their JSON into a block of Markdown. */
function withoutFence(text: string): string {
  return /^\s*```(?:json)?\s*\n([\s\S]*?)\n?```\s*$/i.exec(text)?.[1] ?? text;
}
