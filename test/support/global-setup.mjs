import { BuildError, build } from '../../scripts/build.mjs';

/**
 * Runs once before the tests that need a database: builds what is started as a process and starts one
 * PostgreSQL, whose address the workers inherit through the environment.
 */
export default async function globalSetup() {
  try {
    await build();
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    // The JavaScript is there in spite of it, and `npm run types` fails for it.
    console.error(`\nThe tests run although there are type errors:\n${error.message}`);
  }
  const { startTestServer } = await import('./test-server.mjs'); // reads what was built
  await startTestServer();
}
