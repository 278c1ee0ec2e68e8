import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate with its key, in PEM, and where the files are. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** An authority that lives as long as a test, by way of the machine's openssl. */
export class TestAuthority {
  readonly #dir = mkdtempSync(join(tmpdir(), 'workhook-ca-'));
  #serial = 0;
  readonly root: TestCertificate;

  constructor(name: string) {
    this.root = this.#files('root');
    const { certFile, keyFile } = this.root;
    this.#openssl('req', '-x509', '-days', '2', '-subj', `/CN=${name}`, '-out', certFile, ...NEW_KEY, keyFile);
    this.root = this.#files('root');
  }

  /** @param names as openssl writes subject alternative names: `DNS:a.example,IP:127.0.0.1`. */
  issue(subject: string, names: string): TestCertificate {
    this.#serial += 1;
    const { certFile, keyFile } = this.#files(`leaf${this.#serial}`);
    const request = join(this.#dir, 'request.pem');
    const extensions = join(this.#dir, 'extensions.cnf');
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    this.#openssl('req', '-new', '-subj', subject, '-out', request, ...NEW_KEY, keyFile);
    const authority = ['-CA', this.root.certFile, '-CAkey', this.root.keyFile, '-set_serial', String(this.#serial)];
    this.#openssl('x509', '-req', '-days', '2', '-in', request, ...authority, '-extfile', extensions, '-out', certFile);
    return this.#files(`leaf${this.#serial}`);
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true });
  }

  #files(name: string): TestCertificate {
    const [certFile, keyFile] = [join(this.#dir, `${name}.pem`), join(this.#dir, `${name}.key`)];
    return { cert: textOf(certFile), key: textOf(keyFile), certFile, keyFile };
  }

  #openssl(...args: readonly string[]): void {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 20_000 });
  }
}

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''; // not made yet
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout'];
