import { Arg, Args, Authorized, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { formatId } from '../../lib/ids.js';
import type { Outcome, UserError } from '../../lib/user-error.js';
import {
  createModel,
  deleteModel,
  setDefaultModel,
  updateModel,
  type UpdateModelInput as ModelChanges,
} from '../../models/manage-models.js';
import { countModels, listModels, type ModelView } from '../../models/read-models.js';
import { testModel } from '../../models/test-model.js';
import type { Connection } from '../connections.js';
import type { GraphqlContext } from '../context.js';
import { keysetConnection, ListedArgs, listedPage } from '../keyset-connection.js';
import { readId } from '../public-id.js';
import {
  CreateModelInput,
  DeleteModelInput,
  SetDefaultModelInput,
  TestModelInput,
  UpdateModelInput,
} from '../types/model-inputs.js';
import {
  CreateModelPayload,
  DeleteModelPayload,
  type ModelPayload,
  SetDefaultModelPayload,
  TestModelPayload,
  UpdateModelPayload,
} from '../types/model-payloads.js';
import { ModelConnection, ModelObject } from '../types/model.js';

@Resolver()
export class ModelQueries {
  @Authorized<Permission>('models:read')
  @Query(() => ModelObject, { nullable: true, description: 'One model; null when there is none of this id.' })
  async model(
    @Ctx() { loaders }: GraphqlContext,
    @Arg('id', () => ID, { description: 'Its id, `model-…`.' }) id: string,
  ): Promise<ModelObject | undefined> {
    const view = await loaders.models.load(readId('model', id));
    return view && new ModelObject(view);
  }

  @Authorized<Permission>('models:read')
  @Query(() => ModelConnection, { description: 'All models, the newest first unless `order` says otherwise.' })
  async models(
    @Ctx() { services, principal }: GraphqlContext,
    @Args(() => ListedArgs) args: ListedArgs,
  ): Promise<Connection<ModelObject>> {
    const sql = services.database.pool;
    const page = await listedPage('model', args, (request) => listModels(sql, principal, request));
    return new ModelConnection(
      keysetConnection(
        page,
        (view) => new ModelObject(view),
        () => countModels(sql, principal),
      ),
    );
  }
}

@Resolver()
export class ModelMutations {
  @Authorized<Permission>('models:write')
  @Mutation(() => CreateModelPayload, { description: 'Configures an LLM. Its key is sealed and not shown again.' })
  async createModel(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => CreateModelInput, { description: 'What it is to be.' }) input: CreateModelInput,
  ): Promise<ModelPayload> {
    const { name, provider, modelName, isDefault, idempotencyKey } = input;
    const fields = { name, provider, modelName, isDefault: isDefault ?? undefined, idempotencyKey, ...given(input) };
    return payloadOf(await createModel(services, principal, fields));
  }

  @Authorized<Permission>('models:write')
  @Mutation(() => UpdateModelPayload, { description: 'Changes a model for all workers, with their next step.' })
  async updateModel(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => UpdateModelInput, { description: 'What to change.' }) input: UpdateModelInput,
  ): Promise<ModelPayload> {
    const { id, expectedVersion, name, provider, modelName } = input;
    return payloadOf(
      await updateModel(services, principal, {
        id: readId('model', id),
        expectedVersion: expectedVersion ?? undefined,
        ...(typeof name === 'string' && { name }),
        ...(typeof provider === 'string' && { provider }),
        ...(typeof modelName === 'string' && { modelName }),
        ...given(input),
      }),
    );
  }

  @Authorized<Permission>('models:write')
  @Mutation(() => SetDefaultModelPayload, { description: 'Makes a model the one of all workers that name none.' })
  async setDefaultModel(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => SetDefaultModelInput, { description: 'Which one.' }) input: SetDefaultModelInput,
  ): Promise<ModelPayload> {
    return payloadOf(await setDefaultModel(services, principal, { id: readId('model', input.id) }));
  }

  @Authorized<Permission>('models:write')
  @Mutation(() => DeleteModelPayload, {
    description: 'Deletes a model that no worker names, and its key with it. What it was paid stays counted.',
  })
  async deleteModel(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => DeleteModelInput, { description: 'Which one.' }) input: DeleteModelInput,
  ): Promise<DeleteModelPayload> {
    const outcome = await deleteModel(services, principal, {
      id: readId('model', input.id),
      expectedVersion: input.expectedVersion ?? undefined,
    });
    if (!outcome.ok) return { userErrors: outcome.userErrors };
    return { deletedModelId: formatId('model', outcome.value.id), userErrors: [] };
  }

  @Authorized<Permission>('models:write')
  @Mutation(() => TestModelPayload, {
    description: 'Sends a model a one-line prompt, past its limits, and says how it answered. That costs a few tokens.',
  })
  async testModel(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => TestModelInput, { description: 'Which one.' }) input: TestModelInput,
  ): Promise<TestModelPayload> {
    return { ...(await testModel(services, principal, { id: readId('model', input.id) })), userErrors: [] };
  }
}

/** What is left out is `undefined`; `null` has a meaning only where a model can be without. */
function given(input: CreateModelInput | UpdateModelInput): Partial<ModelChanges> {
  return {
    baseUrl: input.baseUrl,
    apiKey: input.apiKey,
    cachedPrice: input.cachedPrice,
    promptPrice: input.promptPrice ?? undefined,
    completionPrice: input.completionPrice ?? undefined,
    requestsPerMinute: input.requestsPerMinute ?? undefined,
    tokensPerMinute: input.tokensPerMinute ?? undefined,
    concurrencyMax: input.concurrency ?? undefined,
    structuredOutputs: input.structuredOutputs ?? undefined,
  };
}

/** A limit is called after its unit inside only. */
const OUTER_NAMES: Readonly<Record<string, string>> = { concurrencyMax: 'concurrency' };

function payloadOf(outcome: Outcome<ModelView>): ModelPayload {
  if (!outcome.ok) return { userErrors: outcome.userErrors.map(outerNames) };
  return { model: new ModelObject(outcome.value), userErrors: [] };
}

function outerNames(userError: UserError): UserError {
  return { ...userError, field: userError.field.map((name) => OUTER_NAMES[name] ?? name) };
}
