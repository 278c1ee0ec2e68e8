import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { ADMIN_TOKEN, databaseEnv, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { blocksOf, readPage } from '../support/page.js';
import { runScript } from '../support/shell.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

/** Between the outputs of the page's commands. */
const MARK = '@@@ the next command';

/** A command of the page and the answer that stands below it, if one does. */
interface Block {
  readonly command: string;
  readonly answer: string | undefined;
}

let database: TestDatabase;
let gateway: GatewayProcess;
let blocks: Block[];
/** What each command printed. */
let outputs: string[];

beforeAll(async () => {
  database = await createTestDatabase();
  const env = { TRUSTED_PROXIES: '127.0.0.1', RESULT_WAITERS_MAX: '1', LOG_LEVEL: 'silent' };
  gateway = await startGatewayProcess({ env: { ...databaseEnv(database.url), ...env } });
  const all = blocksOf(await readPage('docs/http-statuses.md'));
  blocks = all.flatMap(({ kind, text }, i) => {
    const next = all[i + 1];
    return kind === 'sh' ? [{ command: text, answer: next?.kind === 'http' ? next.text : undefined }] : [];
  });
  const script = blocks.map(({ command }) => `${command}\nprintf '\\n%s\\n' '${MARK}'`).join('\n');
  const printed = await runScript(script, {
    WORKHOOK: gateway.url,
    TOKEN: ADMIN_TOKEN,
    STOP_DATABASE: doorCommand(false),
    START_DATABASE: doorCommand(true),
  });
  outputs = printed.replaceAll('\r', '').split(`\n${MARK}\n`).slice(0, -1);
}, 90_000);

afterAll(async () => {
  await gateway.end('SIGTERM');
  await database.drop();
});

/** Opens or shuts the database by a connection to another one of the same server. */
function doorCommand(open: boolean): string {
  const url = new URL(database.url);
  const name = url.pathname.slice(1);
  url.pathname = '/postgres';
  const program = `
    const { default: pg } = await import("pg");
    const server = new pg.Client({ connectionString: "${url.href}" });
    await server.connect();
    await server.query("alter database ${name} with allow_connections ${open}");
    await server.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", ["${name}"]);
    await server.end();`;
  return `"${process.execPath}" --input-type=module -e '${program}'`;
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('…', '.+?');

/** Whether an answer is the one of the page: its status, the headers that stand there, its whole body. */
function difference(output: string, answer: string): string | undefined {
  const [head = '', body = ''] = splitOnce(finalAnswer(output));
  const [expectedHead = '', expectedBody = ''] = splitOnce(answer.trimEnd());
  const lines = head.split('\n');
  const missing = expectedHead
    .split('\n')
    .filter((line) => !lines.some((sent) => new RegExp(`^${escaped(line)}$`, 'i').test(sent)));
  if (missing.length > 0) return `${missing.join(', ')} is missing in\n${output}`;
  return new RegExp(`^${escaped(expectedBody)}$`).test(body.trimEnd()) ? undefined : `the body is\n${body}`;
}

/** Without the interim answer by which a large upload is asked for. */
function finalAnswer(output: string): string {
  return output.replace(/^HTTP\/1\.1 100 .*\n\n/, '');
}

function splitOnce(text: string): string[] {
  const at = text.indexOf('\n\n');
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 2)];
}

it('every command of the page answers what stands below it', () => {
  expect(outputs).toHaveLength(blocks.length);
  const faults = blocks.flatMap(({ command, answer }, i) => {
    const fault = answer === undefined ? undefined : difference(outputs[i]!, answer);
    return fault === undefined ? [] : [`${command}${fault}`];
  });
  expect(faults).toEqual([]);
});

it("the page has every status of the description's calls and results", async () => {
  const { paths } = JSON.parse(await readFile(new URL('../../openapi.json', import.meta.url), 'utf8')) as {
    paths: Record<string, Record<string, { responses: object }>>;
  };
  const documented = Object.values(paths)
    .flatMap((methods) => Object.values(methods))
    .flatMap(({ responses }) => Object.keys(responses))
    .filter((status) => status !== 'default');
  const shown = blocks.flatMap(({ answer }) => /^HTTP\/1\.1 (\d+)/.exec(answer ?? '')?.[1] ?? []);
  expect(new Set(shown)).toEqual(new Set(documented));
});

it('is not pleased by another answer', () => {
  const output = 'HTTP/1.1 200 OK\nETag: "a"\n\n{"id":"x1","n":2}';
  expect(difference(output, 'HTTP/1.1 200 OK\nETag: "…"\n\n{"id":"…","n":2}\n')).toBeUndefined();
  expect(difference(output, 'HTTP/1.1 202 Accepted\n\n{"id":"…","n":2}\n')).toContain(
    'HTTP/1.1 202 Accepted is missing',
  );
  expect(difference(output, 'HTTP/1.1 200 OK\nETag: "b"\n\n{"id":"…","n":2}\n')).toContain('ETag: "b" is missing');
  expect(difference(output, 'HTTP/1.1 200 OK\n\n{"id":"…","n":3}\n')).toContain('the body is');
  expect(difference(output, 'HTTP/1.1 200 OK\n')).toContain('the body is');
});
