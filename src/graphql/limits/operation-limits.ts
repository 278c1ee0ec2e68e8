import { COST_MAX } from './cost.js';
import { DOCUMENT_LIMITS, type DocumentLimits } from './document-limits.js';

/** What one operation may have and cost, over HTTP and over WebSocket. */
export interface OperationLimits extends DocumentLimits {
  readonly costMax: number;
}

/** The limits in force. */
export const OPERATION_LIMITS: OperationLimits = { ...DOCUMENT_LIMITS, costMax: COST_MAX };
