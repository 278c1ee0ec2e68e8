/** What a program of PostgreSQL needs of our environment: a PGPORT must not reach it, and our secrets neither. */
const PASSED_ON = ['PATH', 'SystemRoot', 'TEMP', 'TMP'] as const;

/**
 * @param stalePid an id in a pid file that belongs to another program now. PostgreSQL takes any living process of that
 *   id for a server, except its own grandparent (`CreateLockFile` in its `src/backend/utils/init/miscinit.c`). Naming
 *   it so keeps the other check of that file, whether orphans of the dead server still use its memory; removing the
 *   file would lose that.
 */
export function serverEnvironment(stalePid?: number): NodeJS.ProcessEnv {
  const passed = PASSED_ON.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return {
    ...Object.fromEntries(passed),
    LC_ALL: 'C',
    TZ: 'UTC',
    ...(stalePid === undefined ? {} : { PG_GRANDPARENT_PID: String(stalePid) }),
  };
}
