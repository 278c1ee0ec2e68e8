/** How long each wait lasts, in milliseconds. */
export interface EmbeddedPostgresLimits {
  /** For a start: recovery after a crash reads up to `max_wal_size`. */
  readonly startMs: number;
  /** For a server that says it is ready to accept a connection. */
  readonly connectMs: number;
  /** For a fast shutdown, which writes a checkpoint. */
  readonly stopMs: number;
  /** For an immediate shutdown, after which only SIGKILL is left. */
  readonly quitMs: number;
}

/** Long enough for a slow disk; tests give shorter ones. */
export const DEFAULT_LIMITS: EmbeddedPostgresLimits = {
  startMs: 300_000,
  connectMs: 10_000,
  stopMs: 30_000,
  quitMs: 5_000,
};

/** The longest that one process may hold the startup lock. */
export function lockLimitMs(limits: EmbeddedPostgresLimits): number {
  return limits.startMs + limits.connectMs + limits.stopMs + limits.quitMs;
}
