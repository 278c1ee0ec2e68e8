/** What a program of PostgreSQL needs of our environment: a PGPORT must not reach it, and our secrets neither. */
const PASSED_ON = ['PATH', 'SystemRoot', 'TEMP', 'TMP'] as const;

/**
 * @param stalePid an id in a pid file that belongs to another program now. PostgreSQL takes any living process of that
 *   id for a server, except its own grandparent (`CreateLockFile` in its `src/backend/utils/init/miscinit.c`). Naming
 *   it so keeps the other check of that file, whether orphans of the dead server still use its memory; removing the
 *   file would lose that.
 */
export function serverEnvironment(stalePid?: number): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { LC_ALL: 'C', TZ: 'UTC' };
  for (const name of PASSED_ON) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  if (stalePid !== undefined) environment['PG_GRANDPARENT_PID'] = String(stalePid);
  return environment;
}
