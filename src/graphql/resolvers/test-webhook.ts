import { Arg, Authorized, Ctx, Mutation, Resolver } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { curlCommand } from '../../webhooks/manage/curl-command.js';
import { prepareTestCall } from '../../webhooks/manage/prepare-test-call.js';
import type { GraphqlContext } from '../context.js';
import { readId } from '../public-id.js';
import { CallObject } from '../types/call.js';
import { TestWebhookInput } from '../types/webhook-inputs.js';
import { TestWebhookPayload } from '../types/webhook-payloads.js';

@Resolver()
export class TestWebhookMutation {
  @Authorized<Permission>('webhooks:test')
  @Mutation(() => TestWebhookPayload, {
    description:
      'Sends a call through the real ingress, authenticated with the newest secret, and gives what came back. The call counts as any other and is marked as a test.',
  })
  async testWebhook(
    @Ctx() { services, principal, loaders }: GraphqlContext,
    @Arg('input', () => TestWebhookInput, { description: 'What to send.' }) input: TestWebhookInput,
  ): Promise<TestWebhookPayload> {
    const webhookId = readId('webhook', input.id);
    const { payload, headers, idempotencyKey } = input;
    const outcome = await prepareTestCall(services, principal, { webhookId, payload, headers, idempotencyKey });
    if (!outcome.ok) return { userErrors: outcome.userErrors };
    const prepared = outcome.value;
    const answer = await services.sendTestCall(prepared.incoming);
    const call = answer.callId === undefined ? undefined : await loaders.calls.clear(answer.callId).load(answer.callId);
    return {
      ...(call !== undefined && { call: new CallObject(call) }),
      httpStatus: answer.status,
      responseBody: answer.body,
      curl: curlCommand({
        publicUrl: services.publicUrl(),
        webhookId,
        authentication: prepared.authentication,
        body: prepared.body,
        headers: prepared.headers,
      }),
      userErrors: [],
    };
  }
}
