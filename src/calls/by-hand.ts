/**
 * The webhook whose calls are the runs by hand (docs/adr/0030): nobody has made it, and nobody can POST to it. Its row is
 * made with the first of them.
 */
export const BY_HAND_WEBHOOK_ID = '00000000-0000-4000-8000-000000000000';
