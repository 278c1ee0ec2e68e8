import { AppError } from '../../../errors.js';
import type { Clock } from '../../../lib/clock.js';
import { parseShortDuration } from '../../../lib/duration.js';
import { asJsonText, type JsonText, toJsonText } from '../../../lib/json-text.js';
import { Postponed, type WorkerRun } from '../../worker-run.js';
import type { ApprovalStep, WaitStep } from '../workflow.js';
import { WORKFLOW_LIMITS } from '../workflow-limits.js';
import type { StepScope } from './step-scope.js';

/** The steps that hold nothing while they wait: until when is noted, and the execution goes on then. */
export class WaitingSteps {
  readonly #run: WorkerRun;
  readonly #clock: Clock;

  constructor(run: WorkerRun, clock: Clock) {
    this.#run = run;
    this.#clock = clock;
  }

  /** @throws Postponed until it is over; AppError TEMPLATE_FAILED when what the template gives is no duration. */
  async wait(step: WaitStep, path: string, scope: StepScope): Promise<JsonText> {
    const { steps: log } = this.#run;
    let wakeAtMs = log.noted(path)?.state.wakeAtMs;
    if (wakeAtMs === undefined) {
      wakeAtMs = this.#clock.nowMs() + durationOf(step, scope);
      await log.note(path, { status: 'WAITING', state: { kind: step.kind, wakeAtMs } });
    }
    this.#postponeUntil(wakeAtMs, `The step "${path}" waits.`);
    return asJsonText('null');
  }

  /**
   * @returns `{approved: true, by, at, comment}`.
   * @throws Postponed until somebody has decided; AppError APPROVAL_REJECTED, APPROVAL_EXPIRED.
   */
  async approval(step: ApprovalStep, path: string, scope: StepScope): Promise<JsonText> {
    const { steps: log } = this.#run;
    let state = log.noted(path)?.state;
    if (state === undefined) {
      const message = step.message?.render(scope.values).slice(0, WORKFLOW_LIMITS.messageCharacters);
      const wakeAtMs = this.#clock.nowMs() + step.expiresMs;
      state = {
        kind: step.kind,
        wakeAtMs,
        ...(message !== undefined && { message: message.toWellFormed().replaceAll('\0', '') }),
      };
      await log.note(path, { status: 'WAITING', state });
    }
    const { decision, wakeAtMs = 0 } = state;
    if (decision === undefined) {
      this.#postponeUntil(wakeAtMs, `The step "${path}" waits for a person to approve it.`);
      throw new AppError('APPROVAL_EXPIRED');
    }
    if (!decision.approved) {
      throw new AppError('APPROVAL_REJECTED', decision.comment ? `It was rejected: ${decision.comment}` : undefined);
    }
    return toJsonText(decision);
  }

  #postponeUntil(wakeAtMs: number, reason: string): void {
    const leftMs = wakeAtMs - this.#clock.nowMs();
    if (leftMs > 0) throw new Postponed(leftMs, reason);
  }
}

function durationOf({ duration }: WaitStep, scope: StepScope): number {
  if (typeof duration === 'number') return duration;
  const given = duration.evaluate(scope.values);
  const durationMs = typeof given === 'number' ? given : parseShortDuration(String(given));
  if (durationMs === undefined || !(durationMs >= 0 && durationMs <= WORKFLOW_LIMITS.waitMs)) {
    throw new AppError('TEMPLATE_FAILED', 'What gives the time to wait gives no duration of at most 30 days.');
  }
  return durationMs;
}
