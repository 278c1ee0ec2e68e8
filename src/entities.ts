import { ApiTokenEntity, SessionEntity, UserEntity } from './access/access.entities.js';
import { CallEntity } from './calls/call.entity.js';
import { ConnectionEntity } from './connections/connection.entity.js';
import { ExecutionEntity } from './executions/execution.entity.js';
import { ModelEntity } from './models/model.entity.js';
import { SecretVersionEntity } from './secrets/secret-version.entity.js';
import { ProviderEntity } from './webhooks/providers/provider.entity.js';
import { WebhookEntity, WebhookWorkerEntity } from './webhooks/webhook.entity.js';
import { WorkerEntity, WorkerVersionEntity } from './workers/worker.entities.js';

/** Every entity that MikroORM knows. Features own them; this list is what the composition root opens the ORM with. */
export const ENTITIES = [
  ApiTokenEntity,
  CallEntity,
  ConnectionEntity,
  ExecutionEntity,
  ModelEntity,
  ProviderEntity,
  SecretVersionEntity,
  SessionEntity,
  UserEntity,
  WebhookEntity,
  WebhookWorkerEntity,
  WorkerEntity,
  WorkerVersionEntity,
];
