import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import type { JsonSchema } from '../lib/json-schema.js';

export const WORKER_KINDS = ['AGENT', 'HTTP', 'CODE', 'WORKFLOW'] as const;
export type WorkerKind = (typeof WORKER_KINDS)[number];

export type { JsonSchema };

/** What an execution runs. The id is text: `worker-` and a slug that a CODE worker's author chose, or base32. */
export const WorkerEntity = defineEntity({
  name: 'Worker',
  tableName: 'workers',
  properties: {
    id: p.text().primary(),
    kind: p.enum(WORKER_KINDS).$type<WorkerKind>(),
    name: p.text(),
    description: p.text().nullable(),
    currentVersion: p.integer(),
    createdAt: p.datetime(),
    updatedAt: p.datetime(),
    deletedAt: p.datetime().nullable(),
  },
});
export type Worker = InferEntity<typeof WorkerEntity>;

/** An immutable version of a worker. `definition` is the kind's own settings. */
export const WorkerVersionEntity = defineEntity({
  name: 'WorkerVersion',
  tableName: 'worker_versions',
  properties: {
    workerId: p.text().primary(),
    version: p.integer().primary(),
    definition: p.json<Record<string, unknown>>(),
    inputSchema: p.json<JsonSchema>().nullable(),
    outputSchema: p.json<JsonSchema>().nullable(),
    timeoutMs: p.integer(),
    attemptsMax: p.integer(),
    createdAt: p.datetime(),
  },
});
export type WorkerVersion = InferEntity<typeof WorkerVersionEntity>;
