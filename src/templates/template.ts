import { Context, Liquid, type Template as ParsedTemplate, toValueSync, Value } from 'liquidjs';
import { AppError, messageOf } from '../errors.js';

/**
 * The one template language of the house: LiquidJS without files, with limits, own properties only. No JavaScript
 * runs in a template, so a payload or a user can at worst make one fail.
 */

/** A variable with what is asked of it, such as `['steps', 'draft', 'result']`; a name that is not fixed is `null`. */
export type VariablePath = readonly (string | number | null)[];

/** What can say which variables it uses; those that it defines itself are left out. */
export interface UsesVariables {
  variables(): readonly VariablePath[];
}

/** A template that was parsed once and is filled in often. */
export interface Template extends UsesVariables {
  /**
   * The text with its values filled in.
   *
   * @throws AppError TEMPLATE_FAILED: a variable is not there, or a limit was reached.
   */
  render(scope: TemplateScope): string;
  /**
   * As {@link render}, but a template that is one whole `{{ … }}` gives its value with its type: a number, an array.
   *
   * @throws AppError TEMPLATE_FAILED.
   */
  evaluate(scope: TemplateScope): unknown;
}

/** A condition that was parsed once, such as `input.amount > 100 and input.currency == "EUR"`. */
export interface Condition extends UsesVariables {
  /**
   * Whether it holds. A variable that is not there is nil: it equals nothing but nil and is never more or less.
   *
   * @throws AppError TEMPLATE_FAILED when a limit was reached or a filter failed.
   */
  holds(scope: TemplateScope): boolean;
}

/** The names that a template can use. Their values are plain JSON. */
export type TemplateScope = Readonly<Record<string, unknown>>;

/** Characters of one template. */
const TEMPLATE_CHARACTERS_MAX = 100_000;

const RENDER_MS_MAX = 250;
/** LiquidJS's own measure: about the characters and elements that filters make. */
const MEMORY_MAX = 10_000_000;

const OPTIONS = {
  ownPropertyOnly: true,
  strictFilters: true,
  templates: {}, // nothing can be included, so no file is ever read
  timezoneOffset: 0,
  parseLimit: TEMPLATE_CHARACTERS_MAX,
  renderLimit: RENDER_MS_MAX,
  memoryLimit: MEMORY_MAX,
} as const;

const strict = new Liquid({ ...OPTIONS, strictVariables: true });
const lenient = new Liquid({ ...OPTIONS, strictVariables: false });
const inUrls = new Liquid({ ...OPTIONS, strictVariables: true, outputEscape: urlComponent });
delete inUrls.filters['raw']; // it would let a value through as it is

/** One output and nothing around it; what is inside has no closing braces of its own. */
const WHOLE = /^\s*\{\{-?((?:(?!\}\}).)*?)-?\}\}\s*$/s;

const DANGLING_OPERATOR = /(==|!=|[<>]=?|\b(?:contains|and|or|not))$/;

/**
 * Parses a template.
 *
 * @throws AppError TEMPLATE_INVALID with the place of the fault.
 */
export function compileTemplate(text: string): Template {
  assertStorable(text);
  const parsed = compiled(() => strict.parse(text));
  const whole = WHOLE.exec(text)?.[1];
  const value = whole === undefined ? undefined : compiled(() => new Value(whole.trim(), strict));
  const render = (scope: TemplateScope): string => filledIn(() => strict.renderSync(parsed, scope) as string);
  return {
    render,
    evaluate: (scope) => (value === undefined ? render(scope) : valueOf(value, strict, scope)),
    variables: () => variablesOf(strict, parsed),
  };
}

/**
 * Parses a template of a URL or of its path. Every value is percent-encoded: it stays one segment, or one parameter,
 * whatever is in it. Before the query no value may be empty: `/orders/{{ input.id }}` without an id is another place.
 *
 * @throws AppError TEMPLATE_INVALID with the place of the fault.
 */
export function compileUrlTemplate(text: string): Pick<Template, 'render' | 'variables'> {
  assertStorable(text);
  const parsed = compiled(() => inUrls.parse(text));
  return {
    render: (scope) =>
      filledIn(() => {
        const url = inUrls.renderSync(parsed, scope) as string;
        if (url.split('?', 1)[0]!.includes(EMPTY)) throw new TypeError('a value in the path is empty');
        return url.replaceAll(EMPTY, '');
      }),
    variables: () => variablesOf(inUrls, parsed),
  };
}

/** Whether a text has anything to fill in. */
export function isTemplate(text: string): boolean {
  return /\{[{%]/.test(text);
}

/**
 * Parses a condition, with or without `{{ }}` around it.
 *
 * @throws AppError TEMPLATE_INVALID with the place of the fault.
 */
export function compileCondition(text: string): Condition {
  assertStorable(text);
  const inner = (WHOLE.exec(text)?.[1] ?? text).trim();
  if (inner === '') throw new AppError('TEMPLATE_INVALID', 'The condition is empty.');
  if (/\{%|%\}/.test(inner)) throw new AppError('TEMPLATE_INVALID', 'A condition is one expression without tags.');
  // LiquidJS takes an operator without a right side and calls the whole thing false.
  const dangling = DANGLING_OPERATOR.exec(inner)?.[1];
  if (dangling !== undefined) throw new AppError('TEMPLATE_INVALID', `Something is missing after "${dangling}".`);
  const parsed = compiled(() => lenient.parse(`{% if ${inner} %}1{% endif %}`));
  return {
    holds: (scope) => filledIn(() => lenient.renderSync(parsed, scope) as string) === '1',
    variables: () => variablesOf(lenient, parsed),
  };
}

function variablesOf(engine: Liquid, parsed: ParsedTemplate[]): readonly VariablePath[] {
  const paths = engine.globalVariableSegmentsSync(parsed, { partials: false });
  return paths.map((segments) => segments.map((segment) => (Array.isArray(segment) ? null : segment)));
}

/** Stands for an empty value until it is known where: no encoded value has it. */
const EMPTY = '\u0001';

function urlComponent(value: unknown): string {
  if (value === null || value === undefined || value === '') return EMPTY;
  if (typeof value === 'object') throw new TypeError('an object or array cannot stand in a URL');
  return encodeURIComponent(typeof value === 'string' ? value : JSON.stringify(value));
}

function valueOf(value: Value, engine: Liquid, scope: TemplateScope): unknown {
  return filledIn(() => {
    const context = new Context(scope, engine.options, { sync: true }, { liquid: engine });
    return toValueSync(value.value(context));
  });
}

/**
 * PostgreSQL keeps neither U+0000 nor half a surrogate pair.
 *
 * @throws AppError TEMPLATE_INVALID.
 */
export function assertStorable(text: string): void {
  if (!text.isWellFormed() || text.includes('\0')) {
    throw new AppError('TEMPLATE_INVALID', 'The template has characters in it that cannot be stored.');
  }
}

function compiled<T>(compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    throw new AppError('TEMPLATE_INVALID', `The template is not valid: ${firstLine(error)}`, { cause: error });
  }
}

/** The message names the variable or the limit, never a value. */
function filledIn<T>(fill: () => T): T {
  try {
    return fill();
  } catch (error) {
    throw new AppError('TEMPLATE_FAILED', `The template could not be filled in: ${firstLine(error)}`, { cause: error });
  }
}

function firstLine(error: unknown): string {
  return messageOf(error).split('\n', 1)[0]!.slice(0, 500);
}
