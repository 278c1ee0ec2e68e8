/**
 * A process that starts or joins the embedded PostgreSQL of the directory in its first argument, says how in one line
 * of JSON, and stops it at SIGTERM.
 */
const path = new URL('../../dist/src/db/embedded/start-embedded-postgres.js', import.meta.url).href;

/** @type {typeof import('../../src/db/embedded/start-embedded-postgres.js')} */
const { startEmbeddedPostgres } = await import(path);

const terminated = new Promise((resolve) => process.once('SIGTERM', resolve));
const alive = setInterval(() => undefined, 60_000);
const server = await startEmbeddedPostgres({
  dataDir: process.argv[2] ?? '',
  log: (line) => console.error(line),
});
console.log(JSON.stringify({ reused: server.reused, fresh: server.fresh }));
await terminated;
clearInterval(alive);
await server.stop();
