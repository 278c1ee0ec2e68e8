import { collectDefaultMetrics, Counter, Histogram, type Registry } from 'prom-client';

/** Counts the answers of one route and the time they took. */
export interface RouteMeter {
  observe(status: number, durationMs: number): void;
}

const BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/**
 * `workhook_http_requests_total{route,status}` and `workhook_http_request_duration_seconds{route}`, beside the
 * process's own metrics. Routes are labelled by their pattern: an id in a label would make a series each.
 */
export class HttpMetrics {
  readonly #requests: Counter<'route' | 'status'>;
  readonly #durations: Histogram<'route'>;
  readonly #meters = new Map<string, RouteMeter>();

  constructor(readonly registry: Registry) {
    collectDefaultMetrics({ register: registry });
    this.#requests = new Counter({
      name: 'workhook_http_requests_total',
      help: 'HTTP requests answered, by route pattern and status (499: the caller hung up first).',
      labelNames: ['route', 'status'],
      registers: [registry],
    });
    this.#durations = new Histogram({
      name: 'workhook_http_request_duration_seconds',
      help: 'Time from the request headers to the answer, by route pattern.',
      labelNames: ['route'],
      buckets: BUCKETS_S,
      registers: [registry],
    });
  }

  /** @param route a pattern from the code, never what a caller sent. */
  meter(route: string): RouteMeter {
    const known = this.#meters.get(route);
    if (known !== undefined) return known;
    const durations = this.#durations.labels(route);
    const counters = new Map<number, Counter.Internal>(); // looking a label set up costs more than counting
    const meter: RouteMeter = {
      observe: (status, durationMs) => {
        let counter = counters.get(status);
        if (counter === undefined) {
          counter = this.#requests.labels(route, String(status));
          counters.set(status, counter);
        }
        counter.inc();
        durations.observe(durationMs / 1000);
      },
    };
    this.#meters.set(route, meter);
    return meter;
  }
}
