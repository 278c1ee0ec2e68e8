import 'reflect-metadata'; // before any decorator of type-graphql runs
import type { GraphQLSchema } from 'graphql';
import { buildSchemaSync } from 'type-graphql';
import { authChecker } from './authorization.js';
import { AccessResolver } from './resolvers/access.js';
import { AgentToolFields, AgentWorkerFields, AgentWorkerMutations } from './resolvers/agent-workers.js';
import { AlertFields, AlertMutations, AlertQueries } from './resolvers/alerts.js';
import { ApprovalResolver, PendingApprovalFields, StepApprovalFields } from './resolvers/approvals.js';
import { AuditResolver } from './resolvers/audit.js';
import { BulkOperationFields, BulkOperationMutations, BulkOperationQueries } from './resolvers/bulk-operations.js';
import {
  CallbackFields,
  CallbackMutations,
  CallbackOfCallField,
  CallbacksOfWebhookField,
} from './resolvers/callbacks.js';
import { CallFields, CallQueries } from './resolvers/calls.js';
import { ConnectionMutations, ConnectionQueries } from './resolvers/stored-connections.js';
import {
  ExecutionEventFields,
  ExecutionFields,
  ExecutionQueries,
  ExecutionStepFields,
} from './resolvers/executions.js';
import { DiagnoseSignatureQuery } from './resolvers/diagnose-signature.js';
import { ReplayFields, ReplayMutations } from './resolvers/replay.js';
import { ExecutionMutations, RetryFields } from './resolvers/operate-executions.js';
import { InstallationResolver } from './resolvers/installation.js';
import { ModelMutations, ModelQueries } from './resolvers/models.js';
import { NodeResolver } from './resolvers/node.js';
import { ProviderResolver } from './resolvers/providers.js';
import { QueryCostResolver } from './resolvers/query-cost.js';
import { RateLimitResolver, WebhookRateLimit } from './resolvers/rate-limits.js';
import { SecretMutations } from './resolvers/secret-mutations.js';
import { SpendingResolver, WebhookSpending } from './resolvers/spending.js';
import { TestWebhookMutation } from './resolvers/test-webhook.js';
import { UserResolver } from './resolvers/users.js';
import { WebhookFields } from './resolvers/webhook-fields.js';
import { CallFlowFields, WebhookFlowFields, WebhookFlowMutations } from './resolvers/webhook-flow.js';
import { WebhookMutations } from './resolvers/webhook-mutations.js';
import { WebhookQueries } from './resolvers/webhook-queries.js';
import { WorkerMutations } from './resolvers/worker-mutations.js';
import { WorkflowMutations, WorkflowStepFields } from './resolvers/workflows.js';
import { HttpWorkerFields, WorkerFields, WorkerQueries } from './resolvers/workers.js';
import { AlertChangedResolver } from './subscriptions/alert-changed.js';
import { BulkOperationProgressResolver } from './subscriptions/bulk-operation-progress.js';
import { CallReceivedResolver } from './subscriptions/call-received.js';
import { ExecutionEventsResolver } from './subscriptions/execution-events.js';
import { ManyExecutionEventsResolver } from './subscriptions/many-execution-events.js';
import { noPubSub } from './subscriptions/no-pub-sub.js';
import { StatisticsUpdatedResolver } from './subscriptions/statistics-updated.js';

/** Builds the one schema, for both transports. Takes some 50 ms; once a process is enough. */
export function buildGraphqlSchema(): GraphQLSchema {
  const schema = buildSchemaSync({
    resolvers: [
      AccessResolver,
      AgentToolFields,
      AgentWorkerFields,
      AgentWorkerMutations,
      AlertChangedResolver,
      AlertFields,
      AlertMutations,
      AlertQueries,
      ApprovalResolver,
      AuditResolver,
      BulkOperationFields,
      BulkOperationMutations,
      BulkOperationProgressResolver,
      BulkOperationQueries,
      CallbackFields,
      CallbackMutations,
      CallbackOfCallField,
      CallbacksOfWebhookField,
      CallFields,
      CallFlowFields,
      CallQueries,
      CallReceivedResolver,
      ConnectionMutations,
      ConnectionQueries,
      DiagnoseSignatureQuery,
      ExecutionEventFields,
      ExecutionEventsResolver,
      ExecutionFields,
      ExecutionMutations,
      ReplayFields,
      ReplayMutations,
      RetryFields,
      ExecutionQueries,
      ExecutionStepFields,
      HttpWorkerFields,
      InstallationResolver,
      ManyExecutionEventsResolver,
      ModelMutations,
      ModelQueries,
      NodeResolver,
      PendingApprovalFields,
      ProviderResolver,
      QueryCostResolver,
      RateLimitResolver,
      SecretMutations,
      SpendingResolver,
      StatisticsUpdatedResolver,
      StepApprovalFields,
      TestWebhookMutation,
      UserResolver,
      WebhookFields,
      WebhookFlowFields,
      WebhookFlowMutations,
      WebhookMutations,
      WebhookQueries,
      WebhookRateLimit,
      WebhookSpending,
      WorkerFields,
      WorkerMutations,
      WorkerQueries,
      WorkflowMutations,
      WorkflowStepFields,
    ],
    authChecker,
    pubSub: noPubSub,
    validate: false, // the use cases check their input themselves
  });
  describeRoots(schema);
  return schema;
}

/** type-graphql has no place for the descriptions of the root types. */
function describeRoots(schema: GraphQLSchema): void {
  const descriptions = [
    [schema.getQueryType(), 'What can be read.'],
    [schema.getMutationType(), 'What can be changed. Each answer has `userErrors` for what the user can mend.'],
    [schema.getSubscriptionType(), 'What can be watched live, over WebSocket or server-sent events.'],
  ] as const;
  for (const [type, description] of descriptions) if (type) type.description = description;
}
