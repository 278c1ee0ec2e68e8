import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

const HOLDER = fileURLToPath(new URL('./embedded-postgres-holder.mjs', import.meta.url));

/** Another process that uses the embedded PostgreSQL. */
export interface Holder {
  readonly reused: boolean;
  readonly fresh: boolean;
  /** Sends a signal and waits for the end of the process. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/** Starts a process that starts or joins the server of a data directory, and waits until it has. */
export async function startHolder(dataDir: string): Promise<Holder> {
  const child = spawn(process.execPath, [HOLDER, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const line = await firstLine(child);
  return {
    ...(JSON.parse(line) as { reused: boolean; fresh: boolean }),
    end: async (signal) => {
      child.kill(signal);
      await exited;
    },
  };
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the holder has no output');
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error('the holder ended without a line');
}

/** The process id in the server's pid file. */
export async function postmasterPid(dataDir: string): Promise<number> {
  return Number.parseInt(await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8'), 10);
}

/** One statement over a connection of its own. */
export async function queryOnce(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url, application_name: `workhook:${process.pid}` });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}
