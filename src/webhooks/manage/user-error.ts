export type { Outcome, UserError } from '../../lib/user-error.js';
