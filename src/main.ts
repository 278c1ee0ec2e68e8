#!/usr/bin/env node
import { AppError, codeOf, messageOf } from './errors.js';
import { readConfig } from './config.js';
import { migrateCommand } from './commands/migrate.js';
import { schemaCommand } from './commands/schema.js';
import { startCommand } from './commands/start.js';
import { tokenCommand } from './commands/token.js';

const USAGE = `workhook <command>

  start              run the gateway (the roles in ROLES)
  migrate            bring the database's schema up to date, and end
  token [name]       make an API token for the owner and print it once
  schema [--check]   write schema.graphql, or only compare it

Settings come from the environment; the README lists them.`;

/** Runs one command; its promise is the process's life. */
async function main(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  switch (command) {
    case 'start':
      return startCommand(readConfig(process.env));
    case 'migrate':
      return migrateCommand(readConfig(process.env));
    case 'token':
      return tokenCommand(readConfig(process.env), rest[0]);
    case 'schema':
      return schemaCommand({ check: rest.includes('--check') });
    default:
      console.error(USAGE);
      return command === undefined || command === 'help' || command === '--help' ? 0 : 1;
  }
}

process.on('unhandledRejection', (reason) => {
  console.error('workhook: a promise was rejected and nobody listened', reason);
  process.exit(1);
});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`workhook: ${error instanceof AppError ? error.message : describe(error)}`);
  process.exitCode = 1;
}

/** One line for a person; what we did not foresee also shows where it came from. */
function describe(error: unknown): string {
  const code = codeOf(error);
  if (code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'ETIMEDOUT' || code?.startsWith('28')) {
    return `The database cannot be reached: ${messageOf(error) || code}`;
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
