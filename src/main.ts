#!/usr/bin/env node
import { AppError, codeOf, messageOf } from './errors.js';
import { readConfig } from './config.js';

const USAGE = `workhook <command>

  start              run the gateway (the roles in ROLES)
  migrate            bring the database's schema up to date, and end
  login              make a one-time login link for the owner and print it
  token [name]       make an API token for the owner and print it once
  workflow validate FILE      check a workflow's definition, YAML or JSON
  workflow apply FILE NAME    make it the workflow of this name, a new version if it changed
  rewrap             put every stored secret under the first of the encryption keys
  audit              check the chain of the audit log, and end
  schema [--check]   write schema.graphql, or only compare it
  openapi [--check]  write openapi.json, or only compare it

Settings come from the environment; the README lists them.`;

/** How long a process may linger after its command has ended. */
const LINGER_MS = 2_000;

/** Runs one command; its promise is the process's life. */
async function main(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  // Each command loads its own part of the program: a wrong setting is told before the rest is read.
  switch (command) {
    case 'start': {
      const config = readConfig(process.env);
      return (await import('./commands/start.js')).startCommand(config);
    }
    case 'migrate': {
      const config = readConfig(process.env);
      return (await import('./commands/migrate.js')).migrateCommand(config);
    }
    case 'login': {
      const config = readConfig(process.env);
      return (await import('./commands/login.js')).loginCommand(config);
    }
    case 'token': {
      const config = readConfig(process.env);
      return (await import('./commands/token.js')).tokenCommand(config, rest[0]);
    }
    case 'workflow':
      return (await import('./commands/workflow.js')).workflowCommand(() => readConfig(process.env), rest);
    case 'rewrap': {
      const config = readConfig(process.env);
      return (await import('./commands/rewrap.js')).rewrapCommand(config);
    }
    case 'audit': {
      const config = readConfig(process.env);
      return (await import('./commands/audit.js')).auditCommand(config);
    }
    case 'openapi':
      return (await import('./commands/openapi.js')).openapiCommand({ check: rest.includes('--check') });
    case 'schema':
      return (await import('./commands/schema.js')).schemaCommand({ check: rest.includes('--check') });
    default:
      console.error(USAGE);
      return command === undefined || command === 'help' || command === '--help' ? 0 : 1;
  }
}

process.on('uncaughtException', (error) => {
  console.error(`workhook: an error was thrown and nobody caught it: ${describe(error)}`);
  process.exit(1);
});

process.on('unhandledRejection', (reason) => {
  // Not the error itself: a driver's error carries values of the statement.
  console.error(`workhook: a promise was rejected and nobody listened: ${describe(reason)}`);
  process.exit(1);
});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`workhook: ${error instanceof AppError ? error.message : describe(error)}`);
  process.exitCode = 1;
}

// Everything is closed by now. A handle that somebody forgot must not keep the process alive.
setTimeout(() => process.exit(), LINGER_MS).unref();

/** One line for a person; what we did not foresee also shows where it came from. */
function describe(error: unknown): string {
  const code = codeOf(error);
  if (code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'ETIMEDOUT' || code?.startsWith('28')) {
    return `The database cannot be reached: ${messageOf(error) || code}`;
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
