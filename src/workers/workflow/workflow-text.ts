import { isScalar, parseDocument, stringify } from 'yaml';
import { messageOf } from '../../errors.js';
import { type Outcome, refused, succeeded } from '../../lib/user-error.js';
import { WORKFLOW_LIMITS } from './workflow-limits.js';

/** How often anchors of a text may be repeated: a few lines of YAML can otherwise stand for gigabytes. */
const ALIASES_MAX = 100;

/**
 * Reads a definition that is written in YAML 1.2 (which JSON is part of): plain values only, no tags, no merge keys,
 * no name twice.
 *
 * @returns what the text says, whatever that is; the first faults with their lines.
 */
export function readWorkflowText(text: string): Outcome<unknown> {
  if (Buffer.byteLength(text) > WORKFLOW_LIMITS.definitionBytes) {
    return fault(`A definition has at most ${WORKFLOW_LIMITS.definitionBytes} bytes.`, 'TOO_LARGE');
  }
  try {
    const document = parseDocument(text, { schema: 'core', resolveKnownTags: false, logLevel: 'error' });
    const problems = [...document.errors, ...document.warnings].slice(0, 5);
    if (problems.length > 0) return fault(problems.map(({ message }) => message.split('\n', 1)[0]).join(' '));
    return succeeded(document.toJS({ maxAliasCount: ALIASES_MAX }) as unknown);
  } catch (error) {
    return fault(`This cannot be read: ${messageOf(error)}`);
  }
}

/** The order in which people write these members; the database keeps none. */
const ORDER = ['version', 'input', 'steps', 'output', 'id', 'if'];

/** Writes a definition as YAML that {@link readWorkflowText} gives back. */
export function printWorkflowText(definition: unknown): string {
  return stringify(definition, {
    lineWidth: 110,
    aliasDuplicateObjects: false,
    sortMapEntries: (a, b) => rankOf(a.key) - rankOf(b.key),
  });
}

function rankOf(key: unknown): number {
  const rank = ORDER.indexOf(String(isScalar(key) ? key.value : key));
  return rank === -1 ? ORDER.length : rank;
}

function fault(message: string, code = 'INVALID_YAML'): Outcome<never> {
  return refused({ field: [], message, code });
}
