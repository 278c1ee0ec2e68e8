import type { ServerAddress } from './postmaster-pid.js';

/**
 * The settings of the embedded server, given on its command line so that a data directory carries none of them and a
 * new version of Workhook can change them. Who wants others runs a PostgreSQL of their own and sets DATABASE_URL.
 * https://www.postgresql.org/docs/18/runtime-config.html
 */
const SETTINGS: Readonly<Record<string, string>> = {
  // What a 202 promises. These are the defaults, and no configuration file may turn them off.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',

  // A few processes with their pools, and room for an operator. An idle connection costs about 2 MB.
  max_connections: '200',
  // Calls and executions of the last hours stay in memory, and a laptop does not notice.
  shared_buffers: '256MB',
  // Few checkpoints: after each one, every page that changes is written whole once. The price is recovery after a
  // crash, which reads at most this much.
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  // Packing those whole pages needs CPU that the gateway can use, and they are rare already.
  wal_compression: 'off',
  // Statements here are short: compiling one costs more than it saves.
  jit: 'off',
  // Reads come from memory, and nothing is replicated: four processes less.
  io_method: 'sync',
  max_logical_replication_workers: '0',

  timezone: 'UTC',
  log_timezone: 'UTC',

  // The log has the life of the server only. Errors and warnings of statements go to the gateway, which knows what it
  // may write; in PostgreSQL's own text they quote values, so payloads and secrets. "log" ranks above "error" here.
  logging_collector: 'off',
  log_destination: 'stderr',
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_checkpoints: 'off',
  log_statement: 'none',
};

/** The arguments that start the server on `address`: on a Unix socket alone, or on Windows on one local port. */
export function serverArguments(clusterDir: string, address: ServerAddress): string[] {
  const listening =
    process.platform === 'win32'
      ? { listen_addresses: address.host, unix_socket_directories: '' }
      : {
          listen_addresses: '',
          unix_socket_directories: quoteListEntry(address.host),
          unix_socket_permissions: '0700',
        };
  const settings = { ...SETTINGS, ...listening, port: String(address.port) };
  return ['-D', clusterDir, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

/** One entry of a list of directories: quoted, it may hold commas and spaces. */
function quoteListEntry(directory: string): string {
  return `"${directory.replaceAll('"', '""')}"`;
}
