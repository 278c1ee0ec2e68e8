import { Migration0001Foundation } from './0001-foundation.js';
import { Migration0002Providers } from './0002-providers.js';
import { Migration0003Idempotency } from './0003-idempotency.js';
import { Migration0004WebhookRules } from './0004-webhook-rules.js';
import { Migration0005RejectionCode } from './0005-rejection-code.js';
import { Migration0006FlowControl } from './0006-flow-control.js';
import { Migration0007Callbacks } from './0007-callbacks.js';
import { Migration0008Models } from './0008-models.js';
import { Migration0009StepsAndText } from './0009-steps-and-text.js';
import { Migration0010Connections } from './0010-connections.js';
import { Migration0012Access } from './0012-access.js';
import { Migration0013Bulk } from './0013-bulk.js';
import { Migration0014Alerts } from './0014-alerts.js';
import { Migration0034CreationKeys } from './0034-creation-keys.js';
import { Migration0038PostponedTime } from './0038-postponed-time.js';
import { Migration0046WorkflowSteps } from './0046-workflow-steps.js';
import { Migration0049RunsByHand } from './0049-runs-by-hand.js';
import { Migration0050AuditOrder } from './0050-audit-order.js';

/** Every migration, in the order of running. A new one is a new file and a new line here. */
export const MIGRATIONS = [
  { name: '0001-foundation', class: Migration0001Foundation },
  { name: '0002-providers', class: Migration0002Providers },
  { name: '0003-idempotency', class: Migration0003Idempotency },
  { name: '0004-webhook-rules', class: Migration0004WebhookRules },
  { name: '0005-rejection-code', class: Migration0005RejectionCode },
  { name: '0006-flow-control', class: Migration0006FlowControl },
  { name: '0007-callbacks', class: Migration0007Callbacks },
  { name: '0008-models', class: Migration0008Models },
  { name: '0009-steps-and-text', class: Migration0009StepsAndText },
  { name: '0010-connections', class: Migration0010Connections },
  { name: '0012-access', class: Migration0012Access },
  { name: '0013-bulk', class: Migration0013Bulk },
  { name: '0014-alerts', class: Migration0014Alerts },
  { name: '0034-creation-keys', class: Migration0034CreationKeys },
  { name: '0038-postponed-time', class: Migration0038PostponedTime },
  { name: '0046-workflow-steps', class: Migration0046WorkflowSteps },
  { name: '0049-runs-by-hand', class: Migration0049RunsByHand },
  { name: '0050-audit-order', class: Migration0050AuditOrder },
];
