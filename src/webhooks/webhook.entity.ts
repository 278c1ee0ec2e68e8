import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { DISPATCHES, EXECUTION_MODES, type Dispatch, type ExecutionMode } from '../calls/call-modes.js';
import type { IngressRules } from './rules/ingress-rules.js';

export const AUTHENTICATION_METHODS = [
  'SECRET_HEADER',
  'HMAC_SIGNATURE',
  'BEARER_TOKEN',
  'API_KEY',
  'CUSTOM_HEADER',
  'PROVIDER',
] as const;
export type AuthenticationMethod = (typeof AUTHENTICATION_METHODS)[number];

/** A configured ingress endpoint. `version` goes up with every change that an accept must know of. */
export const WebhookEntity = defineEntity({
  name: 'Webhook',
  tableName: 'webhooks',
  properties: {
    id: p.uuid().primary(),
    name: p.text(),
    description: p.text().nullable(),
    active: p.boolean(),
    executionMode: p.enum(EXECUTION_MODES).$type<ExecutionMode>(),
    dispatch: p.enum(DISPATCHES).$type<Dispatch>(),
    syncTimeoutMs: p.integer().nullable(),
    authMethod: p.enum(AUTHENTICATION_METHODS).$type<AuthenticationMethod>(),
    authHeaderName: p.text().nullable(),
    authHeaderPrefix: p.text().nullable(),
    authProvider: p.text().nullable(),
    idempotencyWindowMs: p.integer().nullable(),
    idempotencyPointer: p.text().nullable(),
    rules: p.json().$type<IngressRules>(),
    flowConcurrency: p.integer().nullable(),
    flowKey: p.text().nullable(),
    flowDebounceMs: p.integer().nullable(),
    flowDebounceMaxMs: p.integer().nullable(),
    paused: p.boolean(),
    ownerId: p.uuid(),
    version: p.integer(),
    createdAt: p.datetime(),
    updatedAt: p.datetime(),
    deletedAt: p.datetime().nullable(),
  },
});
export type Webhook = InferEntity<typeof WebhookEntity>;

/** Which workers a webhook runs, by position from 0. */
export const WebhookWorkerEntity = defineEntity({
  name: 'WebhookWorker',
  tableName: 'webhook_workers',
  properties: {
    webhookId: p.uuid().primary(),
    position: p.smallint().primary(),
    workerId: p.text(),
  },
});
