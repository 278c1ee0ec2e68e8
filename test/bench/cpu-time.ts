import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts a process's CPU time in hundredths of a second. */
const TICK_US = 10_000;

/** The processes of a gateway's embedded PostgreSQL are those whose parent is the one that works in `dataDir`. */
export function postgresPids(dataDir: string): number[] {
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const server = processes.find((pid) => commandOf(pid).includes(dataDir) && /postgres/.test(commandOf(pid)));
  return processes.filter((pid) => pid === server || (server !== undefined && statOf(pid)?.parent === server));
}

/** The CPU time that processes have used so far, in microseconds; 0 for one that is gone. */
export function cpuTimeUs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (statOf(pid)?.cpuUs ?? 0), 0);
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // it has just ended
  }
}

/** https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: fields 4, 14 and 15, counted behind the name. */
function statOf(pid: number): { readonly parent: number; readonly cpuUs: number } | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return { parent: Number(fields[1]), cpuUs: (Number(fields[11]) + Number(fields[12])) * TICK_US };
  } catch {
    return undefined; // it has just ended
  }
}
