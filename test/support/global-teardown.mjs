import { stopTestServer } from './test-server.mjs';

/** Runs once after the last test. */
export default async function globalTeardown() {
  await stopTestServer();
}
