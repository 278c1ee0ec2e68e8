/** The field of every input that makes something. */
export const IDEMPOTENCY_KEY = {
  nullable: true,
  description:
    'Asked again with the same one within 24 hours, nothing new is made and the same thing is given, without what is shown only once. 1 to 255 printable ASCII characters.',
} as const;
