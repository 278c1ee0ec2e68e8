import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TestAuthority, type TestCertificate } from '../support/certificates.js';
import { createWebhook, databaseEnv, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const authority = new TestAuthority('Ours');
const successor = new TestAuthority('Its successor');
const first = authority.issue('/CN=first', 'DNS:localhost,IP:127.0.0.1');
const second = authority.issue('/CN=second', 'DNS:localhost,IP:127.0.0.1');
const client = authority.issue('/CN=client', 'DNS:client.example');
const laterClient = successor.issue('/CN=client', 'DNS:client.example');
const dir = mkdtempSync(join(tmpdir(), 'workhook-tls-'));
const [certFile, keyFile, caFile] = ['cert.pem', 'key.pem', 'ca.pem'].map((name) => join(dir, name)) as [
  string,
  string,
  string,
];

/** As certbot and Kubernetes do: the new file takes the place of the old. */
function put(file: string, pem: string): void {
  writeFileSync(`${file}.new`, pem, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

let database: TestDatabase;
let gateway: GatewayProcess;
let port: number;
/** A call of a webhook that wants a client certificate. */
let call: string;

beforeAll(async () => {
  database = await createTestDatabase();
  const plain = await startGatewayProcess({ env: databaseEnv(database.url) });
  const { id, secret } = await createWebhook(plain, {
    authentication: { method: 'SECRET_HEADER' },
    clientCertificates: [{ subject: 'CN=client' }],
  });
  await plain.end('SIGTERM');
  call = `POST /api/v1/webhooks/${id} HTTP/1.1\r\nHost: localhost\r\nX-Webhook-Secret: ${secret}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;
  put(certFile, first.cert);
  put(keyFile, first.key);
  put(caFile, authority.root.cert);
  gateway = await startGatewayProcess({
    env: {
      ...databaseEnv(database.url),
      TLS_CERT_FILE: certFile,
      TLS_KEY_FILE: keyFile,
      TLS_CLIENT_CA_FILE: caFile,
    },
  });
  port = Number(new URL(gateway.url).port);
});

afterAll(async () => {
  await gateway.end('SIGTERM');
  await database.drop();
  rmSync(dir, { recursive: true });
  authority.remove();
  successor.remove();
});

async function handshake(as?: TestCertificate, session?: Buffer): Promise<TLSSocket> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    ca: authority.root.cert,
    ...(as && { cert: as.cert, key: as.key }),
    session,
  });
  await once(socket, 'secureConnect');
  return socket;
}

/** The serial number of the certificate that a new connection is shown. */
async function shown(): Promise<string> {
  const socket = await handshake();
  const { serialNumber } = socket.getPeerX509Certificate()!;
  socket.destroy();
  return serialNumber;
}

async function answered(socket: TLSSocket, request: string): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  socket.write(request);
  while (!text.includes('\r\n\r\n')) await once(socket, 'data');
  return text.slice(0, text.indexOf('\r\n'));
}

const serialOf = ({ cert }: TestCertificate): string => new X509Certificate(cert).serialNumber;
const HEALTH = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('files of TLS that change while the gateway runs', () => {
  it('are in use for new connections, and end none that is open; half of a change is none', async () => {
    expect(await shown()).toBe(serialOf(first));
    const open = await handshake();
    put(keyFile, second.key);
    await pollUntil('the warning', () => Promise.resolve(/the TLS files cannot be used.*/.exec(gateway.logged())?.[0]));
    expect(gateway.logged()).not.toContain('PRIVATE KEY');
    expect(await shown()).toBe(serialOf(first));

    put(certFile, second.cert);
    await pollUntil('the new certificate', async () => ((await shown()) === serialOf(second) ? true : undefined));
    expect(await answered(open, HEALTH)).toBe('HTTP/1.1 200 OK');
    open.destroy();
  });

  it('can name other authorities of client certificates: those of the former count no more', async () => {
    const statusOf = async (as: TestCertificate): Promise<string> => {
      const socket = await handshake(as);
      const line = await answered(socket, call);
      socket.destroy();
      return line;
    };
    const resumed = async (session: Buffer): Promise<object> => {
      const socket = await handshake(client, session);
      const isReused = socket.isSessionReused();
      const status = await answered(socket, call);
      socket.destroy();
      return { isReused, status };
    };
    expect(await statusOf(client)).toContain('202');
    expect(await statusOf(laterClient)).toContain('401');
    const before = await handshake(client);
    const [session] = (await once(before, 'session')) as [Buffer];
    before.destroy();
    expect(await resumed(session)).toEqual({ isReused: true, status: 'HTTP/1.1 202 Accepted' });
    put(caFile, successor.root.cert);
    await pollUntil('the new authority', async () =>
      (await statusOf(laterClient)).includes('202') ? true : undefined,
    );
    expect(await statusOf(client)).toContain('401');
    expect(await resumed(session)).toEqual({ isReused: false, status: 'HTTP/1.1 401 Unauthorized' });
  });
});
