import { statSync } from 'node:fs';
import { dirname } from 'node:path';

/** A user with its one group: the groups that it may have besides are dropped when it is taken on. */
export interface UnixUser {
  readonly uid: number;
  readonly gid: number;
}

const EXECUTE = 0o1;
const READ = 0o4;

/** What a user must be able to do, by absolute path; and to enter every directory above. */
export interface Needs {
  /** Directories to enter. */
  readonly enter: readonly string[];
  /** Directories to read, and to enter. */
  readonly read: readonly string[];
  /** Programs to execute, and to read. */
  readonly execute: readonly string[];
}

/** The first path that the modes of files close to a user, or undefined. Access lists are not looked at. */
export function findDenied(user: UnixUser, needs: Needs): string | undefined {
  const entered = [...needs.enter, ...[...needs.enter, ...needs.read, ...needs.execute].flatMap(directoriesAbove)];
  return (
    entered.find((path) => !allows(user, path, EXECUTE)) ?? findUnreadable(user, [...needs.read, ...needs.execute])
  );
}

/** The first of some directories or programs that its own mode closes to a user. */
export function findUnreadable(user: UnixUser, paths: readonly string[]): string | undefined {
  return paths.find((path) => !allows(user, path, READ | EXECUTE));
}

/** From the root down, without the path itself. */
function directoriesAbove(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [...directoriesAbove(parent), parent];
}

function allows(user: UnixUser, path: string, bits: number): boolean {
  const { uid, gid, mode } = statSync(path);
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0;
  return ((mode >> shift) & bits) === bits;
}
