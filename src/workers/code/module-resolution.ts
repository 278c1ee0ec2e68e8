import { registerHooks } from 'node:module';
import { codeOf } from '../../errors.js';

let registered = false;

/**
 * Lets modules anywhere on the disk import `workhook/worker`, which is always this process's own copy, and `zod`,
 * which is this package's copy unless the module has one of its own beside it. It is the whole process's setting, so
 * the start command makes it, before any module is loaded.
 */
export function resolveForOperatorModules(): void {
  if (registered) return;
  registered = true;
  const workerUrl = new URL('./define-worker.js', import.meta.url).href;
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (specifier === 'workhook/worker') return { url: workerUrl, format: 'module', shortCircuit: true };
      try {
        return nextResolve(specifier, context);
      } catch (error) {
        if (!/^zod(\/|$)/.test(specifier) || codeOf(error) !== 'ERR_MODULE_NOT_FOUND') throw error;
        return nextResolve(specifier, { ...context, parentURL: import.meta.url });
      }
    },
  });
}
