import { TestEnvironment } from 'jest-environment-node';

/** Tells the tests' helpers, through a global of the test file, whether something in the file has failed. */
export default class DatabaseEnvironment extends TestEnvironment {
  /** @param {import('@jest/types').Circus.AsyncEvent | import('@jest/types').Circus.SyncEvent} event */
  handleTestEvent(event) {
    if (event.name === 'test_fn_failure' || event.name === 'hook_failure') {
      this.global['workhookTestFailed'] = true;
    }
  }
}
