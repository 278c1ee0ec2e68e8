import type { ImportedModules, ModuleDescription, ModuleFault } from '../import-modules.js';
import { moduleFiles, withoutTwins } from '../import-modules.js';
import { Isolate, type IsolateOptions } from './isolate.js';

/** A module that is not loaded in this time is left out. */
const LOAD_MS_MAX = 15_000;

export interface DescribedModules extends ImportedModules<ModuleDescription> {
  /** What was in the files of the modules, by name. */
  readonly sources: Readonly<Record<string, string>>;
}

type Described =
  | { readonly module: ModuleDescription; readonly source: string }
  | { readonly fault: string; readonly isEnded: boolean };

/**
 * Imports every module of a folder in an isolate and tells what they are. A module that ends its isolate, or does not
 * end, is a fault, and the others go on in another one.
 *
 * @throws AppError CONFIGURATION_INVALID when the folder cannot be read.
 */
export async function describeModules(options: Omit<IsolateOptions, 'sources'>): Promise<DescribedModules> {
  const modules: ModuleDescription[] = [];
  const faults: ModuleFault[] = [];
  const sources: Record<string, string> = {};
  let describer: Describer | undefined;
  for (const file of await moduleFiles(options.dir)) {
    describer ??= new Describer({ ...options, sources: {} });
    const described = await describer.describe(file);
    if ('module' in described) {
      modules.push(described.module);
      sources[file] = described.source;
    } else {
      faults.push({ file, message: described.fault });
      if (described.isEnded) describer = undefined;
    }
  }
  describer?.close();
  return { ...withoutTwins({ modules, faults }), sources };
}

/** An isolate that imports one module after the other. */
class Describer {
  readonly #isolate: Isolate;
  #tell: (described: Described) => void = () => undefined;

  constructor(options: IsolateOptions) {
    this.#isolate = new Isolate(
      options,
      (message) => {
        if (message.type === 'described') this.#tell(message);
        else if (message.type === 'not-described') this.#tell({ fault: message.message, isEnded: false });
      },
      ({ message }) => this.#tell({ fault: message ?? 'the module ended its process', isEnded: true }),
    );
  }

  async describe(file: string): Promise<Described> {
    const { promise, resolve } = Promise.withResolvers<Described>();
    this.#tell = resolve;
    this.#isolate.setBusy(true);
    this.#isolate.send({ type: 'describe', file });
    const timer = setTimeout(() => {
      resolve({ fault: `it was not loaded within ${LOAD_MS_MAX} ms`, isEnded: true });
      this.#isolate.kill();
    }, LOAD_MS_MAX);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#isolate.setBusy(false);
    }
  }

  close(): void {
    this.#isolate.kill();
  }
}
