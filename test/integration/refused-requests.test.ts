import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { verifyAudit } from '../../src/access/audit.js';
import { RefusedRequests } from '../../src/access/refused-requests.js';
import { OutboundClient } from '../../src/outbound/outbound-client.js';
import { type AdminFixture, openAdminFixture } from '../support/admin-fixture.js';

let fixture: AdminFixture;

beforeAll(async () => {
  fixture = await openAdminFixture();
});

afterAll(() => fixture.close());

interface Row {
  readonly user_id: string;
  readonly credential: string;
  readonly details: { readonly times: number; readonly origins: readonly string[] };
}

async function recorded(): Promise<readonly Row[]> {
  const { rows } = await fixture.database.pool.query<Row>(
    "select user_id, credential, details from audit_events where action = 'outbound.refused' order by seq",
  );
  return rows;
}

function open(): { readonly refused: RefusedRequests; readonly client: OutboundClient } {
  const { database, log, owner } = fixture;
  const refused = new RefusedRequests({ database, log, ownerId: owner.userId, everyMs: 3_600_000 });
  return { refused, client: new OutboundClient({ allowedCidrs: [], onRefused: refused.note }) };
}

describe('RefusedRequests', () => {
  it('records a refusal with its origin and nothing else of the URL', async () => {
    const before = (await recorded()).length;
    const { refused, client } = open();
    const url = 'http://169.254.169.254/latest/meta-data?token=hunter2';
    await expect(client.fetch(url)).rejects.toMatchObject({ code: 'OUTBOUND_REFUSED' });
    await refused.close();
    await client.close();
    expect((await recorded()).slice(before)).toEqual([
      {
        user_id: fixture.owner.userId,
        credential: 'system:outbound-guard',
        details: { times: 1, origins: ['http://169.254.169.254'] },
      },
    ]);
    expect(await verifyAudit(fixture.database.pool)).toMatchObject({ intact: true });
  });

  it('makes of a flood one event at once and one for the rest, of a bounded size', async () => {
    const before = (await recorded()).length;
    const { refused, client } = open();
    for (let i = 0; i < 500; i += 1) {
      const attempt = client.fetch(`http://10.0.${i % 200}.1:${i + 20_000}/`);
      await expect(attempt).rejects.toMatchObject({ code: 'OUTBOUND_REFUSED' });
    }
    await refused.close();
    await client.close();
    const [first, rest, ...more] = (await recorded()).slice(before);
    expect(first?.details).toEqual({ times: 1, origins: ['http://10.0.0.1:20000'] });
    expect(rest?.details.times).toBe(499);
    expect(rest?.details.origins).toHaveLength(20);
    expect(more).toEqual([]);
  });

  it('writes nothing when nothing was refused, and cuts what is long', async () => {
    const before = (await recorded()).length;
    const quiet = open();
    await quiet.refused.close();
    await quiet.client.close();
    expect(await recorded()).toHaveLength(before);
    const { refused, client } = open();
    refused.note(`http://${'x'.repeat(100_000)}`);
    await refused.close();
    await client.close();
    expect((await recorded()).at(-1)?.details.origins[0]).toHaveLength(200);
  });

  it('fails nobody when it cannot write', async () => {
    const { log, owner } = fixture;
    const database = {
      ...fixture.database,
      transaction: () => Promise.reject(new Error('the database is away')),
    };
    const refused = new RefusedRequests({ database, log, ownerId: owner.userId });
    refused.note('http://10.0.0.1');
    await refused.close();
  });
});
