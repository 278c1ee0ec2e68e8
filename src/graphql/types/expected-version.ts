/** The field of every input that changes what may have changed since it was read. */
export const EXPECTED_VERSION = {
  nullable: true,
  description: 'The version that you have seen: when there is a newer one, nothing changes (CONFLICT).',
} as const;
