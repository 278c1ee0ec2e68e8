import { Field, ID, ObjectType } from 'type-graphql';
import { type OutlinedStep, outlineOf } from '../../workers/workflow/outline.js';
import { compileStored, readStoredWorkflow } from '../../workers/workflow/workflow-definition.js';
import { printWorkflowText } from '../../workers/workflow/workflow-text.js';
import { Json } from '../scalars.js';
import { NodeObject } from './node.js';
import { WorkflowStepKind, type WorkflowStepKindName } from './enums.js';
import { WorkerObject } from './worker.js';

@ObjectType('WorkflowStep', {
  description: 'A step of a workflow as it is defined. What it came to in an execution is an ExecutionStep.',
})
export class WorkflowStepObject {
  constructor(readonly step: OutlinedStep) {}

  @Field(() => String, { description: 'What templates call it: `steps.<id>.result`. Unique in the workflow.' })
  get id(): string {
    return this.step.id;
  }

  @Field(() => WorkflowStepKind, {
    description: 'Whether it runs a worker, sends a request, waits, asks a person, branches or loops.',
  })
  get kind(): WorkflowStepKindName {
    return this.step.kind.toUpperCase() as WorkflowStepKindName;
  }

  @Field(() => String, { nullable: true, description: 'The id of the step that it lies in; null at the top.' })
  get parentId(): string | null {
    return this.step.parentId;
  }

  @Field(() => ID, { nullable: true, description: 'With WORKER, the id of the worker that it runs.' })
  get workerId(): string | null {
    return this.step.workerId;
  }

  @Field(() => ID, { nullable: true, description: 'With HTTP, the id of the connection that it goes through.' })
  get connectionId(): string | null {
    return this.step.connectionId;
  }
}

@ObjectType('Workflow', {
  description: 'A worker that is a list of durable steps.',
  implements: [NodeObject, WorkerObject],
})
export class WorkflowObject extends WorkerObject {
  @Field(() => Json, { description: 'What it does, as its author wrote it but for the order of members.' })
  get definition(): Readonly<Record<string, unknown>> {
    return readStoredWorkflow(this.view.id, this.view.definition).workflow;
  }

  @Field(() => String, { description: 'The same as YAML. Comments are not kept.' })
  get definitionYaml(): string {
    return printWorkflowText(this.definition);
  }

  @Field(() => [WorkflowStepObject], { description: 'All its steps, each followed by those inside of it.' })
  get steps(): readonly WorkflowStepObject[] {
    return outlineOf(compileStored(this.view.id, this.view.definition)).map((step) => new WorkflowStepObject(step));
  }
}
