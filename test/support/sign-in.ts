import type pg from 'pg';
import {
  exchangeLoginToken,
  LOGIN_TOKEN_VALID_MS,
  type NewSession,
  storeLoginToken,
} from '../../src/access/sessions.js';
import { rawTransaction } from '../../src/db/raw-transaction.js';

/** The token of a login link of a user. */
export async function loginTokenOf(pool: pg.Pool, userId: string): Promise<string> {
  return await rawTransaction(pool, (tx) => storeLoginToken(tx, userId, LOGIN_TOKEN_VALID_MS));
}

/** A session of a user, begun with a login link. */
export async function signIn(pool: pg.Pool, userId: string): Promise<NewSession> {
  return (await exchangeLoginToken(pool, await loginTokenOf(pool, userId)))!;
}
