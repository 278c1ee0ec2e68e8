import { TestEnvironment } from 'jest-environment-node';

/** Tells the tests' helpers, through a global of the test file, whether something in the file has failed. */
export default class DatabaseEnvironment extends TestEnvironment {
  /** @param {{ readonly name: string }} event of jest-circus, which runs the file */
  handleTestEvent(event) {
    if (event.name === 'test_fn_failure' || event.name === 'hook_failure') {
      this.global['workhookTestFailed'] = true;
    }
  }
}
