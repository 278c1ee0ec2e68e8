/** The UUIDs between which every UUIDv7 of one millisecond lies, both included. */
export interface UuidRange {
  readonly firstId: string;
  readonly lastId: string;
}

/** Where the executions of a call, or the call of an execution, are to be found: they carry the same millisecond. */
export function millisecondRange(uuidV7: string): UuidRange {
  const time = uuidV7.slice(0, 13);
  return { firstId: `${time}-0000-0000-000000000000`, lastId: `${time}-ffff-ffff-ffffffffffff` };
}
