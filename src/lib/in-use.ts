import type { UserError } from './user-error.js';

/** Something that uses what is to be deleted; its id in the public form. */
export interface NamedUser {
  readonly id: string;
  readonly name: string;
}

/**
 * Why something can't be deleted: one fault that names its users, or none when nobody uses it.
 *
 * @param who the users, in the plural (`webhooks`).
 * @param what what they use, as the sentence ends with it (`this worker`).
 */
export function inUseFaults(
  users: readonly NamedUser[],
  who: string,
  what: string,
  code: string,
): readonly UserError[] {
  if (users.length === 0) return [];
  const names = users.map(({ id, name }) => `${name} (${id})`).join(', ');
  return [{ field: ['id'], message: `These ${who} use ${what}: ${names}.`, code }];
}
