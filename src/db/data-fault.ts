import { codeOf } from '../errors.js';

/**
 * Whether an error blames the data: SQLSTATE class 22 (data exception), 23 (integrity constraint) or 54 (program limit
 * exceeded). Trying the same again changes nothing, and what shared its statement may go through without it.
 * https://www.postgresql.org/docs/18/errcodes-appendix.html
 */
export function isDataFault(error: unknown): boolean {
  return /^(?:2[23]|54)/.test(codeOf(error) ?? '');
}
