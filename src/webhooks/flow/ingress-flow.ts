import { createHash } from 'node:crypto';
import type { CallFlow } from '../../calls/store-calls.js';
import { AppError } from '../../errors.js';
import { compileTemplate } from '../../templates/template.js';
import { idAt } from '../id-at.js';
import { type FlowRow, toFlowView } from './flow-settings.js';

/** What an accept needs to know of its webhook's flow control. */
export interface IngressFlow {
  readonly paused: boolean;
  /**
   * Says to which lane a call belongs.
   *
   * @param body JSON.
   * @param inputParams the body, parsed.
   */
  readonly enter: (body: Buffer, inputParams: unknown) => CallFlow;
}

const NO_LANE = Buffer.alloc(0);

/** Half a SHA-256: enough that no two keys share a lane. */
const LANE_BYTES = 16;

/** Makes what an accept needs, once a webhook; `undefined` for one whose calls run as they come. */
export function toIngressFlow(row: FlowRow): IngressFlow | undefined {
  const view = toFlowView(row);
  if (view === null) return undefined;
  const { paused, fifoKey, debounce } = view;
  const isDebounced = debounce !== null;
  if (fifoKey === null) return { paused, enter: () => ({ lane: NO_LANE, debounced: isDebounced }) };
  const keyOf = keyReader(fifoKey);
  return {
    paused,
    enter: (body, inputParams) => {
      const key = keyOf(body, inputParams);
      // A call without a key is another kind of thing than those with one: it waits for none of them.
      if (key === undefined || key === '') return { lane: NO_LANE, debounced: false };
      const hash = createHash('sha256')
        .update(JSON.stringify([fifoKey, key]))
        .digest();
      return { lane: hash.subarray(0, LANE_BYTES), debounced: isDebounced };
    },
  };
}

function keyReader(fifoKey: string): (body: Buffer, inputParams: unknown) => string | undefined {
  if (fifoKey.startsWith('/')) return (body, inputParams) => idAt(body, inputParams, fifoKey);
  const template = compileTemplate(fifoKey);
  return (_, inputParams) => {
    try {
      return template.render({ input: inputParams }).trim();
    } catch (error) {
      if (error instanceof AppError) return undefined; // a variable that is not there
      throw error;
    }
  };
}
