/**
 * What other processes hear of. Ids only: whoever hears an event reads the rows again, so an event is a hint and
 * never the truth. All ids are UUID strings but a worker's.
 */
export type DomainEvent =
  /** A call was recorded, accepted or rejected. */
  | { readonly kind: 'call-received'; readonly callId: string; readonly webhookId: string }
  /** All executions of a call are terminal. */
  | { readonly kind: 'call-finished'; readonly callId: string; readonly webhookId: string }
  /** An execution has a new state or event; `seq` is its newest event. */
  | {
      readonly kind: 'execution-changed';
      readonly executionId: string;
      readonly callId: string;
      readonly webhookId: string;
      readonly seq: number;
    }
  /** A running execution is to be aborted, wherever it runs. */
  | { readonly kind: 'cancel-requested'; readonly executionId: string }
  /** A bulk operation got on, or ended. */
  | { readonly kind: 'bulk-changed'; readonly bulkOperationId: string }
  /** An alert was opened, acknowledged or resolved. */
  | { readonly kind: 'alert-changed'; readonly alertId: string; readonly webhookId: string }
  /** An execution came to a step or a piece of text; its state is what it was. */
  | {
      readonly kind: 'execution-progressed';
      readonly executionId: string;
      readonly callId: string;
      readonly webhookId: string;
      readonly seq: number;
    }
  /** A webhook, its workers or its secrets changed: caches drop it. */
  | { readonly kind: 'webhook-changed'; readonly webhookId: string }
  /** A worker got a new version or is gone. */
  | { readonly kind: 'worker-changed'; readonly workerId: string }
  /** A connection or its credential changed, or it is gone: caches drop it. */
  | { readonly kind: 'connection-changed'; readonly connectionId: string }
  /** A token or session is no longer valid: its sockets close. */
  | { readonly kind: 'credential-ended'; readonly credentialId: string }
  /** A user got another role, was disabled or let in again: what is remembered of them is void. */
  | { readonly kind: 'user-changed'; readonly userId: string }
  /** A model was made, changed, paused or deleted: caches drop it. */
  | { readonly kind: 'model-changed'; readonly modelId: string }
  /** What a webhook may spend changed. */
  | { readonly kind: 'spend-cap-changed'; readonly webhookId: string }
  /** The numbers of a rate limit changed. */
  | { readonly kind: 'rate-limit-changed' };

/** What a subscriber gets: an event, or the word that some may have been missed, so that it reads again. */
export type Notification = DomainEvent | { readonly kind: 'resync' };

/** A name that subscribers listen under. */
export type Topic = string & { readonly __topic: unique symbol };

/** Every topic there is, each built in one place. */
export const topics = {
  calls: 'calls' as Topic,
  webhookCalls: (webhookId: string): Topic => `webhook-calls:${webhookId}` as Topic,
  callFinished: (callId: string): Topic => `call-finished:${callId}` as Topic,
  finishedCalls: 'finished-calls' as Topic,
  webhookFinishedCalls: (webhookId: string): Topic => `webhook-finished-calls:${webhookId}` as Topic,
  execution: (executionId: string): Topic => `execution:${executionId}` as Topic,
  callExecutions: (callId: string): Topic => `call-executions:${callId}` as Topic,
  webhookExecutions: (webhookId: string): Topic => `webhook-executions:${webhookId}` as Topic,
  /** What happens within executions, apart from their states: it is much, and most wait for a state. */
  executionProgress: (executionId: string): Topic => `execution-progress:${executionId}` as Topic,
  callProgress: (callId: string): Topic => `call-progress:${callId}` as Topic,
  webhookProgress: (webhookId: string): Topic => `webhook-progress:${webhookId}` as Topic,
  cancellations: 'cancellations' as Topic,
  bulkOperation: (id: string): Topic => `bulk-operation:${id}` as Topic,
  alerts: 'alerts' as Topic,
  webhookAlerts: (webhookId: string): Topic => `webhook-alerts:${webhookId}` as Topic,
  webhooks: 'webhooks' as Topic,
  workers: 'workers' as Topic,
  connections: 'connections' as Topic,
  credentials: 'credentials' as Topic,
  models: 'models' as Topic,
  spendCaps: 'spend-caps' as Topic,
  rateLimits: 'rate-limits' as Topic,
};

/** The topics under which an event is delivered. */
export function topicsOf(event: DomainEvent): readonly Topic[] {
  switch (event.kind) {
    case 'call-received':
      return [topics.calls, topics.webhookCalls(event.webhookId)];
    case 'call-finished':
      return [topics.callFinished(event.callId), topics.finishedCalls, topics.webhookFinishedCalls(event.webhookId)];
    case 'execution-changed':
      return [
        topics.execution(event.executionId),
        topics.callExecutions(event.callId),
        topics.webhookExecutions(event.webhookId),
      ];
    case 'cancel-requested':
      return [topics.cancellations];
    case 'bulk-changed':
      return [topics.bulkOperation(event.bulkOperationId)];
    case 'alert-changed':
      return [topics.alerts, topics.webhookAlerts(event.webhookId)];
    case 'execution-progressed':
      return [
        topics.executionProgress(event.executionId),
        topics.callProgress(event.callId),
        topics.webhookProgress(event.webhookId),
      ];
    case 'webhook-changed':
      return [topics.webhooks];
    case 'worker-changed':
      return [topics.workers];
    case 'connection-changed':
      return [topics.connections];
    case 'credential-ended':
    case 'user-changed':
      return [topics.credentials];
    case 'model-changed':
      return [topics.models];
    case 'spend-cap-changed':
      return [topics.spendCaps];
    case 'rate-limit-changed':
      return [topics.rateLimits];
  }
}
