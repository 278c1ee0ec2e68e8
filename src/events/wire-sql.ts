import { CHANNEL } from './wire.js';

/**
 * The wire form of `wire.ts` made inside a statement, for the hot statements that learn ids and sequence numbers only
 * while they run. An event has at most 138 characters so, and 50 of them fit into a payload of 7,900.
 */
const EVENTS_PER_PAYLOAD = 50;

/** The json of an `execution-changed` event; the arguments are SQL expressions. */
export function executionChangedSql(executionId: string, callId: string, webhookId: string, seq: string): string {
  return `json_build_array('x', ${executionId}, ${callId}, ${webhookId}, ${seq})`;
}

/** The json of an `execution-progressed` event; the arguments are SQL expressions. */
export function executionProgressedSql(executionId: string, callId: string, webhookId: string, seq: string): string {
  return `json_build_array('s', ${executionId}, ${callId}, ${webhookId}, ${seq})`;
}

/** The json of a `call-finished` event; the arguments are SQL expressions. */
export function callFinishedSql(callId: string, webhookId: string): string {
  return `json_build_array('f', ${callId}, ${webhookId})`;
}

/**
 * Sends events with the statement's transaction.
 *
 * @param source a table expression with one json column, `event`.
 * @returns a query for a CTE that the statement has to select from: PostgreSQL runs no other.
 */
export function notifySql(source: string): string {
  return `
    select count(pg_notify('${CHANNEL}', payload)) as payloads from (
      select json_agg(event)::text as payload
      from (select event, (row_number() over () - 1) / ${EVENTS_PER_PAYLOAD} as part from ${source}) numbered
      group by part
    ) packed`;
}
