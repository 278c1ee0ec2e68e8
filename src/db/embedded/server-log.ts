import { closeSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { codeOf } from '../../errors.js';

/** At a start, a log larger than this becomes `postgres.log.1`. The settings keep it to a few lines a start. */
const LOG_BYTES_MAX = 10 * 1024 * 1024;

/** As much of the end as an error message can use. */
const TAIL_BYTES_MAX = 8 * 1024;
const TAIL_LINES_MAX = 5;

/** An open log file, and where this start begins in it. */
export interface ServerLog {
  readonly fd: number;
  /** The last lines that were written since it was opened, as one line. */
  tail(): string;
  close(): void;
}

/** Opens the server's log to append; only its owner can read it. */
export function openServerLog(logFile: string): ServerLog {
  rotate(logFile);
  const fd = openSync(logFile, 'a+', 0o600);
  const startBytes = statSync(logFile).size;
  return { fd, tail: () => tailOf(logFile, startBytes), close: () => closeSync(fd) };
}

function rotate(logFile: string): void {
  try {
    if (statSync(logFile).size > LOG_BYTES_MAX) renameSync(logFile, `${logFile}.1`);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

function tailOf(logFile: string, startBytes: number): string {
  const fd = openSync(logFile, 'r');
  try {
    const endBytes = statSync(logFile).size;
    const from = Math.max(startBytes, endBytes - TAIL_BYTES_MAX);
    const bytes = Buffer.alloc(Math.max(0, endBytes - from));
    const length = readSync(fd, bytes, 0, bytes.length, from);
    return lastLines(bytes.toString('utf8', 0, length));
  } finally {
    closeSync(fd);
  }
}

/** The last lines of a program's output as one line, for an error message. */
export function lastLines(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .slice(-TAIL_LINES_MAX)
    .join(' | ');
}
