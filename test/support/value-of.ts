import type { Outcome } from '../../src/lib/user-error.js';

/** What a use case did. @throws Error with its user errors when it refused. */
export function valueOf<T>(outcome: Outcome<T>): T {
  if (outcome.ok) return outcome.value;
  throw new Error(JSON.stringify(outcome.userErrors));
}
