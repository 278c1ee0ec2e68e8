import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { AppError, codeOf } from '../errors.js';

/** Paths of PEM files. */
export interface TlsFiles {
  /** The server's certificate, with those between it and its authority. */
  readonly certFile: string;
  readonly keyFile: string;
  /** The authorities of client certificates; without them none is asked for. */
  readonly clientCaFile?: string | undefined;
}

/** What a server needs to speak TLS. The key is in it: never print it. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
}

/**
 * Reads the files and tries them.
 *
 * @throws AppError STARTUP_FAILED with one line that names the file, never what is in it.
 */
export async function readTlsFiles({ certFile, keyFile, clientCaFile }: TlsFiles): Promise<TlsMaterial> {
  const cert = await readPem('TLS_CERT_FILE', certFile);
  const key = await readPem('TLS_KEY_FILE', keyFile);
  const ca = clientCaFile === undefined ? undefined : await readPem('TLS_CLIENT_CA_FILE', clientCaFile);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const reason = 'TLS_CERT_FILE and TLS_KEY_FILE are not a certificate and its key, both in PEM.';
    throw new AppError('STARTUP_FAILED', reason, { cause: error });
  }
  if (ca === undefined) return { cert, key };
  if (!ca.includes('-----BEGIN CERTIFICATE-----')) {
    throw new AppError('STARTUP_FAILED', 'TLS_CLIENT_CA_FILE has no certificate in PEM.');
  }
  try {
    createSecureContext({ ca });
  } catch (error) {
    throw new AppError('STARTUP_FAILED', 'TLS_CLIENT_CA_FILE has a broken certificate.', { cause: error });
  }
  return { cert, key, ca };
}

async function readPem(setting: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new AppError('STARTUP_FAILED', `${setting}: ${path} cannot be read (${codeOf(error) ?? 'no reason'}).`, {
      cause: error,
    });
  }
}
