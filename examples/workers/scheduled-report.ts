import { defineWorker, PermanentError } from 'workhook/worker';
import { z } from 'zod';

const Report = z.object({
  title: z.string().min(1).max(200),
  /** Flat records, as a scheduler or a query gives them. */
  rows: z.array(z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))).max(50_000),
  /** The column that makes the groups. */
  groupBy: z.string().min(1),
  /** The column that is added up. Rows where it is no number are left out and counted. */
  measure: z.string().min(1),
  /** How many groups are shown, the largest first. */
  top: z.int().min(1).max(100).default(10),
});

type Row = z.output<typeof Report>['rows'][number];

interface Group {
  readonly name: string;
  readonly rows: number;
  readonly total: number;
  readonly average: number;
}

/** Aggregates rows by one column into totals and averages, with a text table ready for a mail or a chat message. */
export default defineWorker({
  id: 'scheduled-report',
  name: 'Scheduled report',
  description: 'Reports: groups rows by one column, gives totals, averages and the top N, and a plain text table.',
  input: Report,
  timeoutMs: 30_000,
  run: ({ inputParams: { title, rows, groupBy, measure, top } }) => {
    if (rows.length > 0 && !rows.some((row) => Object.hasOwn(row, measure))) {
      throw new PermanentError(`No row has the column "${measure}".`);
    }
    const { groups, skippedRows } = aggregate(rows, groupBy, measure);
    const shown = groups.slice(0, top);
    const total = groups.reduce((sum, group) => sum + group.total, 0);
    const countedRows = rows.length - skippedRows;
    return {
      title,
      rows: rows.length,
      skippedRows,
      total,
      average: countedRows === 0 ? null : total / countedRows,
      groupCount: groups.length,
      top: shown,
      text: `${title}\n\n${table(groupBy, shown)}`,
    };
  },
});

/** Groups in order of their total, the largest first; equal ones by name. */
function aggregate(rows: readonly Row[], groupBy: string, measure: string): { groups: Group[]; skippedRows: number } {
  const sums = new Map<string, { rows: number; total: number }>();
  let skippedRows = 0;
  for (const row of rows) {
    const value = Object.hasOwn(row, measure) ? row[measure] : null;
    if (typeof value !== 'number') {
      skippedRows += 1;
      continue;
    }
    const name = String((Object.hasOwn(row, groupBy) ? row[groupBy] : null) ?? '(none)');
    const sum = sums.get(name) ?? { rows: 0, total: 0 };
    sum.rows += 1;
    sum.total += value;
    sums.set(name, sum);
  }
  const groups = [...sums].map(([name, sum]) => ({ name, ...sum, average: sum.total / sum.rows }));
  groups.sort((a, b) => b.total - a.total || (a.name < b.name ? -1 : 1));
  return { groups, skippedRows };
}

/** Columns padded with spaces, numbers to the right with two decimals. */
function table(groupBy: string, groups: readonly Group[]): string {
  const lines = [
    [groupBy, 'rows', 'total', 'average'],
    ...groups.map(({ name, rows, total, average }) => [name, String(rows), total.toFixed(2), average.toFixed(2)]),
  ];
  const widths = [0, 1, 2, 3].map((column) =>
    lines.reduce((width, line) => Math.max(width, line[column]?.length ?? 0), 0),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  '),
    )
    .join('\n');
}
