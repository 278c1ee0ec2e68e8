import { AppError } from '../errors.js';
import { assertStorable, compileTemplate, type Template, type TemplateScope, type UsesVariables } from './template.js';

/** JSON whose texts are templates. Its shape is the author's: a value that is filled in can't change it. */
export interface JsonTemplate extends UsesVariables {
  /**
   * The JSON with its templates filled in. A text that is one whole `{{ … }}` becomes the value with its type.
   *
   * @throws AppError TEMPLATE_FAILED with the place of the template.
   */
  evaluate(scope: TemplateScope): unknown;
}

/** Values in one template, and how deep they may lie. */
const VALUES_MAX = 1_000;
const DEPTH_MAX = 32;

/** For all values together, on the only thread there is; a single template has a limit of its own besides. */
const EVALUATE_MS_MAX = 1_000;

/**
 * Parses every text in a JSON value as a template. Names of members stay as they are.
 *
 * @throws AppError TEMPLATE_INVALID with the place of the fault, or when there is too much of it.
 */
export function compileJsonTemplate(value: unknown): JsonTemplate {
  const parts: Parts = { valuesLeft: VALUES_MAX, templates: [] };
  const evaluate = compiled(value, '', 0, parts);
  return {
    evaluate: (scope) => evaluate(scope, performance.now() + EVALUATE_MS_MAX),
    variables: () => parts.templates.flatMap((template) => template.variables()),
  };
}

/** `untilMs` is of the monotonic clock. */
type Evaluate = (scope: TemplateScope, untilMs: number) => unknown;

interface Parts {
  valuesLeft: number;
  readonly templates: Template[];
}

function compiled(value: unknown, at: string, depth: number, parts: Parts): Evaluate {
  parts.valuesLeft -= 1;
  if (parts.valuesLeft < 0) throw new AppError('TEMPLATE_INVALID', `The template has more than ${VALUES_MAX} values.`);
  if (depth > DEPTH_MAX) throw new AppError('TEMPLATE_INVALID', `The template is nested deeper than ${DEPTH_MAX}.`);
  if (typeof value === 'string') {
    const template = placed(at, () => compileTemplate(value));
    parts.templates.push(template);
    return (scope, untilMs) => {
      if (performance.now() > untilMs) throw new AppError('TEMPLATE_FAILED', 'The template takes too long.');
      return placed(at, () => template.evaluate(scope));
    };
  }
  if (Array.isArray(value)) {
    const items = value.map((item: unknown, i) => compiled(item, `${at}/${i}`, depth + 1, parts));
    return (scope, untilMs) => items.map((item) => item(scope, untilMs));
  }
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(([name, member]) => {
      assertStorable(name);
      return [name, compiled(member, `${at}/${name}`, depth + 1, parts)] as const;
    });
    return (scope, untilMs) => Object.fromEntries(members.map(([name, member]) => [name, member(scope, untilMs)]));
  }
  return () => value;
}

/** Says where in the JSON a template failed. */
function placed<T>(at: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof AppError) || at === '') throw error;
    throw new AppError(error.code, `At ${at}: ${error.message}`, { cause: error });
  }
}
