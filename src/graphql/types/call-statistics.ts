import { ArgsType, Field, Float, ObjectType, registerEnumType } from 'type-graphql';
import type { CallOutcome as CallOutcomeName } from '../../calls/call.entity.js';
import type {
  CallStatistics,
  Percentiles,
  StatisticsBucket,
  StatisticsInterval as IntervalName,
} from '../../calls/statistics.js';
import { DateTime, Dollars, WholeNumber } from '../scalars.js';
import { CallOutcome } from './enums.js';

export const StatisticsInterval = { MINUTE: 'MINUTE', HOUR: 'HOUR', DAY: 'DAY' } as const satisfies {
  readonly [N in IntervalName]: N;
};

registerEnumType(StatisticsInterval, {
  name: 'StatisticsInterval',
  description: 'How long a bucket of statistics is.',
  valuesConfig: {
    MINUTE: { description: 'A minute; the last hour without a time of your own.' },
    HOUR: { description: 'An hour; the last day without a time of your own.' },
    DAY: { description: 'A day in UTC; the last 30 days without a time of your own.' },
  },
});

/** How far back statistics go when nobody says. */
const SPAN_MS: Readonly<Record<IntervalName, number>> = {
  MINUTE: 3_600_000,
  HOUR: 86_400_000,
  DAY: 30 * 86_400_000,
};

@ArgsType()
export class StatisticsArgs {
  @Field(() => StatisticsInterval, { defaultValue: 'HOUR', description: 'How long each bucket is.' })
  interval!: IntervalName;

  @Field(() => DateTime, {
    nullable: true,
    description:
      'From when on; without it an hour, a day or 30 days before the end, by the interval. Counters are kept by the minute for the last day, by the hour for 62 days, by the day before: one counts where it begins, so begin and end at whole ones.',
  })
  from?: Date | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Until when, not included; without it now. Rounded as `from`.',
  })
  to?: Date | null;
}

/** The time that statistics are of. */
export interface StatisticsTime {
  readonly from: Date;
  readonly to: Date;
  readonly interval: IntervalName;
}

/** Fills in what was not given. */
export function statisticsTime({ interval, from, to }: StatisticsArgs, nowMs: number): StatisticsTime {
  const until = to ?? new Date(nowMs);
  return { interval, from: from ?? new Date(until.getTime() - SPAN_MS[interval]), to: until };
}

@ObjectType('OutcomeCount', { description: 'How many calls had one outcome.' })
class OutcomeCountObject {
  @Field(() => CallOutcome, { description: 'The outcome.' })
  readonly outcome!: CallOutcomeName;

  @Field(() => WholeNumber, { description: 'How many calls of the time asked for ended so; never 0.' })
  readonly count!: number;
}

@ObjectType('DurationPercentiles', { description: 'How long something took; null when it did not happen.' })
class DurationPercentilesObject implements Percentiles {
  @Field(() => Float, { nullable: true, description: 'Half took no longer, in milliseconds; at most 19 % too high.' })
  readonly p50Ms!: number | null;

  @Field(() => Float, { nullable: true, description: '95 of 100 took no longer, in milliseconds.' })
  readonly p95Ms!: number | null;

  @Field(() => Float, { nullable: true, description: '99 of 100 took no longer, in milliseconds.' })
  readonly p99Ms!: number | null;
}

@ObjectType('StatisticsBucket', { description: 'The calls of one interval, by when they were received.' })
class StatisticsBucketObject implements StatisticsBucket {
  @Field(() => DateTime, { description: 'When the interval begins, in UTC.' })
  readonly start!: Date;

  @Field(() => WholeNumber, { description: 'Accepted and rejected calls.' })
  readonly total!: number;

  @Field(() => WholeNumber, { description: 'Calls of which all executions succeeded.' })
  readonly succeeded!: number;

  @Field(() => WholeNumber, { description: 'Calls of which an execution did not succeed.' })
  readonly failed!: number;

  @Field(() => WholeNumber, { description: 'Calls that were not accepted.' })
  readonly rejected!: number;

  @Field(() => Float, { nullable: true, description: '95 of 100 calls that ended took no longer, in milliseconds.' })
  readonly p95Ms!: number | null;

  @Field(() => WholeNumber, { description: 'Tokens that went into models.' })
  readonly promptTokens!: number;

  @Field(() => WholeNumber, { description: 'Tokens that came out of models.' })
  readonly completionTokens!: number;

  @Field(() => Dollars, { name: 'cost', description: 'What those tokens cost, in US dollars.' })
  readonly costNanos!: bigint;
}

@ObjectType('CallStatistics', { description: 'How calls went in a time. Every call counts, accepted or rejected.' })
export class CallStatisticsObject implements CallStatistics {
  @Field(() => WholeNumber, { description: 'Accepted and rejected calls.' })
  readonly total!: number;

  @Field(() => WholeNumber, { description: 'Calls of which all executions succeeded.' })
  readonly succeeded!: number;

  @Field(() => WholeNumber, { description: 'Calls of which an execution did not succeed.' })
  readonly failed!: number;

  @Field(() => WholeNumber, { description: 'Calls that were not accepted.' })
  readonly rejected!: number;

  @Field(() => [OutcomeCountObject], { description: 'The total by outcome; outcomes that did not occur are left out.' })
  readonly byOutcome!: CallStatistics['byOutcome'];

  @Field(() => Float, {
    nullable: true,
    description:
      'Half of the calls that ended took no longer, from coming in to the end of their last execution, in milliseconds; at most 19 % too high.',
  })
  readonly p50Ms!: number | null;

  @Field(() => Float, { nullable: true, description: '95 of 100 calls that ended took no longer, in milliseconds.' })
  readonly p95Ms!: number | null;

  @Field(() => Float, { nullable: true, description: '99 of 100 calls that ended took no longer, in milliseconds.' })
  readonly p99Ms!: number | null;

  @Field(() => DurationPercentilesObject, {
    description: 'How long accepting took: from the moment that a call came to when it was stored for good.',
  })
  readonly acceptTimes!: Percentiles;

  @Field(() => DurationPercentilesObject, {
    description: 'How long executions ran: the last attempt of each that ended.',
  })
  readonly executionTimes!: Percentiles;

  @Field(() => WholeNumber, { description: 'Tokens that went into models.' })
  readonly promptTokens!: number;

  @Field(() => WholeNumber, { description: 'Tokens that came out of models.' })
  readonly completionTokens!: number;

  @Field(() => Dollars, { name: 'cost', description: 'What those tokens cost, in US dollars.' })
  readonly costNanos!: bigint;

  @Field(() => DateTime, { nullable: true, description: 'When the newest call came, whatever the time asked for.' })
  readonly lastCalledAt!: Date | null;

  @Field(() => [StatisticsBucketObject], { description: 'Every interval of the time, the empty ones too.' })
  readonly buckets!: CallStatistics['buckets'];
}
